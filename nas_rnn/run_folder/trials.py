"""What can be said of a search's trials from the study and the runs' results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas_rnn.strategies import Trial
from nas_rnn.tasks import Metric
from nas_rnn.tasks.metric import figure_of
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


def sign_of(metric: Metric) -> int:
    """Return 1 where a smaller metric is better, else -1."""
    return 1 if metric.direction == "minimize" else -1


def ranked(trials: Sequence[Trial], metric: Metric) -> list[Trial]:
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


def gap_at_same_epoch(
    metric: Metric, records: Sequence[EpochRecord], baseline: Sequence[EpochRecord], *, ended: bool
) -> float | None:
    """Return the relative gap of a run's best metric to the baseline's over the same number of epochs.

    Negative is better. A baseline that has ``ended`` before is compared as it was then. None where either has no epoch,
    or the baseline is not as far yet.
    """
    if not records or not baseline or (len(baseline) < len(records) and not ended):
        return None
    sign = sign_of(metric)
    value = min(sign * record.metric for record in records)
    other = min(sign * record.metric for record in baseline[: len(records)])
    return metric.gap(sign * value, sign * other)
