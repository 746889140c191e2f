"""A space's choices as Optuna knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas_rnn.spaces import Choice, Label

if TYPE_CHECKING:  # takes a tenth of a second to import
    import optuna
    from optuna.distributions import BaseDistribution


def distribution_of(choice: Choice) -> BaseDistribution:
    """Return the numbers of an ordered choice, or the labels of any other, as what Optuna samples from."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if not choice.ordered:
        return CategoricalDistribution(choice.labels)
    numbers = sorted(int(label) for label in choice.labels)
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    return IntDistribution(numbers[0], numbers[-1], step=step)


def suggested(trial: optuna.Trial, choice: Choice) -> Label:
    """Return how ``trial`` answers ``choice``."""
    from optuna.distributions import IntDistribution

    distribution = distribution_of(choice)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(choice.key, distribution.low, distribution.high, step=distribution.step)
    # Optuna types what it returns more widely than what it was given.
    return choice.labels[choice.labels.index(trial.suggest_categorical(choice.key, choice.labels))]
