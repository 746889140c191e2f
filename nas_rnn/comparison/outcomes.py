"""How the final runs ended, as far as judging needs it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from nas_rnn.comparison.plan import Planned
from nas_rnn.comparison.result import Reading, Standing
from nas_rnn.comparison.verdict import Verdict
from nas_rnn.tasks import Corpus, Mean, Metric, Statistics
from nas_rnn.tasks.metric import figure_of
from nas_rnn.training import RunResult, RunSpec


@dataclass(frozen=True)
class Outcome:
    """One final run as far as judging needs it.

    ``statistics`` are those of the N test items, ``figure`` is the metric of all of them; both are there when it
    ``finished``, else empty and NaN. ``setting`` numbers the settings that it was trained with. ``epochs``,
    ``ended_because`` and ``converged`` are as in a `Standing`.
    """

    id: str
    ending: Literal["finished", "diverged", "missing"]
    reason: str = ""
    statistics: Statistics = field(default_factory=dict)
    figure: float = math.nan
    setting: int = 0
    epochs: int = 0
    ended_because: str | None = None
    converged: bool | None = None

    @property
    def mean(self) -> float | None:
        """The run's metric on the test part."""
        return self.figure if self.ending == "finished" else None


def outcomes_of(metric: Metric, planned: Planned, results: Mapping[str, RunResult]) -> list[Outcome]:
    """Return how each planned run ended."""
    return [
        replace(_length(_run(metric, spec.id, found), spec, found), setting=planned.entry.setting_of(number))
        for number, spec in enumerate(planned.specs)
        for found in [results.get(spec.id)]
    ]


LATELY = 0.25
"""A run that has not converged was still improving where its best epoch is among this last share of them; one that
never began to learn was not, and nobody knows what it would have done."""


def _length(outcome: Outcome, spec: RunSpec, result: RunResult | None) -> Outcome:
    """Return the outcome with how long the run was trained, and whether it was at its end."""
    if result is None:
        return outcome
    known = result.ended_because is not None and spec.training.decay == "none"
    improving = result.best_epoch is not None and result.best_epoch > (1 - LATELY) * len(result.epochs)
    return replace(
        outcome,
        epochs=len(result.epochs),
        ended_because=result.ended_because,
        converged=None if not known or not (result.converged or improving) else result.converged,
    )


def outcome_of(metric: Metric, id: str, statistics: Statistics) -> Outcome:
    """Return what statistics come to; what is not finite counts as divergence."""
    figure = measured(metric, statistics)
    if figure is None:
        return Outcome(id, "missing", f"{metric.name} needs other statistics than {', '.join(statistics)}")
    if isinstance(metric, Mean):
        finite = bool(np.isfinite(metric.items(statistics)[0]).all())
    else:
        finite = all(bool(np.isfinite(statistics[name]).all()) for name in statistics)
        if finite and math.isnan(figure):
            return Outcome(id, "missing", f"{metric.name} is not defined on these test items")
    if not finite or math.isinf(figure):
        return Outcome(id, "diverged", "test values are not finite")
    return Outcome(id, "finished", "", statistics, figure)


def measured(metric: Metric, statistics: Statistics) -> float | None:
    """Return a metric of items' statistics; None where they are those of another metric.

    An item without weight has no say in a mean, not even one that is NaN.
    """
    if isinstance(metric, Mean) and figure_of(metric, statistics) is not None:
        values_N, weights_N = metric.items(statistics)
        return float(np.average(values_N, weights=weights_N)) if weights_N.sum() else math.nan
    return figure_of(metric, statistics)


def _run(metric: Metric, id: str, result: RunResult | None) -> Outcome:
    """Read one result."""
    if result is None:
        return Outcome(id, "missing", "did not run")
    if result.status == "diverged":
        return Outcome(id, "diverged", result.reason or "diverged")
    if not result.test_statistics:
        return Outcome(id, "missing", result.reason or f"{result.status} without a test result")
    rows = {name: np.asarray(row, dtype=np.float64) for name, row in result.test_statistics.items()}
    return outcome_of(metric, id, rows)


def standing(metrics: Sequence[Metric], planned: Planned, runs: list[Outcome]) -> Standing:
    """Return one entry's figures, without anybody to compare with."""
    diverged = sum(run.ending == "diverged" for run in runs)
    own = reading(metrics[0], [run.mean for run in runs], diverged)
    entry = planned.entry
    return Standing(
        name=entry.name,
        digest=entry.digest,
        hidden_size=entry.hidden_size,
        parameters=entry.parameters,
        mismatch=entry.mismatch,
        tuned=entry.tuned,
        tried=entry.tried,
        seeds=tuple(spec.seed for spec in planned.specs),
        values=own.values,
        mean=own.mean,
        std=own.std,
        diverged=diverged,
        training=entry.settings,
        second=dict(entry.second or {}) if len(planned.specs) > 1 else {},
        control=entry.control,
        reference=entry.reference,
        others={
            metric.name: reading(metric, [_other(metric, run) for run in runs], diverged)
            for metric in metrics[1:]
        },
        epochs=tuple(run.epochs for run in runs),
        ended_because=tuple(run.ended_because for run in runs),
        converged=tuple(run.converged for run in runs),
    )


def reading(metric: Metric, values: Sequence[float | None], diverged: int) -> Reading:
    """Return a metric's figures over seeds; there is no mean where a run ``diverged``."""
    known = [value for value in values if value is not None]
    return Reading(
        values=tuple(values),
        mean=level_of(metric, known) if known and not diverged else None,
        std=float(np.std(known, ddof=1)) if len(known) > 1 and not diverged else None,
    )


def _other(metric: Metric, run: Outcome) -> float | None:
    """Return a metric of a finished run that is not the first; None where it has no finite value."""
    value = measured(metric, run.statistics) if run.ending == "finished" else None
    return value if value is not None and math.isfinite(value) else None


def compared_by_ratio(metric: Metric) -> bool:
    """Return whether two values of a metric are compared by their ratio."""
    return isinstance(metric, Corpus) and metric.logarithmic


def level_of(metric: Metric, values: Sequence[float]) -> float:
    """Return the mean over seeds: the geometric one of a metric that is compared by its ratio."""
    if not compared_by_ratio(metric):
        return float(np.mean(values))
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(values))))


def without_interval(runs: list[Outcome], baseline_runs: list[Outcome]) -> tuple[Verdict | None, str | None]:
    """Return the verdict that divergence alone decides, if it does, and what the reader should know.

    A cell that diverged with its second-best settings alone is not worse for it: with the best it did not.
    """
    broken = [run for run in baseline_runs if run.ending == "diverged"]
    if broken:
        count = f"{len(broken)} of {len(baseline_runs)} runs{_second_alone(broken)}"
        return (
            "undecided",
            f"the baseline itself diverged in {count} ({_first(broken)}); a lower learning rate may help",
        )
    broken = [run for run in runs if run.ending == "diverged"]
    if broken:
        second = _second_alone(broken)
        count = f"{len(broken)} of {len(runs)} runs{second}"
        return (
            "undecided" if second else "worse",
            f"diverged in {count}, the baseline in none ({_first(broken)})",
        )
    missing = [
        pair for pair in zip(runs, baseline_runs, strict=True) if any(run.ending == "missing" for run in pair)
    ]
    if not missing:
        return None, None
    first = next(run for run in missing[0] if run.ending == "missing")
    return None, f"{len(missing)} of {len(runs)} pairs left out ({_first([first])})"


def _second_alone(broken: list[Outcome]) -> str:
    """Say so where all runs that diverged have their cell's second-best settings; else ""."""
    return ", with its second-best settings alone" if all(run.setting for run in broken) else ""


def _first(runs: list[Outcome]) -> str:
    """Name the first of some runs and how it ended."""
    return f"{runs[0].id}: {runs[0].reason}"
