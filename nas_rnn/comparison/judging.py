"""From the results of the final runs to the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.comparison.plan import FinalPlan, Planned, direction_sign
from nas_rnn.comparison.result import Comparison, ContenderRow, Standing
from nas_rnn.comparison.statistics import paired_interval
from nas_rnn.comparison.verdict import Verdict, verdict_of
from nas_rnn.errors import NasRnnError
from nas_rnn.tasks import Metric
from nas_rnn.training import RunResult

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Run:
    """One final run as far as judging needs it; values and weights (N,) are there when it ``finished``."""

    id: str
    ending: Literal["finished", "diverged", "missing"]
    reason: str
    values_N: Floats
    weights_N: Floats

    @property
    def mean(self) -> float | None:
        """The run's metric on the test part."""
        return float(np.average(self.values_N, weights=self.weights_N)) if self.ending == "finished" else None


def judge(
    metric: Metric,
    plan: FinalPlan,
    results: Mapping[str, RunResult],
    *,
    item: str = "item",
    spent: Mapping[str, float] | None = None,
) -> Comparison:
    """Return the verdict on every contender of a final plan.

    ``results`` are by run id; ``item`` is the task's word for one test item; ``spent`` has the seconds that
    went into earlier parts (search, tuning, selection), to which "final" is added.

    A contender that diverged on a final seed has an infinite loss: it is ``worse``. Where the baseline
    itself diverged, nothing was shown about anybody: ``undecided``. Pairs with a run that is missing or
    failed for other reasons are left out, and the reason says so. Each interval holds at 95 % for itself,
    not for all contenders together.

    Raises NasRnnError when two runs were not measured on the same test items.
    """
    baseline_runs = _runs(plan.baseline, results)
    baseline = _standing(plan.baseline, baseline_runs)
    rows = tuple(
        _row(metric, contender, _runs(contender, results), baseline_runs, baseline, item)
        for contender in plan.contenders
    )
    seconds = sum(results[spec.id].seconds for spec in plan.specs if spec.id in results)
    return Comparison(
        metric=metric.name,
        unit=metric.unit,
        direction=metric.direction,
        margin=None if baseline.mean is None else metric.margin_at(baseline.mean),
        baseline=baseline,
        contenders=rows,
        spent={**(spent or {}), "final": seconds},
    )


def _runs(planned: Planned, results: Mapping[str, RunResult]) -> list[_Run]:
    """Return how each planned run ended."""
    return [_run(spec.id, results.get(spec.id)) for spec in planned.specs]


def _run(id: str, result: RunResult | None) -> _Run:
    """Read one result; values that are not finite count as divergence, whatever the status says."""
    none = np.zeros(0)
    if result is None:
        return _Run(id, "missing", "did not run", none, none)
    if result.status == "diverged":
        return _Run(id, "diverged", result.reason or "diverged", none, none)
    if result.test_values is None or result.test_weights is None:
        return _Run(id, "missing", result.reason or f"{result.status} without a test result", none, none)
    values_N, weights_N = np.asarray(result.test_values), np.asarray(result.test_weights)
    if not np.isfinite(values_N[weights_N > 0]).all():
        return _Run(id, "diverged", "test values are not finite", none, none)
    return _Run(id, "finished", "", values_N, weights_N)


def _standing(planned: Planned, runs: list[_Run]) -> Standing:
    """Return one entry's figures, without anybody to compare with."""
    values = tuple(run.mean for run in runs)
    known = [value for value in values if value is not None]
    diverged = sum(run.ending == "diverged" for run in runs)
    entry = planned.entry
    return Standing(
        name=entry.name,
        digest=entry.digest,
        hidden_size=entry.hidden_size,
        parameters=entry.parameters,
        mismatch=entry.mismatch,
        tuned=entry.tuned,
        seeds=tuple(spec.seed for spec in planned.specs),
        values=values,
        mean=float(np.mean(known)) if known and not diverged else None,
        std=float(np.std(known, ddof=1)) if len(known) > 1 and not diverged else None,
        diverged=diverged,
    )


def _row(
    metric: Metric,
    contender: Planned,
    runs: list[_Run],
    baseline_runs: list[_Run],
    baseline: Standing,
    item: str,
) -> ContenderRow:
    """Judge one contender over the pairs of which both runs finished."""
    pairs = [
        (run, other)
        for run, other in zip(runs, baseline_runs, strict=True)
        if run.ending == other.ending == "finished"
    ]
    standing = _standing(contender, runs)
    verdict, reason = _without_interval(runs, baseline_runs)
    if verdict is not None or not pairs:
        return _incomparable(standing, metric, runs, baseline_runs, verdict or "undecided", reason)
    weights_N = _common_weights(pairs)
    sign = direction_sign(metric)
    candidate_SN = sign * np.stack([run.values_N for run, _ in pairs])
    baseline_SN = sign * np.stack([other.values_N for _, other in pairs])
    interval = paired_interval(candidate_SN, baseline_SN, weights_N, item=item)
    level = float(np.mean([other.mean for _, other in pairs]))
    gap = metric.gap(level + sign * interval.difference, level)
    return ContenderRow(
        standing=standing,
        difference=interval.difference,
        ci95=interval.ci95,
        relative_difference=gap if math.isfinite(gap) else None,
        seed_differences=_seed_differences(metric, runs, baseline_runs),
        pairs=len(pairs),
        covers=interval.covers,
        verdict=verdict_of(interval.ci95, metric.margin_at(level)),
        reason=reason,
    )


def _incomparable(
    standing: Standing,
    metric: Metric,
    runs: list[_Run],
    baseline_runs: list[_Run],
    verdict: Verdict,
    reason: str | None,
) -> ContenderRow:
    """Return the row of a contender whose difference is not a number."""
    differences = _seed_differences(metric, runs, baseline_runs)
    return ContenderRow(
        standing=standing,
        difference=None,
        ci95=None,
        relative_difference=None,
        seed_differences=differences,
        pairs=sum(difference is not None for difference in differences),
        covers="nothing",
        verdict=verdict,
        reason=reason,
    )


def _without_interval(runs: list[_Run], baseline_runs: list[_Run]) -> tuple[Verdict | None, str | None]:
    """Return the verdict that divergence alone settles, if it does, and what the reader should know."""
    broken = [run for run in baseline_runs if run.ending == "diverged"]
    if broken:
        count = f"{len(broken)} of {len(baseline_runs)} runs"
        return (
            "undecided",
            f"the baseline itself diverged in {count} ({_first(broken)}); a lower learning rate may help",
        )
    broken = [run for run in runs if run.ending == "diverged"]
    if broken:
        return (
            "worse",
            f"diverged in {len(broken)} of {len(runs)} runs, the baseline in none ({_first(broken)})",
        )
    missing = [
        pair for pair in zip(runs, baseline_runs, strict=True) if any(run.ending == "missing" for run in pair)
    ]
    if not missing:
        return None, None
    first = next(run for run in missing[0] if run.ending == "missing")
    return None, f"{len(missing)} of {len(runs)} pairs left out ({_first([first])})"


def _first(runs: list[_Run]) -> str:
    """Name the first of some runs and how it ended."""
    return f"{runs[0].id}: {runs[0].reason}"


def _seed_differences(
    metric: Metric, runs: list[_Run], baseline_runs: list[_Run]
) -> tuple[float | None, ...]:
    """Return the signed difference of each pair's means, None where one is missing."""
    sign = direction_sign(metric)
    means = [(run.mean, other.mean) for run, other in zip(runs, baseline_runs, strict=True)]
    return tuple(None if a is None or b is None else sign * (a - b) for a, b in means)


def _common_weights(pairs: list[tuple[_Run, _Run]]) -> Floats:
    """Return the items' weights, which all runs must share."""
    everyone = [run for pair in pairs for run in pair]
    first = everyone[0]
    for run in everyone[1:]:
        if run.weights_N.shape != first.weights_N.shape or not np.allclose(run.weights_N, first.weights_N):
            raise NasRnnError(
                f"runs {first.id} and {run.id} were not measured on the same test items "
                f"({len(first.weights_N)} and {len(run.weights_N)} items); paired runs need equal data"
            )
    return first.weights_N
