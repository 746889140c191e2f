"""What a search space must keep to; the author of one calls `check_space` in a test and asserts that it finds nothing.

def test_my_space():
    assert check_space(my_space) == []
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas_rnn.cells import parse_cell
from nas_rnn.cells.verify import verify
from nas_rnn.errors import UserError, located
from nas_rnn.spaces.choices import Decisions
from nas_rnn.spaces.constrained import MutableSpace
from nas_rnn.spaces.space import Candidate, DecisionSpace, Space

MAX_TOLD = 10
"""How many problems are told before the check ends: one mistake often breaks every sample."""


@dataclass(frozen=True, kw_only=True)
class SpaceReport:
    """What a check found: problems to mend, and figures that are no problems."""

    problems: tuple[str, ...]
    samples: int
    cells: int
    """How many different cells the samples are, by digest."""
    seconds: float
    """Seconds that sampling took, and finding the digests."""

    def __str__(self) -> str:
        pace = f"{1000 * self.seconds / max(self.samples, 1):.1f} ms each"
        return "\n".join([f"{self.samples} samples, {self.cells} different cells, {pace}", *self.problems])


def check_space(space: Space, samples: int = 200, seed: int = 0) -> list[str]:
    """Return what is wrong with ``space``, judged by ``samples`` candidates; an empty list: nothing was found.

    Candidates are valid cells whose text reads back equal; equal seeds give equal candidates; decisions are plain data
    that give the same cell again; there is more than one cell. See `examine_space` for diversity and speed.
    """
    return list(examine_space(space, samples, seed).problems)


def examine_space(space: Space, samples: int = 200, seed: int = 0) -> SpaceReport:
    """Do the work of `check_space`, and count the different cells and the time that sampling takes."""
    problems = list(_interface(space))
    digests: set[str] = set()
    seconds = 0.0
    done = 0
    for number in range(samples if not problems else 0):
        where = f"sample({seed + number})"
        try:
            start = time.perf_counter()
            candidate = space.sample(seed + number)
            digests.add(candidate.digest)
            seconds += time.perf_counter() - start
            done += 1
            problems += [f"{where}: {text}" for text in _sample(space, candidate, seed + number)]
        except Exception as error:
            problems.append(f"{where} raises {located(error)}")
        if len(problems) >= MAX_TOLD:
            problems.append(f"and perhaps more: the check ended after {number + 1} of {samples} samples")
            break
    if done > 1 and len(digests) == 1:
        problems.append(f"all {done} samples are the same cell")
    return SpaceReport(problems=tuple(problems), samples=done, cells=len(digests), seconds=seconds)


def _interface(space: object) -> Iterator[str]:
    if not isinstance(space, Space):
        yield f"{space!r} is no search space: it needs plugin_kind, name, doc and sample(seed)"
        return
    if space.plugin_kind != "space":
        yield f"plugin_kind is 'space', not {space.plugin_kind!r}"
    if not (isinstance(space.name, str) and space.name.isidentifier()):
        yield f"a space's name is an identifier, not {space.name!r}"
    if not (isinstance(space.doc, str) and space.doc.strip()):
        yield "the space has no description (doc): lists of spaces show its first line"


def _sample(space: Space, candidate: Candidate, seed: int) -> Iterator[str]:
    cell = candidate.cell
    try:
        verify(cell)
        if parse_cell(cell.to_text()) != cell:
            yield "the cell's text reads back as another cell"
    except UserError as error:
        yield str(error)
        return
    again = space.sample(seed)
    if (again.cell, again.decisions) != (cell, candidate.decisions):
        yield "the same seed gives another candidate the second time"
    if space.sample(np.random.default_rng(seed)).cell != cell:
        yield "a generator of the same seed gives another candidate"
    if isinstance(space, DecisionSpace):
        yield from _decisions(space, candidate)
    elif isinstance(space, MutableSpace):
        yield from _mutation(space, candidate, seed)


def _decisions(space: DecisionSpace, candidate: Candidate) -> Iterator[str]:
    decisions = candidate.decisions
    if decisions is None:
        yield "the candidate has no decisions"
        return
    if not _plain(decisions):
        yield f"decisions are texts and whole numbers by name, not {decisions!r:.200}"
        return
    replayed = space.replay(json.loads(json.dumps(decisions)))
    if replayed.cell != candidate.cell or replayed.decisions != decisions:
        yield "replaying the decisions gives another candidate: the space depends on more than its choices"
    if [choice.key for choice in candidate.choices] != list(decisions):
        yield "the choices do not stand in the order of the decisions"


def _plain(decisions: Decisions) -> bool:
    return all(isinstance(key, str) and type(label) in (str, int) for key, label in decisions.items())


def _mutation(space: MutableSpace, candidate: Candidate, seed: int) -> Iterator[str]:
    changed = space.mutate(candidate.cell, np.random.default_rng(seed))
    verify(changed)
    if changed.digest == candidate.digest:
        yield "mutate gives the same cell"
    if space.mutate(candidate.cell, np.random.default_rng(seed)) != changed:
        yield "mutate gives another cell for an equal generator"
