"""Random search (Bergstra & Bengio 2012), without drawing the same decisions twice."""

from __future__ import annotations

import numpy as np

from nas_rnn.spaces import Candidate, DecisionSpace, Space
from nas_rnn.strategies.base import Exhausted, Strategy
from nas_rnn.strategies.tree import ProposedDecisions

MAX_REPEATS = 300
"""How many known candidates in a row show that a space without decisions has no more."""


class RandomSearch(Strategy):
    """Draws candidates at random and without replacement."""

    name = "random"
    repeats = True
    summary = "draws candidates at random, without replacement; the yardstick for every other strategy"

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self._rng = np.random.default_rng(seed)
        self._proposed = ProposedDecisions()
        self._digests: set[str] = set()

    def ask(self) -> Candidate:
        if not isinstance(self.space, DecisionSpace):
            return self._unseen()
        if self._proposed.exhausted:
            raise Exhausted(f"every candidate of the space {self.space.name!r} has been proposed")
        return self._proposed.draw(self.space, self._rng)

    def _unseen(self) -> Candidate:
        for _ in range(MAX_REPEATS):
            candidate = self.space.sample(self._rng)
            if candidate.digest not in self._digests:
                self._digests.add(candidate.digest)
                return candidate
        raise Exhausted(
            f"{MAX_REPEATS} draws in a row from the space {self.space.name!r} gave no new candidate"
        )

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self.expect(candidate)

    def expect(self, candidate: Candidate) -> None:
        self._digests.add(candidate.digest)
        # The study does not keep the questions; decisions without theirs have no place in the tree.
        if candidate.decisions is not None and len(candidate.choices) == len(candidate.decisions):
            self._proposed.add(candidate.choices, candidate.decisions)
