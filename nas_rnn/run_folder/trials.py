"""What can be said of a search's trials from the study and the runs' results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from nas_rnn.strategies import Trial
from nas_rnn.tasks import Metric
from nas_rnn.tasks.metric import Quantity, figure_of
from nas_rnn.training import EpochRecord, RunResult

BASELINE_ID = "baseline"


def trial_id(number: int, *, control: bool = False) -> str:
    """Return the id of a trial's run, and the name of its folder; ``control``: of the random search beside it."""
    return f"{'r' if control else 't'}{number:04d}"


def count_endings(trials: Sequence[Trial]) -> dict[str, int]:
    """Return how many trials ended in which way."""
    counts = dict.fromkeys(("finished", "stopped", "diverged", "failed", "reused", "unfinished"), 0)
    for trial in trials:
        counts["reused" if trial.copy_of is not None else trial.ending or "unfinished"] += 1
    return counts


def is_stopped(result: RunResult, epochs: object) -> bool:
    """Return whether a run came to a rung and no further, where runs have ``epochs`` (a number, or "auto")."""
    if result.status != "finished" or result.ended_because != "budget":
        return False
    return not isinstance(epochs, int) or len(result.epochs) < epochs


def sign_of(metric: Quantity) -> int:
    """Return 1 where a smaller metric is better, else -1."""
    return 1 if metric.direction == "minimize" else -1


def ranked(trials: Sequence[Trial], metric: Quantity) -> list[Trial]:
    """Return the trials that were trained, best first: those with the full budget, or all where none had it."""
    scored = [
        t for t in trials if t.value is not None and t.copy_of is None and t.ending in ("finished", "stopped")
    ]
    full = [trial for trial in scored if trial.ending == "finished"] or scored
    return sorted(full, key=lambda trial: sign_of(metric) * (trial.value or 0.0))


def metrics_on_holdout(result: RunResult, metrics: Sequence[Metric]) -> dict[str, float]:
    """Return a run's metrics on the test part by name; none where it read none."""
    if not result.test_statistics:
        return {}
    rows = {name: np.asarray(row, dtype=float) for name, row in result.test_statistics.items()}
    figures = {metric.name: figure_of(metric, rows) for metric in metrics}
    return {name: figure for name, figure in figures.items() if figure is not None}


class Gap(NamedTuple):
    """The relative gap of a run's best metric to the baseline's, negative is better.

    ``at_end``: both were trained to their end; otherwise both are taken as far as the run has come.
    """

    value: float
    at_end: bool


def gap_to_baseline(
    metric: Metric,
    records: Sequence[EpochRecord],
    result: RunResult | None,
    baseline: Sequence[EpochRecord],
    baseline_result: RunResult | None,
) -> Gap | None:
    """Return a run's gap: at the end where both have finished, before that after equally many training targets.

    ``records`` are the run's epochs so far, ``result`` is None while it goes on; the baseline's likewise. A baseline
    that finished with fewer targets is compared as it was then. None where either has no epoch, or the baseline is not
    as far (yet).
    """
    if baseline_result is not None:
        baseline = baseline_result.epochs
    finished = baseline_result is not None and baseline_result.status == "finished"
    at_end = finished and result is not None and result.status == "finished"
    if (
        result is not None and result.ended_because == "budget"
    ):  # it was stopped at a rung, unless all end by theirs
        at_end = at_end and targets_of(records) >= targets_of(baseline)
    if not at_end:
        seen = targets_of(records)
        if not finished and targets_of(baseline) < seen:
            return None
        baseline = [
            one for one, after in zip(baseline, _targets_after(baseline), strict=True) if after <= seen
        ]
    if not records or not baseline:
        return None
    sign = sign_of(metric)
    value, other = (min(sign * record.metric for record in found) for found in (records, baseline))
    return Gap(metric.gap(sign * value, sign * other), at_end)


def targets_of(records: Sequence[EpochRecord]) -> int:
    """Return how many targets a run has been trained on; of an earlier version's run, its epochs."""
    return _targets_after(records)[-1] if records else 0


def _targets_after(records: Sequence[EpochRecord]) -> list[int]:
    return list(accumulate(record.targets or 1 for record in records))
