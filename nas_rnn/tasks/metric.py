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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.plugins.judging import EARLIER_TASKS

Floats = NDArray[np.float64]

Statistics = Mapping[str, Floats]
"""By name: of N items, (N,) or (N, k); of a whole part, their totals, () or (k,)."""


@dataclass(frozen=True)
class Metric(ABC):
    """How results of a task are measured and when two of them count as equal.

    ``margin`` is the difference that does not matter: a fraction of the baseline where ``margin_kind`` is
    "relative" (0.01 is one per cent), else a number in the metric's own units. ``unit`` names these.
    """

    name: str
    unit: str
    direction: Literal["minimize", "maximize"]
    margin: float
    margin_kind: Literal["relative", "absolute"]

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
        count = float(totals[self.per or ITEMS])
        return float(totals[self.of]) / count if count else math.nan


ITEMS = "items"
"""The statistic that is 1 for every item: whoever adds items up puts it beside those that the model gives."""


def totals_of(statistics: Statistics) -> dict[str, Floats]:
    """Return the sums over N items of statistics (N,) or (N, k), with the number of `ITEMS` beside them."""
    count = len(next(iter(statistics.values()))) if statistics else 0
    sums = {name: np.asarray(np.sum(array, axis=0)) for name, array in statistics.items()}
    return {**sums, ITEMS: np.asarray(float(count))}
