"""Which settings of training to try for a cell: Optuna proposes them, the same way for every cell."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:  # takes a tenth of a second to import
    import optuna
    from optuna.distributions import FloatDistribution

SIGNIFICANT_DIGITS = 3

ZERO_SHARE = 0.15
"""The part of a range that stands for zero, where zero lies outside of it."""
EDGE_SHARE = 0.05
"""What lies nearer to an end than so much of the range lies at its edge."""

Setting = float | str
"""A number, or the name of a choice."""
Settings = dict[str, Setting]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Where the values of one setting lie: from ``low`` to ``high``, evenly, or evenly in the logarithm.

    With ``zero`` a value may also be 0, which the lowest part of the range stands for; ``whole`` values are whole
    numbers. The first proposals lie denser around ``near``.
    """

    low: float
    high: float
    log: bool = False
    zero: bool = False
    whole: bool = False
    near: float | None = None

    def value_at(self, place: float) -> float:
        """Return the value at a place from 0 to 1, rounded as people can read it, and within the range."""
        if self.zero:
            if place < ZERO_SHARE:
                return 0.0
            place = (place - ZERO_SHARE) / (1 - ZERO_SHARE)
        even = self.low + (self.high - self.low) * place
        value = self.low * (self.high / self.low) ** place if self.log else even
        return self.within(round(value) if self.whole else float(f"{value:.{SIGNIFICANT_DIGITS}g}"))

    def place_of(self, value: Setting) -> float:
        """Return where a value of the range lies, from 0 to 1."""
        assert not isinstance(value, str)
        if self.zero and value == 0:
            return ZERO_SHARE / 2
        if self.low == self.high:
            return 0.5
        if self.log:
            place = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            place = (value - self.low) / (self.high - self.low)
        place = min(max(place, 0.0), 1.0)
        return ZERO_SHARE + (1 - ZERO_SHARE) * place if self.zero else place

    def within(self, value: Setting) -> float:
        """Return ``value``, or the end of the range that lies nearest."""
        assert not isinstance(value, str)
        return value if self.zero and value == 0 else min(max(value, self.low), self.high)

    def edge(self, value: Setting) -> float | None:
        """Return the end of the range at whose edge ``value`` lies; None where it lies at none.

        A lower end is told only where there are values beyond it: beyond 0, and beyond a whole 1, there are none.
        """
        place = self.place_of(value)
        if place >= 1 - EDGE_SHARE:
            return self.high
        goes_on = not self.zero and self.low > (1 if self.whole else 0)
        return self.low if place <= EDGE_SHARE and goes_on else None

    def denser(self, place: float) -> float:
        """Return ``place`` moved towards that of ``near``: half of all come to lie within a quarter of either side."""
        if self.near is None:
            return place
        centre = self.place_of(self.within(self.near))
        side = 1 - centre if place >= centre else centre
        return centre + (place - centre) * abs(place - centre) / side if side else place


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a setting without order may be: each name stands for an equal part of a place from 0 to 1."""

    names: tuple[str, ...]

    def value_at(self, place: float) -> str:
        """As `Range.value_at`."""
        return self.names[min(int(place * len(self.names)), len(self.names) - 1)]

    def place_of(self, value: Setting) -> float:
        """As `Range.place_of`: the middle of the part."""
        return (self.names.index(str(value)) + 0.5) / len(self.names)

    def within(self, value: Setting) -> str:
        """Return ``value``, which is one of the names."""
        return str(value)

    def edge(self, value: Setting) -> None:
        """Return None: nothing lies beyond a name."""

    def denser(self, place: float) -> float:
        """Return ``place``: all names are tried alike."""
        return place


Where = Range | Choice


class SettingsStudy:
    """Proposes settings of ``ranges``, those that ``first`` has, for one cell.

    A proposal depends on its number and the losses of earlier ones, never on which run ended first: a study that was
    killed and resumed proposes what it would have proposed, whatever the number of workers. Number 0 is
    ``first``, the settings that were given; those below `START` are points of a scrambled Sobol sequence, denser around
    what is known to be sensible (`Range.near`), which are the same for every cell of one ``seed``, also where a cell
    does not use all settings. Later ones come in rounds of `ROUND` from a tree-structured Parzen estimator (Bergstra et
    al. 2011) that knows all rounds before.
    """

    START: ClassVar[int] = 8
    ROUND: ClassVar[int] = 4

    def __init__(self, ranges: Mapping[str, Where], first: Settings, *, seed: int) -> None:
        self._all = dict(ranges)
        self._used = {name: ranges[name] for name in ranges if name in first}
        self._first: Settings = {name: where.within(first[name]) for name, where in self._used.items()}
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
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():  # that samplers or their arguments are experimental
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if known == 0:
                sampler = optuna.samplers.QMCSampler(scramble=True, seed=self._seed)
                study, distributions = optuna.create_study(sampler=sampler), _places(self._all)
            else:
                study, distributions = self._tpe(told[:known]), _places(self._used)
            places = [study.ask(dict(distributions)) for _ in range(known, number + 1)][-1].params
        if known == 0:
            places = {name: range.denser(places[name]) for name, range in self._used.items()}
        return {name: range.value_at(places[name]) for name, range in self._used.items()}

    def _tpe(self, told: Sequence[tuple[Settings, float | None]]) -> optuna.Study:
        import optuna
        from optuna.trial import TrialState, create_trial

        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, constant_liar=True, seed=(self._seed + len(told)) % 2**32
        )
        study = optuna.create_study(sampler=sampler)
        for settings, loss in told:
            value = loss if loss is not None and math.isfinite(loss) else math.inf
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    params={name: range.place_of(settings[name]) for name, range in self._used.items()},
                    distributions=dict(_places(self._used)),
                    value=value,
                )
            )
        return study


def _places(ranges: Mapping[str, Where]) -> dict[str, FloatDistribution]:
    """Return what Optuna draws from, which knows places in the ranges and no values."""
    from optuna.distributions import FloatDistribution

    return {name: FloatDistribution(0.0, 1.0) for name in ranges}
