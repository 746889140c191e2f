"""Optuna's NSGA-II with children of conditional decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial


class CrossingSampler(NSGAIISampler):
    """Makes a child of two parents, each the better of two drawn; it has every decision from whoever has it.

    Optuna itself crosses only decisions that all trials made, and draws all others anew: in a space of conditional
    decisions most of them. Generations, and who of them become parents, are Optuna's. All objectives are minimised.
    """

    crossover = 0.9
    """How often a child has two parents; otherwise it is one parent, mutated."""

    def __init__(self, population: int, seed: int) -> None:
        super().__init__(population_size=population, seed=seed % 2**32)
        self._random = np.random.default_rng(seed)
        self._inherited: dict[str, Any] = {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Decide what the trial inherits; `sample_independent` hands it out, as the trial asks."""
        parents = self.get_parent_population(study, self.get_trial_generation(study, trial))
        self._inherited = self._child(parents) if parents else {}
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return what was inherited; what was mutated, or nobody decided before, is drawn."""
        if param_name in self._inherited:
            return self._inherited[param_name]
        return super().sample_independent(study, trial, param_name, param_distribution)

    def _child(self, parents: Sequence[FrozenTrial]) -> dict[str, Any]:
        one = self._parent(parents).params
        other = self._parent(parents).params if self._random.random() < self.crossover else one
        mixed = {}
        for name in {**one, **other}:
            known = [params[name] for params in (one, other) if name in params]
            mixed[name] = known[int(self._random.integers(len(known)))]
        # One decision of a child changes on average (Deb et al. 2002).
        kept = self._random.random(len(mixed)) >= 1 / max(1, len(mixed))
        return {name: value for (name, value), keep in zip(mixed.items(), kept, strict=True) if keep}

    def _parent(self, parents: Sequence[FrozenTrial]) -> FrozenTrial:
        """Return the first of two that were drawn, unless the other one dominates it."""
        one, other = (parents[int(self._random.integers(len(parents)))] for _ in range(2))
        pairs = list(zip(other.values, one.values, strict=True))
        return other if all(a <= b for a, b in pairs) and any(a < b for a, b in pairs) else one
