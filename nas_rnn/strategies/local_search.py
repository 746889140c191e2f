"""Local search (White, Nolen & Savani 2021, arXiv:2005.02960): from the best cell known to its neighbours."""

from __future__ import annotations

import bisect
import math
from typing import ClassVar

import numpy as np

from nas_rnn.spaces import Candidate, Space
from nas_rnn.strategies.base import Strategy
from nas_rnn.strategies.mutation import mutation_of
from nas_rnn.strategies.seen_cells import SeenCells


class LocalSearch(Strategy):
    """Tries neighbours of the best cell known; where enough of them are known, those of the next best.

    The paper's version tries all neighbours of a cell. Here a cell has `children` at most, as a neighbourhood may hold
    hundreds; a better child takes the cell's place at once.
    """

    name = "local-search"
    summary = "tries neighbours of the best cell known, then of the next best; on decisions, or on cells that mutate"

    start: ClassVar[int] = 10
    """How many random candidates come first."""
    children: ClassVar[int] = 10
    """How many neighbours of one cell are tried."""
    attempts: ClassVar[int] = 20
    """How many neighbours known already in a row close a cell."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self._mutate = mutation_of(space, self.name)
        self._rng = np.random.default_rng(seed)
        self._unseen = SeenCells(space, seed)
        self._open: list[tuple[float, int, Candidate]] = []
        """The cells whose neighbours are tried, the best first; the number, of their telling, breaks ties."""
        self._left: dict[int, int] = {}
        self._told = 0

    def ask(self) -> Candidate:
        while len(self._unseen) >= self.start and self._open:
            _, number, parent = self._open[0]
            for _ in range(self.attempts if self._left[number] else 0):
                child = self._mutate(parent, self._rng)
                if child is None:
                    break
                if self._unseen.add(child):
                    self._left[number] -= 1
                    return child
            self._open.pop(0)
            del self._left[number]
        return self._unseen.draw()

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self._unseen.add(candidate)
        self._told += 1
        if loss is not None and math.isfinite(loss):
            bisect.insort(self._open, (loss, self._told, candidate), key=lambda row: row[:2])
            self._left[self._told] = self.children
