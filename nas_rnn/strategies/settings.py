"""Which settings of training to try for a cell: Optuna proposes them, the same way for every cell."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

SIGNIFICANT_DIGITS = 3

Settings = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Where the values of one setting lie: from ``low`` to ``high``, evenly, or evenly in the logarithm."""

    low: float
    high: float
    log: bool = False


class SettingsStudy:
    """Proposes settings of ``ranges``, those that ``first`` has, for one cell.

    A proposal depends on its number and the losses of earlier ones, never on which run ended first: a study that was
    killed and resumed proposes what it would have proposed, whatever the number of workers. Number 0 is
    ``first``, the settings that were given; those below `START` are points of a scrambled Sobol sequence, which is
    the same for every cell of one ``seed``, also where a cell does not use all settings. Later ones come in rounds of
    `ROUND` from a tree-structured Parzen estimator (Bergstra et al. 2011) that knows all rounds before.
    """

    START: ClassVar[int] = 8
    ROUND: ClassVar[int] = 4

    def __init__(self, ranges: Mapping[str, Range], first: Settings, *, seed: int) -> None:
        self._all = {name: FloatDistribution(r.low, r.high, log=r.log) for name, r in ranges.items()}
        self._used = {name: self._all[name] for name in ranges if name in first}
        self._first = {name: _within(first[name], ranges[name]) for name in self._used}
        self._seed = seed

    @classmethod
    def needs(cls, number: int) -> int:
        """Return how many settings, from number 0 on, must have been measured before ``number`` is proposed."""
        return 0 if number < cls.START else cls.START + (number - cls.START) // cls.ROUND * cls.ROUND

    def propose(self, number: int, told: Sequence[tuple[Settings, float | None]]) -> Settings:
        """Return the settings of this number; ``told`` has settings and losses from number 0 on (None: diverged).

        Raises ValueError where fewer are told than `needs` says; more make no difference.
        """
        known = self.needs(number)
        if len(told) < known:
            raise ValueError(f"settings {number} need the losses of {known} earlier ones, got {len(told)}")
        if number == 0:
            return dict(self._first)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():  # that samplers or their arguments are experimental
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if known == 0:
                sampler = optuna.samplers.QMCSampler(scramble=True, seed=self._seed)
                study, distributions = optuna.create_study(sampler=sampler), self._all
            else:
                study, distributions = self._tpe(told[:known]), self._used
            asked = [study.ask(dict(distributions)) for _ in range(known, number + 1)]
        return {name: self._rounded(name, asked[-1].params[name]) for name in self._used}

    def _rounded(self, name: str, value: float) -> float:
        """Return ``value`` as people can read it, and within its range."""
        range = self._used[name]
        return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), range.low), range.high)

    def _tpe(self, told: Sequence[tuple[Settings, float | None]]) -> optuna.Study:
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, constant_liar=True, seed=(self._seed + len(told)) % 2**32
        )
        study = optuna.create_study(sampler=sampler)
        for settings, loss in told:
            value = loss if loss is not None and math.isfinite(loss) else math.inf
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    params=settings,
                    distributions=dict(self._used),
                    value=value,
                )
            )
        return study


def _within(value: float, range: Range) -> float:
    return min(max(value, range.low), range.high)
