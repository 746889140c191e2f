"""How the final runs ended, as far as judging needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.comparison.plan import Planned
from nas_rnn.comparison.result import Standing
from nas_rnn.comparison.verdict import Verdict
from nas_rnn.errors import NasRnnError
from nas_rnn.tasks import Mean, Metric
from nas_rnn.training import RunResult

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
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


def outcomes_of(metric: Metric, planned: Planned, results: Mapping[str, RunResult]) -> list[Outcome]:
    """Return how each planned run ended."""
    return [_run(metric, spec.id, results.get(spec.id)) for spec in planned.specs]


def _run(metric: Metric, id: str, result: RunResult | None) -> Outcome:
    """Read one result; values that are not finite count as divergence, whatever the status says."""
    none = np.zeros(0)
    assert isinstance(metric, Mean)
    if result is None:
        return Outcome(id, "missing", "did not run", none, none)
    if result.status == "diverged":
        return Outcome(id, "diverged", result.reason or "diverged", none, none)
    if result.test_statistics is None:
        return Outcome(id, "missing", result.reason or f"{result.status} without a test result", none, none)
    sums_N = np.asarray(result.test_statistics[metric.of])
    weights_N = np.asarray(result.test_statistics[metric.per]) if metric.per else np.ones(len(sums_N))
    values_N = np.divide(sums_N, weights_N, out=np.zeros(len(sums_N)), where=weights_N > 0)
    if not np.isfinite(values_N).all():
        return Outcome(id, "diverged", "test values are not finite", none, none)
    return Outcome(id, "finished", "", values_N, weights_N)


def standing(planned: Planned, runs: list[Outcome]) -> Standing:
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
        training=entry.settings,
        control=entry.control,
    )


def without_interval(runs: list[Outcome], baseline_runs: list[Outcome]) -> tuple[Verdict | None, str | None]:
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


def _first(runs: list[Outcome]) -> str:
    """Name the first of some runs and how it ended."""
    return f"{runs[0].id}: {runs[0].reason}"


def common_weights(pairs: list[tuple[Outcome, Outcome]]) -> Floats:
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
