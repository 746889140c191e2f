"""Two cells on the same seeds and items, on the scale on which their metric is compared.

Means over items are compared exactly, other metrics by `nas_rnn.comparison.corpus`. A metric that is compared by its
ratio has log(cell / baseline) there. It is shown in the metric's own units at the baseline's level L, the geometric
mean of its seeds: a log ratio of x as L (e^x - 1), so that the difference by L is the relative difference itself. A
margin of m (relative, or the absolute one by L) is log(1 - m) to log(1 + m) there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_rnn.comparison.corpus import TOO_FEW, corpus_interval
from nas_rnn.comparison.outcomes import Outcome, compared_by_ratio, level_of
from nas_rnn.comparison.plan import direction_sign
from nas_rnn.comparison.statistics import (
    Floats,
    Labels,
    PairedInterval,
    paired_interval,
    settings_of_seeds,
    settings_variance,
    widened,
)
from nas_rnn.errors import NasRnnError
from nas_rnn.tasks import Corpus, Mean, Metric

Pairs = Sequence[tuple[Outcome, Outcome]]


@dataclass(frozen=True)
class Contrast:
    """A difference to a baseline of ``level`` (in the metric's units), signed so that negative is better.

    ``interval`` is on the scale of the comparison, ``difference`` in the metric's units (NaN where there is none).
    Where there is no interval, ``refusal`` says why.
    """

    metric: Metric
    level: float
    difference: float
    interval: PairedInterval | None
    refusal: str = ""

    @property
    def ci95(self) -> tuple[float, float] | None:
        """The interval in the metric's units."""
        ends = None if self.interval is None else self.interval.ci95
        if ends is None:
            return None
        low, high = (_in_units(self.metric, end, self.level) for end in ends)
        return low, high

    @property
    def margin(self) -> tuple[float, float]:
        """How far equivalence reaches below and above zero, on the scale of the comparison."""
        own = self.metric.margin_at(self.level)
        if not compared_by_ratio(self.metric):
            return own, own
        share = own / self.level
        ends = (-math.log1p(-share) if share < 1 else math.inf), math.log1p(share)
        return ends if self.metric.direction == "minimize" else (ends[1], ends[0])

    @property
    def relative(self) -> float | None:
        """The difference by the baseline, where it is finite."""
        gap = self.metric.gap(self.level + direction_sign(self.metric) * self.difference, self.level)
        return gap if math.isfinite(gap) else None


def contrast(
    metric: Metric, pairs: Pairs, *, item: str = "item", alpha: float = 0.05, groups: Labels | None = None
) -> Contrast:
    """Return the difference of the first to the second of each pair of runs, all of which have finished.

    Raises NasRnnError when they were not measured on the same test items, or ``groups`` are those of others.
    """
    _require_same_items(metric, pairs, groups)
    sign, level = direction_sign(metric), level_of(metric, [other.figure for _, other in pairs])
    if isinstance(metric, Mean):
        weights_N = metric.items(pairs[0][0].statistics)[1]
        candidate_SN, baseline_SN = (
            sign * np.stack([metric.items(pair[place].statistics)[0] for pair in pairs]) for place in (0, 1)
        )
        interval = paired_interval(
            candidate_SN, baseline_SN, weights_N, item=item, alpha=alpha, groups=groups
        )
        return Contrast(metric, level, interval.difference, _widened(metric, interval, pairs, alpha))
    if not isinstance(metric, Corpus):
        raise TypeError(f"{metric.name} is neither a Mean nor a Corpus, so it cannot be compared")
    found = corpus_interval(
        metric,
        [run.statistics for run, _ in pairs],
        [other.statistics for _, other in pairs],
        sign=sign,
        item=item,
        alpha=alpha,
        groups=groups,
    )
    mean = float(np.mean([_step(metric, run.figure, other.figure) for run, other in pairs]))
    difference = _in_units(metric, sign * mean, level)
    if found.interval is not None and not found.problem:
        return Contrast(metric, level, difference, _widened(metric, found.interval, pairs, alpha))
    instead = f"; {metric.instead} can decide" if metric.instead else ""
    return Contrast(metric, level, difference, None, f"{TOO_FEW} ({found.problem}{instead})")


def seed_differences(
    metric: Metric, runs: Sequence[Outcome], baseline: Sequence[Outcome]
) -> tuple[float | None, ...]:
    """Return the signed difference of each pair, in the metric's units; None where one is missing."""
    known = [
        (run.figure, other.figure) if run.ending == other.ending == "finished" else None
        for run, other in zip(runs, baseline, strict=True)
    ]
    sign, levels = direction_sign(metric), [pair[1] for pair in known if pair is not None]
    level = level_of(metric, levels) if levels else math.nan
    steps = [
        None if pair is None else _in_units(metric, sign * _step(metric, *pair), level) for pair in known
    ]
    return tuple(None if step is None or not math.isfinite(step) else step for step in steps)


def _widened(metric: Metric, interval: PairedInterval, pairs: Pairs, alpha: float) -> PairedInterval:
    """Return an interval with what the choice of both cells' settings adds to it.

    That is how far the difference at the best settings lies from that at the second best. What both cells gain or lose
    by a setting is no difference between them.
    """
    steps = [_step(metric, run.figure, other.figure) for run, other in pairs]
    used = [(run.setting, other.setting) for run, other in pairs]
    groups = [used.index(settings) for settings in used]
    found = settings_variance(steps, groups)
    by_each = [len(set(settings)) > 1 for settings in zip(*used, strict=True)]
    covers = f"two settings of {'each' if all(by_each) else 'one'} cell"
    of_seeds = settings_of_seeds(steps, groups, alpha)
    return widened(interval, found, alpha, covers=covers, of_seeds=of_seeds)


def _step(metric: Metric, value: float, baseline: float) -> float:
    """Return the difference of two values on the scale of the comparison; NaN where that has no place for them."""
    if not compared_by_ratio(metric):
        return value - baseline
    return math.log(value / baseline) if value > 0 and baseline > 0 else math.nan


def _in_units(metric: Metric, difference: float, level: float) -> float:
    """Return a signed difference on the scale of the comparison in the metric's units, at ``level``."""
    if not compared_by_ratio(metric):
        return difference
    sign = direction_sign(metric)
    return sign * level * math.expm1(sign * difference)


def _require_same_items(metric: Metric, pairs: Pairs, groups: Labels | None) -> None:
    """Refuse runs whose items, or the items' weights, differ."""
    everyone = [run for pair in pairs for run in pair]
    first = everyone[0]
    weights_N = _weights(metric, first)
    for run in everyone[1:]:
        others_N = _weights(metric, run)
        if others_N.shape != weights_N.shape or not np.allclose(others_N, weights_N):
            raise NasRnnError(
                f"runs {first.id} and {run.id} were not measured on the same test items "
                f"({len(weights_N)} and {len(others_N)} items); paired runs need equal data"
            )
    if groups is not None and groups.shape != (len(weights_N),):
        raise NasRnnError(
            f"the task names groups of {len(groups)} test items, but {first.id} was measured on {len(weights_N)}"
        )


def _weights(metric: Metric, run: Outcome) -> Floats:
    """Return what must be equal in all runs: the items' weights (N,), or that there are N of them."""
    if isinstance(metric, Mean):
        return metric.items(run.statistics)[1]
    return np.ones(len(run.statistics[metric.statistics[0]]))
