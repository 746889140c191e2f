"""How fast a cell learns: when its validation curve first comes to where the baseline's ends.

It is a second answer beside the verdict, from validation data alone. The curves are smoothed as those by which runs end
(`nas_rnn.training.ending`), with each value in the middle of its window: a window that is a share of the epochs so far
treats a curve and the same one stretched alike, and one that looked back would put late crossings later still.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np
import scipy
from numpy.typing import NDArray

from nas_rnn.comparison.plan import FinalPlan, Planned, direction_sign
from nas_rnn.comparison.result import Comparison, ContenderRow, Interval, LearningSpeed
from nas_rnn.comparison.scope import within
from nas_rnn.tasks import Metric
from nas_rnn.training import EpochRecord, RunResult
from nas_rnn.training.ending import smoothed, window_middles

LEAST_PAIRS = 5
"""An interval from fewer would rest on a spread that nobody knows."""


MOST_SPREAD = 0.6
"""Where the ends of a cell's runs differ by a larger standard deviation, in margins, those that come to the level are a
choice of runs that happen to end low, and the ratio speaks of the choice."""


@dataclass(frozen=True)
class Crossing:
    """How many targets a run had learned from when its curve first came to a level.

    ``at_once``: it was there after its first epoch already, so that it may have been fewer.
    """

    targets: float
    at_once: bool = False


def crossing(records: Sequence[EpochRecord], level: float, sign: int) -> Crossing | None:
    """Return when the smoothed curve of ``records`` first comes to ``level``, None where it never does.

    Less is better where ``sign`` is 1, more where it is -1. Between two epochs both the curve and the targets are taken
    to go straight. The first crossing of a curve is that of the best so far as well.
    """
    if not records:
        return None
    values, places = _smooth(records, sign)
    there = np.flatnonzero(values <= sign * level)
    if not there.size:
        return None
    after = int(there[0])
    if after == 0:
        return Crossing(float(records[0].targets), at_once=True)
    share = (values[after - 1] - sign * level) / (values[after - 1] - values[after])
    return Crossing(float(places[after - 1] + share * (places[after] - places[after - 1])))


def with_learning_speeds(
    comparison: Comparison, metric: Metric, plan: FinalPlan, results: Mapping[str, RunResult]
) -> Comparison:
    """Return ``comparison`` with the learning speed of every contender in the monitor ``metric``, without seconds.

    Controls have none. There is none at all where the learning rate decays over the run, since curves then show its
    schedule, nor where no run of the baseline came to its end.
    """
    if any(planned.entry.training.decay != "none" for planned in (plan.baseline, *plan.contenders)):
        return comparison
    sign = direction_sign(metric)
    bests = [_smooth(found.epochs, sign)[0].min() for found in _usable(plan.baseline, results)]
    if not bests:
        return comparison
    plateau = sign * fmean(bests)
    usual = LearningSpeed(
        metric=metric.name,
        unit=metric.unit,
        plateau=plateau,
        level=plateau + sign * metric.margin_at(plateau),
        within=within(comparison.baseline),
        targets=(),
        baseline_targets=(),
    )
    asked = [planned for planned in plan.contenders if planned.entry.asked]
    rows = [
        replace(row, learning_speed=_speed(usual, plan.baseline, planned, results, sign))
        for row, planned in zip(comparison.contenders, asked, strict=True)
    ]
    return replace(comparison, contenders=tuple(rows))


def with_seconds(row: ContenderRow, own: float, baseline: float) -> ContenderRow:
    """Return ``row`` with what a target takes: seconds of training steps, its own and the baseline's."""
    if row.learning_speed is None:
        return row
    speed = replace(row.learning_speed, seconds_per_target=own, baseline_seconds_per_target=baseline)
    return replace(row, learning_speed=speed)


def ratio_of(own: Sequence[float], theirs: Sequence[float]) -> tuple[float, Interval]:
    """Return the geometric mean of paired ratios, and its 95 % interval: Student's, of their logarithms."""
    logs = np.log(np.asarray(own) / np.asarray(theirs))
    count, mean = len(logs), float(logs.mean())
    half = float(scipy.special.stdtrit(count - 1, 0.975) * logs.std(ddof=1) / math.sqrt(count))
    return math.exp(mean), (math.exp(mean - half), math.exp(mean + half))


def _speed(
    usual: LearningSpeed,
    baseline: Planned,
    planned: Planned,
    results: Mapping[str, RunResult],
    sign: int,
) -> LearningSpeed:
    """Return the speed of one contender over those pairs of which both runs have ended."""
    pairs = [
        tuple(_crossing_of(results[spec.id], usual.level, sign) for spec in pair)
        for pair in zip(planned.specs, baseline.specs, strict=True)
        if all(spec.id in results and results[spec.id].status != "failed" for spec in pair)
    ]
    own, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = replace(
        usual,
        targets=tuple(None if one is None else one.targets for one in own),
        baseline_targets=tuple(None if one is None else one.targets for one in theirs),
    )
    everyone = [one for one in (*own, *theirs) if one is not None]
    if len(everyone) < 2 * len(pairs):
        return replace(found, reason="not every run came to it")
    if len(pairs) < LEAST_PAIRS:
        return replace(found, reason=f"fewer than {LEAST_PAIRS} seeds give no ratio")
    if any(one.at_once for one in everyone):
        return replace(found, reason="some runs came to it within their first epoch, at a time nobody knows")
    if any(one.targets <= 0 for one in everyone):
        return replace(found, reason="the task counts no targets")
    if any(
        _spread(side, results, sign) > MOST_SPREAD * abs(usual.level - usual.plateau)
        for side in (baseline, planned)
    ):
        return replace(found, reason="the runs of a cell end too far apart for one level to stand for all")
    ratio, ci95 = ratio_of(*([one.targets for one in side if one is not None] for side in (own, theirs)))
    return replace(found, ratio=ratio, ci95=ci95)


def _spread(planned: Planned, results: Mapping[str, RunResult], sign: int) -> float:
    """Return the standard deviation over seeds of where a cell's curves end; 0 of fewer than two."""
    ends = [_smooth(found.epochs, sign)[0].min() for found in _usable(planned, results)]
    return stdev(ends) if len(ends) > 1 else 0.0


def _crossing_of(result: RunResult, level: float, sign: int) -> Crossing | None:
    """Return when a run came to a level; one that diverged did not, whatever its curve was before."""
    return None if result.status == "diverged" else crossing(result.epochs, level, sign)


def _usable(planned: Planned, results: Mapping[str, RunResult]) -> list[RunResult]:
    found = [results[spec.id] for spec in planned.specs if spec.id in results]
    return [result for result in found if result.status not in ("diverged", "failed") and result.epochs]


def _smooth(records: Sequence[EpochRecord], sign: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smoothed curve, less is better, and after how many targets each of its values stands."""
    values = smoothed(sign * np.array([record.metric for record in records], dtype=np.float64))
    targets = np.cumsum([0, *(record.targets for record in records)])
    places = np.interp(window_middles(len(records)), np.arange(len(records) + 1), targets)
    return values, places
