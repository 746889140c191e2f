"""NSGA-II (Deb et al. 2002), for several objectives: Optuna's generations, a space's own mutations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nas_rnn.spaces import Candidate, DecisionSpace, Space
from nas_rnn.strategies.base import ParetoStrategy
from nas_rnn.strategies.mutation import mutation_of
from nas_rnn.strategies.seen_cells import SeenCells

if TYPE_CHECKING:  # takes a tenth of a second to import
    import optuna

    from nas_rnn.strategies.generations import Generations


class NSGA2(ParetoStrategy):
    """Mutates the candidates that the fewest others dominate, spread over the front; some are crossed before.

    A generation is made of candidates that were told of with losses; those that diverged or failed have no children. Of
    a generation and its parents the first fronts become parents, the last of them thinned where it is crowded. The
    Optuna study that knows them lives in memory, and comes back when earlier trials are told after a resume.
    """

    name = "nsga2"
    summary = "for several objectives: mutates what no other beats in all of them (Optuna's NSGA-II)"

    population: ClassVar[int] = 5
    """How many make a generation, the first of them random, and how many its parents.

    Few, as a search may have 24 trials in all: on ``benchmarks/several_objectives.py`` with 10 it was no better after
    60 trials than random search.
    """
    crossover: ClassVar[float] = 0.5
    """How often a child has two parents before it is mutated, in a space of decisions."""
    attempts: ClassVar[int] = 20
    """How many children of known cells in a row make the next candidate a random one."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self._mutate = mutation_of(space, self.name)
        self._rng = np.random.default_rng(seed)
        self._unseen = SeenCells(space, seed)
        self._study: optuna.Study | None = None  # made when it is known how many objectives there are
        self._sampler: Generations | None = None
        self._running: dict[str, optuna.Trial] = {}
        self._members: dict[int, Candidate] = {}
        self._told: set[str] = set()

    def ask(self) -> Candidate:
        if self._study is None or self._sampler is None:
            return self._unseen.draw()
        trial = self._study.ask()
        for _ in range(self.attempts if self._sampler.parents else 0):
            child = self._child(self._sampler)
            if child is not None and self._unseen.add(child):
                self._running[child.digest] = trial
                return child
        self._fail(self._study, trial)
        return self._unseen.draw()

    def _child(self, sampler: Generations) -> Candidate | None:
        parent = self._parent(sampler)
        if isinstance(self.space, DecisionSpace) and self._rng.random() < self.crossover:
            other = self._parent(sampler)
            if parent.decisions is not None and other.decisions is not None:  # else one came from elsewhere
                parent = self.space.crossover(parent, other, self._rng)
        return self._mutate(parent, self._rng)

    def _parent(self, sampler: Generations) -> Candidate:
        """Return the first of two parents that were drawn, unless the other one dominates it."""
        drawn = self._rng.integers(len(sampler.parents), size=2)
        one, other = (sampler.parents[int(index)] for index in drawn)
        pairs = list(zip(other.values, one.values, strict=True))
        beaten = all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
        return self._members[(other if beaten else one).number]

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)

    def tell_all(self, candidate: Candidate, losses: tuple[float, ...] | None) -> None:
        self._unseen.add(candidate)
        trial = self._running.pop(candidate.digest, None)
        if losses is None or not all(map(math.isfinite, losses)):
            if trial is not None and self._study is not None:
                self._fail(self._study, trial)
            return
        if candidate.digest in self._told:  # twice the same cell would leave less room for others
            return
        if self._study is None:
            self._study, self._sampler = self._begin(len(losses))
        trial = trial or self._study.ask()
        self._members[trial.number] = candidate
        self._told.add(candidate.digest)
        self._study.tell(trial, list(losses))

    def _begin(self, objectives: int) -> tuple[optuna.Study, Generations]:
        import optuna

        from nas_rnn.strategies.generations import Generations

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = Generations(self.population, self.seed)
        pruner = optuna.pruners.NopPruner()
        study = optuna.create_study(sampler=sampler, pruner=pruner, directions=["minimize"] * objectives)
        return study, sampler

    def _fail(self, study: optuna.Study, trial: optuna.Trial) -> None:
        """End a trial that is to have no children."""
        from optuna.trial import TrialState

        study.tell(trial, state=TrialState.FAIL)
