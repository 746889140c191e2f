"""Which cells a strategy has met, and random draws of new ones."""

from __future__ import annotations

from nas_rnn.spaces import Candidate, Space
from nas_rnn.strategies.base import Exhausted
from nas_rnn.strategies.random_search import MAX_REPEATS, RandomSearch


class SeenCells:
    """Remembers cells by their digest; `draw` gives a random one that is new.

    Other decisions that give a known cell count as known: they would teach nothing and cost a trial.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._random = RandomSearch(space, seed)
        self._digests: set[str] = set()

    def __len__(self) -> int:
        return len(self._digests)

    def knows(self, candidate: Candidate) -> bool:
        """Return whether the cell of ``candidate`` was met before."""
        return candidate.digest in self._digests

    def add(self, candidate: Candidate) -> bool:
        """Remember ``candidate``; return whether its cell is new."""
        new = candidate.digest not in self._digests
        self._digests.add(candidate.digest)
        self._random.expect(candidate)
        return new

    def draw(self) -> Candidate:
        """Return a random candidate whose cell is new, and remember it; `Exhausted` where there is none."""
        for _ in range(MAX_REPEATS):
            candidate = self._random.ask()
            if self.add(candidate):
                return candidate
        raise Exhausted(
            f"{MAX_REPEATS} draws in a row from the space {self._random.space.name!r} gave no new candidate"
        )
