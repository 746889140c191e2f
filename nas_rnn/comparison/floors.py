"""Trivial baselines: what the comparison's own baseline must beat to have learned anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nas_rnn.comparison.contrast import contrast
from nas_rnn.comparison.outcomes import Outcome, measured, outcome_of
from nas_rnn.comparison.result import Floor
from nas_rnn.comparison.statistics import Labels
from nas_rnn.tasks import Metric, Statistics


def floors_of(
    metrics: Sequence[Metric],
    floors: Mapping[str, Statistics],
    runs: Sequence[Outcome],
    *,
    item: str = "item",
    alpha: float = 0.05,
    groups: Labels | None = None,
) -> tuple[Floor, ...]:
    """Return each floor's metrics, and the difference of the baseline's ``runs`` to it in the first of ``metrics``.

    ``floors`` has each item's statistics of the test part by name, in the order of the items of the runs. A floor has
    no seeds: it is the same beside every run. Missing runs are left out; where one diverged there is no interval.

    Raises NasRnnError when floor and runs are not of the same test items.
    """
    return tuple(
        _floor(metrics, name, statistics, runs, item=item, alpha=alpha, groups=groups)
        for name, statistics in floors.items()
    )


def _floor(
    metrics: Sequence[Metric],
    name: str,
    statistics: Statistics,
    runs: Sequence[Outcome],
    *,
    item: str,
    alpha: float,
    groups: Labels | None,
) -> Floor:
    rows = {key: np.asarray(row, dtype=np.float64) for key, row in statistics.items()}
    values = {metric.name: _finite(measured(metric, rows)) for metric in metrics}
    own = outcome_of(metrics[0], name, rows)
    broken = next((run for run in (own, *runs) if run.ending == "diverged"), None)
    finished = [run for run in runs if run.ending == "finished"]
    if broken is not None:
        return Floor(name=name, values=values, reason=f"{broken.id}: {broken.reason}")
    if own.ending != "finished" or not finished:
        return Floor(name=name, values=values, reason=own.reason or "the baseline has no test result")
    found = contrast(metrics[0], [(run, own) for run in finished], item=item, alpha=alpha, groups=groups)
    return Floor(
        name=name,
        values=values,
        difference=_finite(found.difference),
        ci95=found.ci95,
        reason=found.refusal,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
