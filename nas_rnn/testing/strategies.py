"""What every strategy must do, as checks for a plugin's own tests: ``assert check_strategy(Mine, [space]) == []``."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nas_rnn.cells import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.spaces import Candidate, DecisionSpace, Space
from nas_rnn.strategies.base import Exhausted, ParetoStrategy, Strategy
from nas_rnn.strategies.seen_cells import SeenCells

ASKS = 30
"""How many candidates a check asks for; a space of fewer different cells is checked to its end."""
PARALLEL = 4


def check_strategy(kind: type[Strategy], spaces: Iterable[Space], seed: int = 0) -> list[str]:
    """Return what ``kind`` does against the rules of strategies on ``spaces``, a sentence each; empty: nothing.

    A strategy keeps the rules when it proposes valid candidates of its space and none twice, copes with candidates that
    diverged or failed, has several under way at once, continues after a resume, proposes the same at the same seed, and
    raises `Exhausted` once a small space has no more. Several small spaces of different kinds show the most.
    """
    rules = (_valid, _losses, _parallel, _resumed, _reproducible, _exhausted)
    return [
        f"{kind.name} on {space.name}: {problem}"
        for space in spaces
        for case in [_Case(kind, space, seed, _different_cells(space))]
        for rule in rules
        for problem in _problems(rule, case)
    ]


@dataclass(frozen=True)
class _Case:
    """What the rules are tried with; ``cells``: how many different ones the space has, counted to `ASKS` + 1."""

    kind: type[Strategy]
    space: Space
    seed: int
    cells: int

    def strategy(self, after: int = 0) -> Strategy:
        """Return a new strategy, as it would be made ``after`` so many earlier trials."""
        return self.kind(self.space, self.seed + after)

    def losses(self) -> Callable[[], float | None]:
        """Return a source of losses: random ones, and None for one in five."""
        rng = np.random.default_rng(self.seed)
        return lambda: None if rng.random() < 0.2 else float(rng.random())

    def judge(self, found: list[Candidate], when: str) -> list[str]:
        """Return whether ``found`` are too few for the space, or some are there twice."""
        keys = [str(candidate.decisions or candidate.digest) for candidate in found]
        twice, cells = len(keys) - len(set(keys)), len({candidate.digest for candidate in found})
        problems = [f"it proposed {twice} of {len(keys)} candidates a second time {when}"] if twice else []
        # Other decisions for the same cell may be proposed; fewer cells than asks are no mistake by themselves.
        if len(found) < ASKS and cells < self.cells:
            several = "or more " if self.cells > ASKS else ""
            problems.append(f"it proposed {cells} of the space's {self.cells} {several}cells {when}")
        return problems


def _problems(rule: Callable[[_Case], list[str]], case: _Case) -> list[str]:
    try:
        return rule(case)
    except UserError as error:
        return [f"it refuses the space: {error}"]
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename}, line {frame.lineno}"
        return [f"{(rule.__doc__ or '').rstrip('.')}: {type(error).__name__} at {place}: {error}"]


def _valid(case: _Case) -> list[str]:
    """It proposes valid candidates of the space."""
    problems = []
    for candidate in _search(case.strategy(), case.losses(), ASKS, 1):
        if not isinstance(candidate, Candidate):
            return [f"ask() returned {candidate!r}, which is no Candidate"]
        if parse_cell(candidate.cell.to_text()).digest != candidate.digest:
            problems.append(f"the text of the cell {candidate.cell.name!r} gives another cell")
        if isinstance(case.space, DecisionSpace):
            if candidate.decisions is None:
                return ["a candidate of a space of decisions has no decisions"]
            if case.space.replay(candidate.decisions).digest != candidate.digest:
                problems.append(f"the decisions {candidate.decisions} give another cell than the candidate's")
    return problems


def _losses(case: _Case) -> list[str]:
    """It copes with losses of None, however many."""
    return case.judge(_search(case.strategy(), lambda: None, ASKS, 1), "when every candidate failed")


def _parallel(case: _Case) -> list[str]:
    """It has several candidates under way, which end in any order."""
    found = _search(case.strategy(), case.losses(), ASKS, PARALLEL)
    return case.judge(found, f"with {PARALLEL} candidates under way")


def _resumed(case: _Case) -> list[str]:
    """It continues after a resume, from `tell` and `expect`."""
    losses = case.losses()
    earlier = _search(case.strategy(), losses, ASKS // 2, 1)
    strategy = case.strategy(after=len(earlier))
    for candidate in earlier[:-1]:
        _tell(strategy, candidate, losses())
    strategy.expect(earlier[-1])
    later = _search(strategy, losses, ASKS - len(earlier), 1)
    # The study keeps no questions: this is how a trial comes back that was under way.
    _tell(strategy, Candidate(earlier[-1].cell, earlier[-1].decisions), losses())
    return case.judge([*earlier, *later], "after a resume")


def _reproducible(case: _Case) -> list[str]:
    """It proposes the same candidates at the same seed and losses."""
    one, two = (_search(case.strategy(), case.losses(), ASKS, PARALLEL) for _ in range(2))
    equal = [candidate.digest for candidate in one] == [candidate.digest for candidate in two]
    return [] if equal else ["the same seed and losses gave other candidates the second time"]


def _exhausted(case: _Case) -> list[str]:
    """It raises Exhausted, again and again, once a small space has no more."""
    if case.cells > ASKS:
        return []
    strategy, most = case.strategy(), 20 * ASKS
    found = _search(strategy, case.losses(), most, 1)
    if len(found) == most:
        return [
            f"the space has {case.cells} cells, and after {most} candidates ask() had not raised Exhausted"
        ]
    problems = case.judge(found, "before it raised Exhausted")
    try:
        strategy.ask()
    except Exhausted:
        return problems
    return [*problems, "ask() returned a candidate after it had raised Exhausted"]


def _search(
    strategy: Strategy, losses: Callable[[], float | None], asks: int, parallel: int
) -> list[Candidate]:
    """Return up to ``asks`` candidates; when ``parallel`` are under way, the newest of them is told."""
    found: list[Candidate] = []
    running: list[Candidate] = []
    while len(found) < asks:
        try:
            found.append(strategy.ask())
        except Exhausted:
            break
        running.append(found[-1])
        if len(running) == parallel:
            _tell(strategy, running.pop(), losses())
    for candidate in running:
        _tell(strategy, candidate, losses())
    return found


def _tell(strategy: Strategy, candidate: Candidate, loss: float | None) -> None:
    """Tell of a loss; a strategy for several objectives also of what the candidate costs."""
    if isinstance(strategy, ParetoStrategy):
        cost = float(len(candidate.cell.nodes))
        strategy.tell_all(candidate, None if loss is None else (loss, cost))
    else:
        strategy.tell(candidate, loss)


def _different_cells(space: Space) -> int:
    """Return how many different cells ``space`` has, counted to one more than `ASKS`."""
    unseen = SeenCells(space, 0)
    try:
        while len(unseen) <= ASKS:
            unseen.draw()
    except Exhausted:
        pass
    return len(unseen)
