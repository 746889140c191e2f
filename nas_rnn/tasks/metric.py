"""Metrics: from what adds up over items to one figure, and when two figures count as equal.

A model gives each item's *statistics* (`nas_rnn.tasks.model`), sums that add up over items: nats and characters,
hits and pictures, matches and lengths. A metric says which of them it needs, and what their totals come to. Knows no
torch: judging results needs none.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.plugins.judging import EARLIER_TASKS

Floats = NDArray[np.float64]

Statistics = Mapping[str, Floats]
"""By name: of N items, (N,) or (N, k); of a whole part, their totals, () or (k,)."""


@dataclass(frozen=True)
class Quantity:
    """What a figure is measured in, and when two of them count as equal: all of a metric but how it is computed.

    ``margin`` is the difference that does not matter: a fraction of the baseline where ``margin_kind`` is
    "relative" (0.01 is one per cent), else a number in the metric's own units. ``unit`` names these.
    """

    name: str
    unit: str
    direction: Literal["minimize", "maximize"]
    margin: float
    margin_kind: Literal["relative", "absolute"]

    def better(self, a: float, b: float) -> bool:
        """Return whether ``a`` is strictly better than ``b``; a NaN is worse than every number."""
        if math.isnan(a) or math.isnan(b):
            return math.isnan(b) and not math.isnan(a)
        return a < b if self.direction == "minimize" else a > b

    def margin_at(self, baseline: float) -> float:
        """Return the margin in the metric's own units, for a baseline that measured ``baseline``."""
        return self.margin * abs(baseline) if self.margin_kind == "relative" else self.margin

    def gap(self, value: float, baseline: float) -> float:
        """Return the relative difference of ``value`` to ``baseline``; negative is always better.

        At a baseline of 0 it is 0 for an equal value and infinite for any other.
        """
        difference = value - baseline if self.direction == "minimize" else baseline - value
        if baseline == 0.0:
            return 0.0 if difference == 0.0 else math.copysign(math.inf, difference)
        return difference / abs(baseline)


@dataclass(frozen=True)
class Metric(Quantity, ABC):
    """How results of a task are measured: the figure of a part from sums over its items."""

    def __new__(cls, *stated: object, **named: object) -> Metric:
        """Say what has changed, where a task still states a plain `Metric`."""
        if cls is Metric:
            raise UserError(f"a metric is a Mean(...) or a subclass of Metric; {EARLIER_TASKS}")
        return super().__new__(cls)

    @property
    @abstractmethod
    def statistics(self) -> tuple[str, ...]:
        """The names of the statistics that the metric is computed from."""

    @abstractmethod
    def value(self, totals: Statistics) -> float:
        """Return the metric of a part, from the sums of its items' statistics: () or (k,) each."""


@dataclass(frozen=True)
class Mean(Metric):
    """A mean over items: the sum of statistic ``of`` by the sum of statistic ``per``; without one, by items.

    Means are compared exactly: an item's value is its ``of`` by its ``per``, which is also its weight.
    """

    of: str = "value"
    per: str | None = None

    @property
    def statistics(self) -> tuple[str, ...]:
        return (self.of,) if self.per is None else (self.of, self.per)

    def value(self, totals: Statistics) -> float:
        """Return the mean; NaN where nothing was counted. ``ITEMS`` counts the items."""
        of, per = self._names(totals)
        count = float(totals[per])
        return float(totals[of]) / count if count else math.nan

    def items(self, statistics: Statistics) -> tuple[Floats, Floats]:
        """Return the value and the weight of each of N items, (N,) both; without weight a value is 0."""
        of, per = self._names(statistics)
        of_N = np.asarray(statistics[of], dtype=np.float64)
        if per == ITEMS:
            return of_N, np.ones_like(of_N)
        weight_N = np.asarray(statistics[per], dtype=np.float64)
        seen_N = weight_N != 0
        return np.divide(of_N, weight_N, out=np.zeros_like(of_N), where=seen_N), weight_N

    def _names(self, given: Statistics) -> tuple[str, str]:
        """Return the statistics to divide: those of `EARLIER`, where they are what is given."""
        return EARLIER if EARLIER[0] in given else (self.of, self.per or ITEMS)


@dataclass(frozen=True)
class Corpus(Metric):
    """A metric of a whole part that is no mean over items: F1, BLEU, a root, an exponential.

    A subclass gives `statistics` and `value`, and says when too few test items were seen to compare by it:

    - ``counts``: statistics that count what stands in a logarithm or a denominator; each total must be 30 or more;
    - ``class_items``: a statistic (k,) that is above zero where a test item has something of the class; each of the k
      classes must be in 10 items or more;
    - ``logarithmic``: whether two values are compared by their ratio. Then their difference is that of logarithms,
      and a mean over seeds is the geometric one. It needs values above zero.

    ``instead`` names the metric of the task that can decide where this one cannot. `nas_rnn.comparison.corpus` has
    the method. `value` may depend on the totals' proportions alone, not on how many items they were summed over.
    """

    instead: str = ""

    logarithmic: ClassVar[bool] = False

    @property
    def counts(self) -> tuple[str, ...]:
        return ()

    @property
    def class_items(self) -> str | None:
        return None

    def steps(self, totals: Statistics) -> Floats | None:
        """Return what another answer to one item of each of the k ``class_items`` changes, (k,); by default None.

        It matters to metrics of right and wrong answers, of which a few items may show no difference by chance.
        """
        return None

    def gradient(self, totals: Statistics) -> dict[str, Floats]:
        """Return the derivative of `value` by each total, () or (k,) as they are.

        By default central differences, right to about ten digits for a smooth metric; with a step of cbrt(2^-52) of
        the total, where rounding and curvature weigh alike (Nocedal & Wright, *Numerical Optimization*, 2006, 8.1).
        """
        return {name: self._slopes(totals, name) for name in self.statistics}

    def _slopes(self, totals: Statistics, name: str) -> Floats:
        total = np.asarray(totals[name], dtype=np.float64)
        slopes, largest = np.empty(total.size), float(np.abs(total).max(initial=0.0)) or 1.0
        for place, size in enumerate(np.abs(total).ravel()):
            step = np.zeros(total.size)
            step[place] = np.cbrt(np.finfo(np.float64).eps) * (size or largest)
            moved = step.reshape(total.shape)
            above, below = total + moved, total - moved
            width = (above - below).ravel()[place]  # as rounded, not as wanted
            slopes[place] = (
                self.value({**totals, name: above}) - self.value({**totals, name: below})
            ) / width
        return slopes.reshape(total.shape)


ITEMS = "items"
"""The statistic that is 1 for every item: whoever adds items up puts it beside those that the model gives."""

EARLIER = ("value times weight", "weight of a value")
"""Statistics of runs from when tasks gave items' values in the metric's units, and their weights: any `Mean` is
their quotient. No task has these names."""


def totals_of(statistics: Statistics) -> dict[str, Floats]:
    """Return the sums over N items of statistics (N,) or (N, k), with the number of `ITEMS` beside them."""
    return {name: np.asarray(np.sum(array, axis=0)) for name, array in with_items(statistics).items()}


def with_items(statistics: Statistics) -> dict[str, Floats]:
    """Return statistics of N items with `ITEMS` beside them: (N,) ones."""
    count = len(next(iter(statistics.values()))) if statistics else 0
    return {**statistics, ITEMS: np.ones(count)}


def figure_of(metric: Metric, statistics: Statistics) -> float | None:
    """Return a part's metric from each item's statistics; None where they are those of another metric."""
    known = EARLIER if isinstance(metric, Mean) and EARLIER[0] in statistics else metric.statistics
    totals = totals_of(statistics)
    return metric.value(totals) if all(name in totals for name in known) else None
