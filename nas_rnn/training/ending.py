"""When a run ends: when twice the training would gain too little, by its own curve, or when it has begun to lose.

The rule knows no length: it looks at the gains of the last two doublings of the training so far, so that a curve that
is stretched ends later by the same factor, and slow learners are not cut first. The curve a + b t^-c gains in its
next doubling what it gained in the last one times the ratio of the last two; that is what the rule expects of any.

It is a function of the recorded curve alone. docs/statistics.md has how often its promise holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LEAST_EPOCHS = 16
"""No curve is judged before: many stand still for some epochs, where symbols' frequencies alone lead, and then fall."""
WINDOW = 0.25
"""The share of the epochs so far of whose values the median is read: one bad epoch is no news."""
PATIENCE = 0.25
"""The share of the epochs so far (and at least three of them) over which the rule must hold all the time: a single
look at a noisy curve would find a lucky moment."""
LEAST_PATIENCE = 3
CHANCE = 2.0
"""So many standard deviations above the best are chance: where one validation item is more than the margin, all runs
would seem to lose."""
_MEDIAN_DEVIATION = 0.6745  # of a normal distribution, in standard deviations

Why = Literal["converged", "overfitted"]


@dataclass(frozen=True)
class End:
    """The epoch (counted from 1) after which a curve says that it is at its end, and why."""

    epoch: int
    why: Why


def end_of(losses: Sequence[float], margin_at: Callable[[float], float]) -> End | None:
    """Return where the curve ends, None as long as it does not.

    ``losses`` (T,) are validation values of averaged weights, one an epoch, less is better; ``margin_at(value)`` is the
    difference that does not matter at a value. The curve has *converged* when it has gained half of that at least, and
    twice the training would not gain as much again; what has not begun to fall may do so yet. It has *overfitted* when
    the median of the latest values lies more than that half, and more than chance, above the best.
    """
    values = np.asarray(losses, dtype=np.float64)
    smooth = smoothed(values)
    held = {"converged": 0, "overfitted": 0}
    for epoch in range(LEAST_EPOCHS, len(values) + 1):
        now, least = smooth[epoch - 1], smooth[:epoch].min()
        half = margin_at(float(least)) / 2
        lost = now - least > half + CHANCE * noise_of(values[:epoch])
        held["overfitted"] = held["overfitted"] + 1 if lost else 0
        has_learned = smooth[0] - least >= half
        held["converged"] = (
            held["converged"] + 1 if has_learned and expected_gain(smooth, epoch) <= half else 0
        )
        patience = max(LEAST_PATIENCE, math.ceil(PATIENCE * epoch))
        if held["overfitted"] >= patience:
            return End(epoch, "overfitted")
        if held["converged"] >= patience:
            return End(epoch, "converged")
    return None


def noise_of(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of single values about the curve, outliers aside.

    It is read from second differences, in which a slope is nothing.
    """
    return float(np.median(np.abs(np.diff(values, n=2)))) / (_MEDIAN_DEVIATION * math.sqrt(6))


def expected_gain(smooth: NDArray[np.float64], epoch: int) -> float:
    """Return what epochs ``epoch`` to 2 ``epoch`` would gain: the last doubling's gain times the ratio of the last two.

    The ratio is at most 1: a curve that has just begun to fall is not expected to fall faster and faster. The first of
    the two doublings begins at the best so far: after a leap upwards in the first epochs the fall from it would count
    as a great gain, beside which all later ones are nothing.
    """
    now, half = _at(smooth, epoch), _at(smooth, epoch / 2)
    quarter = _at(np.minimum.accumulate(smooth), epoch / 4)
    gain, before = half - now, quarter - half
    return gain * min(1.0, gain / before) if gain > 0 and before > 0 else gain


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return at each epoch the median over the last `WINDOW` of the epochs so far."""
    return np.array([np.median(values[before:end]) for before, end in _windows(len(values))])


def window_middles(epochs: int) -> NDArray[np.float64]:
    """Return which epoch, counted from 1, lies in the middle of each value of `smoothed`: what that stands for."""
    return np.array([(before + 1 + end) / 2 for before, end in _windows(epochs)])


def _windows(epochs: int) -> list[tuple[int, int]]:
    """Return for each epoch how many lie before its window, and its own number."""
    return [(math.floor(end * (1 - WINDOW)), end) for end in range(1, epochs + 1)]


def _at(values: NDArray[np.float64], epoch: float) -> float:
    """Return the curve at a time between two epochs, on the straight line between them."""
    return float(np.interp(epoch, np.arange(1, len(values) + 1), values))
