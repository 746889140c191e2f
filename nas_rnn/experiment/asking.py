"""What a built-in strategy would propose next in a study that is driven from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas_rnn import plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph.verify import verify
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.stages.strategy import CONSTRAINED_SECONDS, make_strategy, require_candidates
from nas_rnn.run_folder.config import SearchConfig, read_config
from nas_rnn.run_folder.dataset import stored_shown
from nas_rnn.run_folder.evaluate_config import EvaluateConfig
from nas_rnn.run_folder.journal import JournalEvent
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import DATA, RunReader
from nas_rnn.spaces import Candidate, DecisionSpace, Infeasible
from nas_rnn.strategies import Exhausted, Strategy


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A candidate of a strategy; ``decisions`` are those of its space (None: it works on cells)."""

    cell: Cell
    decisions: Mapping[str, Any] | None
    strategy: str
    space: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **vars(self),
            "name": self.cell.name,
            "digest": self.cell.digest,
            "cell": self.cell.to_text(),
        }


def propose(
    folder: RunFolder,
    config: EvaluateConfig,
    events: Sequence[JournalEvent],
    strategy: str,
    space: str,
    constraints: Sequence[str],
) -> Proposal:
    """Return what ``strategy`` proposes after the ``events`` of the study's journal.

    It is made anew at each call and hears of every cell in its order: of those that were evaluated or told their
    mean on validation data, of others that were asked for that they are under way. A cell of no decisions teaches a
    strategy on decisions nothing but that it is known.

    Raises UserError for a strategy or space that there is not, that do not fit, or constraints that hardly anything
    keeps; NasRnnError where there is no more candidate.
    """
    settings = read_config(
        SearchConfig,
        {"strategy": strategy, "space": space, "constraints": tuple(constraints), "seed": config.seed},
    )
    asked = sum(event.kind == "asked" for event in events)
    made = make_strategy(settings, asked, asked_again=False)
    require_candidates(made, settings)
    found = plugins.registry().find("space", space), plugins.registry().find("strategy", strategy)
    seconds = CONSTRAINED_SECONDS if constraints else None
    try:
        with plugins.running(*found, seconds=seconds, passing=(Exhausted, Infeasible)):
            _tell_all(made, folder, events, space)
            candidate = made.ask()
            verify(candidate.cell)
    except Exhausted as error:
        raise NasRnnError(f"{error}; ask another strategy or space") from None
    decisions = None if candidate.decisions is None else dict(candidate.decisions)
    return Proposal(cell=candidate.cell, decisions=decisions, strategy=strategy, space=space)


def loss_of(folder: RunFolder, value: float) -> float:
    """Return a figure on validation data as strategies hear of it: smaller is better.

    Raises UserError for a number that is not finite.
    """
    if not math.isfinite(value):
        raise UserError(f"a value is a finite number, not {value}; a cell that diverged is told without one")
    shown = stored_shown(RunReader(folder).data(), str(folder.path / DATA))
    return -value if shown is not None and shown.monitor.direction == "maximize" else value


def _tell_all(strategy: Strategy, folder: RunFolder, events: Sequence[JournalEvent], space: str) -> None:
    """Tell a new strategy what became of each cell, in the order in which they first came up."""
    candidates: dict[str, Candidate] = {}
    values: dict[str, float | None] = {}
    for event in events:
        if event.kind not in ("asked", "ended", "told"):
            continue
        known = candidates.get(event.digest)
        if known is None or known.decisions is None:
            candidates[event.digest] = _candidate(strategy, event, space)
        if event.kind in ("ended", "told"):
            values[event.digest] = event.details.get("value")
    for digest, candidate in candidates.items():
        foreign = isinstance(strategy.space, DecisionSpace) and candidate.decisions is None
        if digest not in values or foreign:
            strategy.expect(candidate)
            continue
        value = values[digest]
        strategy.tell(candidate, None if value is None else loss_of(folder, value))


def _candidate(strategy: Strategy, event: JournalEvent, space: str) -> Candidate:
    """Return the candidate of an event, with its decisions where it was asked for in this space."""
    decisions = event.details.get("decisions") if event.kind == "asked" else None
    if decisions is not None and event.details.get("space") == space:
        replay = getattr(strategy.space, "replay", None)
        if replay is not None:
            again = replay(decisions)
            if isinstance(again, Candidate):
                return again
    return Candidate(parse_cell(event.cell))
