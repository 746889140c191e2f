"""When a run ends: when twice the training would gain too little, by its own curve, or when it has begun to lose.

The rule knows no length: it looks at the gains of the last two doublings of the training so far, so that a curve that
is stretched ends later by the same factor, and slow learners are not cut first. The curve a + b t^-c gains in its
next doubling what it gained in the last one times the ratio of the last two; that is what the rule expects of any,
but never less than of one with c = 1/2: real curves fall steeply first and then go on slowly for long.

It is a function of the recorded curve alone. docs/statistics.md has how often its promise holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Why = Literal["converged", "overfitted"]
MarginAt = Callable[[float], float]

LEAST_EPOCHS = 16
"""No curve is judged before: many stand still for some epochs, where symbols' frequencies alone lead, and then fall."""
WINDOW = 0.25
"""The share of the epochs so far of whose values the median is read: one bad epoch is no news."""
PATIENCE: dict[Why, float] = {"overfitted": 0.25, "converged": 0.5}
"""The share of the epochs so far (and at least three of them) over which each must hold all the time: a single look at
a noisy curve would find a lucky moment, and many curves stand still for a while and then fall again."""
LEAST_PATIENCE = 3
SHORTEST = 20
"""No run ends earlier: the least number of epochs of which `PATIENCE` has been judged."""
LEAST_RATIO = 2**-0.5
"""The least ratio of the gains of two doublings that is expected, that of c = 1/2."""
CHANCE = 2.0
"""So many standard deviations above the best are chance: where one validation item is more than the margin, all runs
would seem to lose."""
_ERROR_OF_MEDIAN = math.sqrt(math.pi / 2)  # of n normal values, times n ** 0.5, in their standard deviations
_MEDIAN_DEVIATION = 0.6745  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class End:
    """The epoch (counted from 1) after which a curve says that it is at its end, and why."""

    epoch: int
    why: Why


class Ending:
    """Reads a curve value by value, as a run goes on; ``end`` is where it ended, None as long as it has not.

    ``margin_at(value)`` is the difference that does not matter at a value. A value takes a pass over those before it.
    """

    def __init__(self, margin_at: MarginAt) -> None:
        self._margin_at = margin_at
        self._values = list[float]()
        self._smooth = list[float]()
        self._least = list[float]()  # the running best of the smoothed curve
        self._held: dict[Why, int] = dict.fromkeys(PATIENCE, 0)
        self.end: End | None = None

    def add(self, loss: float) -> None:
        """Take the validation value of the next epoch, less is better."""
        self._values.append(loss)
        if self.end is not None:
            return
        epoch = len(self._values)
        now = float(np.median(self._values[_before(epoch) :]))
        self._smooth.append(now)
        self._least.append(min(now, self._least[-1]) if self._least else now)
        if epoch < LEAST_EPOCHS:
            return
        least, noise = self._least[-1], noise_of(self._values)
        half = self._margin_at(least) / 2
        has_learned = self._smooth[0] - least >= half
        gains = self._expected_gain() > half + noise * _error_of_gain(epoch)
        found: dict[Why, bool] = {
            "overfitted": now - least > half + CHANCE * noise,
            "converged": has_learned and not gains,
        }
        for why, holds in found.items():
            self._held[why] = self._held[why] + 1 if holds else 0
            if self._held[why] >= max(LEAST_PATIENCE, math.ceil(PATIENCE[why] * epoch)):
                self.end = self.end or End(epoch, why)

    def _expected_gain(self) -> float:
        """Return what twice the epochs so far would gain: the last doubling's gain times the ratio of the last two.

        The ratio is at most 1, since a curve that has just begun to fall is not expected to fall faster and faster, and
        at least `LEAST_RATIO`: beside the steep fall of the first epochs all later gains are small. The first of the
        two doublings begins at the best so far: after a leap upwards in the first epochs the fall from it would count
        as a great gain, beside which all later ones are nothing.
        """
        epoch = len(self._smooth)
        now, half = self._smooth[-1], _at(self._smooth, epoch / 2)
        quarter = _at(self._least, epoch / 4)
        gain, before = half - now, quarter - half
        return gain * min(1.0, max(LEAST_RATIO, gain / before)) if gain > 0 and before > 0 else gain


def end_of(losses: Sequence[float], margin_at: MarginAt) -> End | None:
    """Return where the curve ends, None as long as it does not.

    ``losses`` (T,) are validation values of averaged weights, one an epoch, less is better; ``margin_at(value)`` is the
    difference that does not matter at a value. The curve has *converged* when it has gained half of that at least, and
    twice the training would not gain as much again, that gain's standard error aside; what has not begun to fall may
    do so yet. It has *overfitted* when the median of the latest values lies more than that half, and more than chance,
    above the best.
    """
    ending = Ending(margin_at)
    for loss in losses:
        ending.add(loss)
    return ending.end


def noise_of(values: Sequence[float]) -> float:
    """Return the standard deviation of single values about the curve, outliers aside.

    It is read from second differences, in which a slope is nothing.
    """
    return float(np.median(np.abs(np.diff(values, n=2)))) / (_MEDIAN_DEVIATION * math.sqrt(6))


def _error_of_gain(epoch: int) -> float:
    """Return the standard error of the difference of the two medians of a gain, in deviations of a single value."""
    return _ERROR_OF_MEDIAN * math.sqrt((1 + 2) / (WINDOW * epoch))


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return at each epoch the median over the last `WINDOW` of the epochs so far."""
    return np.array([np.median(values[_before(end) : end]) for end in _epochs(len(values))])


def window_middles(epochs: int) -> NDArray[np.float64]:
    """Return which epoch, counted from 1, lies in the middle of each value of `smoothed`: what that stands for."""
    return np.array([(_before(end) + 1 + end) / 2 for end in _epochs(epochs)])


def _epochs(count: int) -> range:
    return range(1, count + 1)


def _before(epoch: int) -> int:
    """Return how many epochs lie before the window that ends with this one."""
    return math.floor(epoch * (1 - WINDOW))


def _at(values: Sequence[float], epoch: float) -> float:
    """Return the curve at a time between two epochs, on the straight line between them; not before the first."""
    place = max(0.0, epoch - 1)
    first = math.floor(place)
    last = min(first + 1, len(values) - 1)
    return values[first] + (place - first) * (values[last] - values[first])
