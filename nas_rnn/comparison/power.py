"""How likely a comparison is to be decided: for a known effect, and after more seeds.

Under the model of `nas_rnn.comparison.statistics` with normal parts, the mean difference D and the two
estimates of its variance, V_seed and V_item, are independent (the mean squares of a balanced two-way
layout): V_seed is its expectation times chi2 / df with S - 1, V_item with B - 1 degrees of freedom. Given
both, the interval's half width is fixed and D is normal. So the chance of a verdict is a mean over the
quantiles of two chi-square variables of a normal probability: no approximation but the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from nas_rnn.comparison.statistics import PairedInterval, satterthwaite

PROMISED = 0.8
"""The chance with which the number of seeds asked for decides a comparison."""

MANY_SEEDS = 1 << 20
"""As many seeds as make no difference any more."""

_MIDPOINTS = (np.arange(32) + 0.5) / 32

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The variances of one comparison, in the squared units of the difference.

    ``seed`` is that of the mean of one pair of seeds over all items, which holds ``rest``, the share that
    belongs to neither seeds nor items; ``item`` is what the choice of the items gives the mean of very many
    seeds, None where a single item leaves it out. ``item_freedom`` are the degrees of freedom of its
    estimate. ``settings`` is that of the choice of settings, which stays whatever the number of seeds;
    ``settings_seed`` by the number of seeds is what they add to its estimate.
    """

    seed: float
    item: float | None
    rest: float
    item_freedom: float
    settings: float = 0.0
    settings_seed: float = 0.0

    @classmethod
    def seen(cls, interval: PairedInterval) -> Spread | None:
        """Return the spread that an interval saw; None where there was one seed alone."""
        if interval.seed_variance is None:
            return None
        item = interval.item_variance
        return cls(
            seed=interval.seed_variance * interval.seeds,
            item=None if item is None else max(0.0, item - interval.rest_variance / interval.seeds),
            rest=interval.rest_variance,
            item_freedom=interval.item_freedom,
            settings=max(0.0, interval.settings_variance - interval.settings_by_seeds),
            settings_seed=interval.settings_by_seeds * interval.seeds,
        )


@dataclass(frozen=True, kw_only=True)
class Levels:
    """What decides: alpha of a difference, alpha of equivalence (half of it a side), and the margin."""

    difference: float
    equivalence: float
    margin: float


def power(effect: float, spread: Spread, seeds: int, levels: Levels, *, same_items: bool = False) -> float:
    """Return the chance that ``seeds`` pairs of seeds, 2 or more, decide a true difference of ``effect``.

    Decided means that it is called equivalent, or better or worse. The test items vary with the chances, as
    if each comparison drew its own; with ``same_items``, ``effect`` is that on the very items at hand, and
    only the seeds vary.
    """
    parts = [(spread.seed / seeds * _chi_square(seeds - 1)[:, None], seeds - 1.0)]
    true = spread.seed / seeds
    if spread.item is not None:
        expected = spread.item + spread.rest / seeds
        parts.append((expected * _chi_square(spread.item_freedom)[None, :], spread.item_freedom))
        true += 0.0 if same_items else spread.item
    true += 0.0 if same_items else spread.settings
    freedom = satterthwaite(parts)
    settings = spread.settings + spread.settings_seed / seeds
    error = np.sqrt(sum(variance for variance, _ in parts) + settings)
    half = error * scipy.special.stdtrit(freedom, 1 - levels.difference / 2)
    reach = levels.margin - error * scipy.special.stdtrit(freedom, 1 - levels.equivalence / 2)
    deviation = math.sqrt(true)
    below = _normal(-half, effect, deviation)
    above = 1 - _normal(half, effect, deviation)
    # Called equivalent within -reach .. reach; what of that lies beyond half was counted already.
    inner = np.minimum(reach, half)
    within = np.where(reach >= 0, _normal(inner, effect, deviation) - _normal(-inner, effect, deviation), 0)
    return float(np.mean(below + above + within))


def more_seeds(interval: PairedInterval, levels: Levels) -> int | None:
    """Return how many more pairs of seeds decide a comparison with a chance of `PROMISED`, or None.

    It takes the difference and the spread to be what they look like, and keeps the test items. None where no
    number does, and where a single pair of seeds shows no spread between seeds.
    """
    spread, seeds = Spread.seen(interval), interval.seeds
    if spread is None:
        return None

    def decides(count: int) -> bool:
        return power(interval.difference, spread, count, levels, same_items=True) >= PROMISED

    if not decides(MANY_SEEDS):
        return None
    low, high = seeds, 2 * seeds
    while not decides(high):
        low, high = high, min(2 * high, MANY_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high - seeds


def hopeless(interval: PairedInterval, levels: Levels) -> Literal["", "items", "settings"]:
    """Return what it is for which no number of seeds can decide a comparison, "" where one may.

    That is so where the interval of infinitely many seeds would neither exclude zero nor lie within the
    margin, even if the difference went to whichever end of its interval over seeds alone suits best: for the test
    items alone, or for them and what the choice of settings adds where seeds made as much of it as they may.
    """
    spread = Spread.seen(interval)
    if spread is None or interval.seed_variance is None:
        return ""
    items = spread.item or 0.0
    if spread.item is not None and _never_decides(interval, items, spread.item_freedom, levels):
        return "items"
    freedom = spread.item_freedom if items else math.inf
    least = interval.settings_least
    if least and _never_decides(interval, items + least, freedom, levels):
        return "settings"
    return ""


def _never_decides(interval: PairedInterval, variance: float, freedom: float, levels: Levels) -> bool:
    """Whether an interval of this variance decides nothing, wherever more seeds may move the difference."""
    half, reach, own = (
        float(scipy.special.stdtrit(free, 1 - level / 2))
        for free, level in (
            (freedom, levels.difference),
            (freedom, levels.equivalence),
            (interval.seeds - 1, levels.difference),
        )
    )
    error, move = math.sqrt(variance), own * math.sqrt(interval.seed_variance or 0.0)
    distance = abs(interval.difference)
    return distance + move <= half * error and max(0.0, distance - move) > levels.margin - reach * error


def _chi_square(freedom: float) -> Floats:
    """Return a chi-square variable over its degrees of freedom, at the midpoints of equal shares."""
    return np.asarray(2 * scipy.special.gammaincinv(freedom / 2, _MIDPOINTS) / freedom)


def _normal(value: Floats, mean: float, deviation: float) -> Floats:
    """Return the chance of a normal variable to be at most ``value``; without spread it is its mean."""
    if deviation == 0.0:
        return np.asarray(value >= mean, dtype=np.float64)
    return np.asarray(scipy.special.ndtr((value - mean) / deviation))
