"""What the one-shot strategies share: they propose the cells that a supernet ranked best."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from nas_rnn.cells import Cell
from nas_rnn.spaces import Candidate, Decisions, DecisionSpace, Space, SpaceError
from nas_rnn.strategies.base import Strategy
from nas_rnn.strategies.seen_cells import SeenCells


class OneShot(Strategy):
    """Proposes what `take` was given, in that order, and then random candidates; no cell twice.

    The search trains the supernet (`nas_rnn.oneshot`) before it asks; what it costs is no trial of the search. With
    ``mixes`` it weighs all cells against each other, without it it trains a random one at each step.
    """

    mixes: ClassVar[bool]

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.cell = self.cell_of(space)
        self._best: deque[Decisions] = deque()
        self._unseen = SeenCells(space, seed)

    @abstractmethod
    def cell_of(self, space: Space) -> Cell:
        """Return the cell whose weights all of the space share; `SpaceError` for a space that has none."""

    def take(self, best: Iterable[Decisions]) -> None:
        """Propose these first, the best first."""
        self._best.extend(best)

    def ask(self) -> Candidate:
        while self._best:
            candidate = self._replayed(self._best.popleft())
            if self._unseen.add(candidate):
                return candidate
        return self._unseen.draw()

    def _replayed(self, decisions: Decisions) -> Candidate:
        if not isinstance(self.space, DecisionSpace):  # such a space shares no weights
            raise SpaceError(f"the space {self.space.name!r} works on cells")
        return self.space.replay(decisions)

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self._unseen.add(candidate)
