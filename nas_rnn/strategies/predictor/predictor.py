"""Search by prediction: a Gaussian process on what the equations do says which of many proposals to train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_rnn.cells.traits import traits
from nas_rnn.cells.traits.table import TraitTable, trait_table
from nas_rnn.spaces import Candidate, FiniteSpace, Space
from nas_rnn.strategies.base import Strategy
from nas_rnn.strategies.mutation import find_mutation
from nas_rnn.strategies.predictor.curves import foresee
from nas_rnn.strategies.predictor.gaussian_process import (
    GaussianProcess,
    expected_improvement,
    normal_scores,
)
from nas_rnn.strategies.seen_cells import SeenCells

Floats = NDArray[np.float64]


class Predictor(Strategy):
    """Ranks proposals by how far they are expected to lie below the tenth best cell known; the best is trained.

    Cells are described by their traits (`nas_rnn.cells.traits`) and by their decisions, if they have any. What is
    predicted is the normal score of a cell's rank, those that diverged or failed last, so no unit and no outlier
    matters. Proposals are mutations of good cells, and random cells; of a list of cells all. Candidates under way count
    with what their learning curves say so far, or else with what was predicted of them.
    """

    name = "predictor"
    summary = "predicts from their equations which of many proposals are good; works with every space"

    start: ClassVar[int] = 5
    """How many candidates come first at random, and must have ended before anything is predicted."""
    rank: ClassVar[int] = 10
    """Below which of the best cells known a proposal is to lie: the best alone may have been lucky."""
    parents: ClassVar[int] = 5
    """From so many of the best cells known proposals are mutated."""
    first: ClassVar[int] = 64
    """How many proposals the first choice is made from."""
    fresh: ClassVar[int] = 8
    """How many are added before each later choice: making and describing them is most of what a choice costs."""
    kept: ClassVar[int] = 200
    """How many proposals stay for the next choice."""
    random_share: ClassVar[float] = 0.1
    """How many of the proposals are random cells instead of mutations."""
    most: ClassVar[int] = 300
    """How many cells the model is made of: of more, half of them the best, and the latest."""
    refits: ClassVar[int] = 75
    """Of so many cells the model is made anew after every change, of twice as many after every second."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self._mutate = find_mutation(space)
        self._rng = np.random.default_rng(seed)
        self._unseen = SeenCells(space, seed)
        self._losses: dict[str, float] = {}
        self._known: dict[str, Candidate] = {}
        self._running: dict[str, Candidate] = {}
        self._curves: dict[str, tuple[float, ...]] = {}
        self._pool: dict[str, Candidate] = {}
        self._table: TraitTable | None = None
        self._rows: dict[str, Floats] = {}
        self._tabled = 0
        self._model: GaussianProcess | None = None
        self._changes = 0
        if isinstance(space, FiniteSpace):
            self._pool = {candidate.digest: candidate for candidate in space.candidates}

    def ask(self) -> Candidate:
        chosen = self._choose() if len(self._losses) >= self.start else None
        if chosen is None:
            chosen = self._unseen.draw()
        self.expect(chosen)
        return chosen

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)
        self._pool.pop(candidate.digest, None)
        if candidate.digest not in self._losses:
            self._running[candidate.digest] = candidate
            self._changes += 1

    def hear(self, candidate: Candidate, losses: Sequence[float]) -> None:
        self._curves[candidate.digest] = tuple(losses)
        self._changes += 1

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self._unseen.add(candidate)
        digest = candidate.digest
        self._pool.pop(digest, None)
        self._running.pop(digest, None)
        self._known[digest] = candidate
        self._losses[digest] = loss if loss is not None and math.isfinite(loss) else math.inf
        self._changes += 1

    def _choose(self) -> Candidate | None:
        """Return the most promising proposal; None where there is none."""
        if not isinstance(self.space, FiniteSpace):
            self._add_proposals()
        if not self._pool:
            return None
        digests = list(self._pool)
        model, best = self._fitted()
        gains = expected_improvement(model.predict(self._encode(digests)), best)
        order = np.argsort(-gains, kind="stable")
        if not isinstance(self.space, FiniteSpace):
            for place in order[self.kept :]:
                digest = digests[place]
                del self._pool[digest]
                self._rows.pop(digest, None)
        return self._pool[digests[order[0]]]

    def _add_proposals(self) -> None:
        good = sorted(self._losses, key=self._losses.__getitem__)[: self.parents]
        for _ in range(self.fresh if self._pool else self.first):
            if self._mutate is None or self._rng.random() < self.random_share:
                proposal: Candidate | None = self.space.sample(self._rng)
            else:
                parent = self._known[good[int(self._rng.integers(len(good)))]]
                proposal = self._mutate(parent, self._rng)
            if proposal is not None and not self._unseen.knows(proposal):
                self._pool.setdefault(proposal.digest, proposal)

    def _fitted(self) -> tuple[GaussianProcess, float]:
        """Return the model of all that is known, and the score of the `rank`-th best cell."""
        digests = self._modelled()
        scores = normal_scores([self._losses[digest] for digest in digests])
        best = float(np.sort(scores)[min(self.rank, len(scores)) - 1])
        if self._model is None or self._changes > len(digests) // self.refits:
            self._describe(digests)
            places = self._encode(digests)
            self._model = GaussianProcess(places, scores)
            if self._running:
                self._model = self._with_running(self._model, digests, places, scores)
            self._changes = 0
        return self._model, best

    def _with_running(
        self, model: GaussianProcess, known: Sequence[str], places: Floats, scores: Floats
    ) -> GaussianProcess:
        """Return ``model``, of ``known`` cells, with the candidates under way: what their curves say, or it itself."""
        running = list(self._running)
        there = self._encode(running)
        believed, noise = model.predict(there).mean, np.ones(len(running))
        earlier = [self._curves.get(digest, ()) for digest in known]
        losses = [self._losses[digest] for digest in known]
        for place, digest in enumerate(running):
            seen = foresee(self._curves.get(digest, ()), earlier, losses, scores)
            if seen is not None:
                believed[place], noise[place] = seen
        return GaussianProcess(
            np.concatenate([places, there]),
            np.concatenate([scores, believed]),
            np.concatenate([np.ones(len(scores)), noise]),
        )

    def _modelled(self) -> list[str]:
        if len(self._losses) <= self.most:
            return list(self._losses)
        half = self.most // 2
        good = sorted(self._losses, key=self._losses.__getitem__)[:half]
        taken = set(good)
        latest = [digest for digest in self._losses if digest not in taken][-half:]
        return good + latest

    def _describe(self, known: Sequence[str]) -> None:
        """Choose anew which traits count, whenever twice as many cells are known as when that was done last."""
        finite = isinstance(self.space, FiniteSpace)
        if self._table is not None and (finite or len(known) < 2 * self._tabled):
            return
        candidates = {**self._pool, **self._known}
        self._table, rows = trait_table([described(candidate) for candidate in candidates.values()])
        self._rows = dict(zip(candidates, rows, strict=True))
        self._tabled = len(known)

    def _encode(self, digests: Sequence[str]) -> Floats:
        assert self._table is not None  # made before the first model
        missing = [digest for digest in digests if digest not in self._rows]
        if missing:
            rows = self._table.encode([described(self._candidate(digest)) for digest in missing])
            self._rows.update(zip(missing, rows, strict=True))
        return np.array([self._rows[digest] for digest in digests])

    def _candidate(self, digest: str) -> Candidate:
        for known in (self._known, self._pool, self._running):
            if digest in known:
                return known[digest]
        raise AssertionError(f"the cell {digest} was never met")


def described(candidate: Candidate) -> dict[str, float]:
    """Return the traits of a candidate's cell, and which decisions it comes from."""
    decided = {f"decision: {key}={label}": 1.0 for key, label in (candidate.decisions or {}).items()}
    return {**traits(candidate.cell), **decided}
