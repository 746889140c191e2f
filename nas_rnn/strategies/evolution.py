"""Regularised (aging) evolution: Real et al. 2019, arXiv:1802.01548, Algorithm 1."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.spaces import Candidate, DecisionSpace, Space
from nas_rnn.strategies.base import Strategy
from nas_rnn.strategies.seen_cells import SeenCells

Mutate = Callable[[Candidate, np.random.Generator], Candidate]


class Evolution(Strategy):
    """The best of a few drawn from the population has a child, a mutation of it; of the population the oldest dies.

    The population is made of the last ``population`` candidates that were told of with a loss, in that order; so it
    grows while others still run, and comes back when earlier trials are told after a resume. Candidates that diverged
    or failed have no children and push nobody out.
    """

    name = "evolution"
    summary = "mutates the best of a sample of the last 20 candidates; on decisions, or on cells that can be mutated"

    population: ClassVar[int] = 20
    sample: ClassVar[int] = 10
    """How many are drawn from the population: half of it, as a search of 24 to 200 trials cannot wait for long.

    On ``benchmarks/strategies_synthetic.py`` 10 beat the paper's quarter (5) after 24, 60 and 200 trials alike.
    """
    start: ClassVar[int] = 10
    """How many random candidates come first: fewer than the population, as a search may have 24 trials in all."""
    attempts: ClassVar[int] = 20
    """How many children of known cells in a row make the next candidate a random one."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self._mutate = mutation_of(space, self.name)
        self._rng = np.random.default_rng(seed)
        self._unseen = SeenCells(space, seed)
        self._living: deque[tuple[float, Candidate]] = deque(maxlen=self.population)

    def ask(self) -> Candidate:
        if len(self._unseen) >= self.start and self._living:
            for _ in range(self.attempts):
                child = self._mutate(self._parent(), self._rng)
                if self._unseen.add(child):
                    return child
        return self._unseen.draw()

    def _parent(self) -> Candidate:
        """Return the best of ``sample`` candidates drawn from the population, with replacement as in the paper."""
        drawn = self._rng.integers(len(self._living), size=self.sample)
        return min((self._living[int(index)] for index in drawn), key=lambda member: member[0])[1]

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self._unseen.add(candidate)
        if loss is not None and math.isfinite(loss):
            self._living.append((loss, candidate))


def mutation_of(space: Space, strategy: str) -> Mutate:
    """Return how ``space`` mutates a candidate: by its decisions, or with ``space.mutate(cell, rng)``.

    `UserError` for the ``strategy`` of that name where it has neither.
    """
    if isinstance(space, DecisionSpace):
        return space.mutate
    mutate = getattr(space, "mutate", None)
    if not callable(mutate):
        raise UserError(
            f"the strategy {strategy!r} mutates candidates, and the space {space.name!r} has neither decisions nor "
            "mutate(cell, rng); the strategy 'random' works with every space"
        )

    def mutate_cell(candidate: Candidate, rng: np.random.Generator) -> Candidate:
        child: Cell | Candidate = mutate(candidate.cell, rng)
        return Candidate(child) if isinstance(child, Cell) else child

    return mutate_cell
