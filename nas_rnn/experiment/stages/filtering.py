"""The filter of a search: candidates that explode as they start are dropped before they cost an epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas_rnn.experiment.models import Models
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.dropped import By, Dropped, counted
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import DROPPED, RunReader
from nas_rnn.spaces import Candidate, Infeasible

MOST_IN_A_ROW = 200
"""So many dropped candidates in a row show that nearly all that a strategy proposes from a space explodes."""


@dataclass
class Filter:
    """Drops candidates, and keeps in the folder which and why. It never ranks: what it keeps is trained as ever.

    ``by`` says who proposes them. With ``config.filter`` "none" it drops nothing.
    """

    config: SearchConfig
    models: Models
    folder: RunFolder
    by: By = "search"
    in_a_row: int = 0
    _others: list[Dropped] = field(default_factory=list)
    _dropped: dict[str, Dropped] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = RunReader(self.folder).dropped()
        self._others = [one for one in known if one.by != self.by]
        self._dropped = {one.digest: one for one in known if one.by == self.by}

    @property
    def dropped(self) -> list[Dropped]:
        """What was dropped so far, by this process and those before it."""
        return list(self._dropped.values())

    def drops(self, candidate: Candidate, hidden_size: int) -> bool:
        """Return whether ``candidate``, which would be trained at this hidden size, is dropped; note it if it is."""
        if self.config.filter == "none":
            return False
        if candidate.digest not in self._dropped:
            found = self._judged(candidate, hidden_size)
            if found is None:
                self.in_a_row = 0
                return False
            self._dropped[candidate.digest] = found
            self.folder.write_json(DROPPED, [one.to_dict() for one in [*self._others, *self.dropped]])
        self.in_a_row += 1
        return True

    def _judged(self, candidate: Candidate, hidden_size: int) -> Dropped | None:
        from nas_rnn.training.stability import instability  # loads torch

        config = self.config
        for size in self.models.input_sizes(candidate.cell, hidden_size):
            found = instability(candidate.cell, hidden_size, size, layers=config.layers, init=config.init)
            if found is not None:
                return Dropped(
                    name=candidate.cell.name,
                    digest=candidate.digest,
                    cell=candidate.cell.to_text(),
                    decisions=candidate.decisions,
                    hidden_size=hidden_size,
                    kind=found.kind,
                    reason=found.reason,
                    by=self.by,
                )
        return None

    def require_some_kept(self) -> None:
        """Raise `Infeasible` where too many in a row were dropped."""
        if self.in_a_row >= MOST_IN_A_ROW:
            last = self.dropped[-1]
            raise Infeasible(
                f"{self.in_a_row} candidates in a row of the space {self.config.space!r} explode as they start, such "
                f"as {last.name}: {last.reason}; choose another space, or give --filter none"
            )

    @property
    def notice(self) -> str:
        """What to say of all that was dropped; "" where nothing was."""
        told = counted(self.dropped)
        who = "" if self.by == "search" else f"of the {self.by} "
        return told and f"{who}dropped before training: {told} at their initialisation; {DROPPED} says which"
