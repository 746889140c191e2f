"""Optuna's NSGA-II as what it is at heart: it says who the parents of the next candidate are."""

from __future__ import annotations

import optuna
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial


class Generations(NSGAIISampler):
    """Puts trials into generations; ``parents`` are those of the trial that was asked for last, none in the first one.

    Trials need no parameters. Optuna would cross those that all trials have, and draw all others anew: in a space of
    conditional decisions most of them.
    """

    def __init__(self, population: int, seed: int) -> None:
        super().__init__(population_size=population, seed=seed % 2**32)
        self.parents: list[FrozenTrial] = []

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        super().before_trial(study, trial)
        self.parents = self.get_parent_population(study, self.get_trial_generation(study, trial))
