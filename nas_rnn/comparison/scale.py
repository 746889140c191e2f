"""What stands beside the answer for scale: trivial baselines, and the metrics that do not decide."""

from __future__ import annotations

from nas_rnn.comparison.result import Comparison, Floor, Standing
from nas_rnn.comparison.spreads import spread_text


def scale_lines(comparison: Comparison) -> list[str]:
    """Return a line on the task's trivial baselines, and one for each metric beside the first; none where none are."""
    lines = [_floors(comparison)] if comparison.floors else []
    everyone = [comparison.baseline, *(row.standing for row in comparison.rows)]
    for measure in comparison.others:
        figures = [f"{standing.name} {_reading(standing, measure.name)}" for standing in everyone]
        lines.append(f"Also measured, {measure.name} in {measure.unit}: {', '.join(figures)}.")
    return lines


def _floors(comparison: Comparison) -> str:
    told = [
        f"{floor.name} {_figure(floor.values.get(comparison.metric))}{_unbeaten(floor, comparison.baseline)}"
        for floor in comparison.floors
    ]
    return f"Trivial baselines on the same test data: {', '.join(told)}."


def _unbeaten(floor: Floor, baseline: Standing) -> str:
    """Say where the comparison's own baseline is not clearly better than a trivial one, or clearly worse."""
    if floor.ci95 is not None and floor.ci95[0] > 0:
        return f" (better than {baseline.name})"
    return f" ({baseline.name} does not clearly beat it)" if floor.beaten is False else ""


def _reading(standing: Standing, metric: str) -> str:
    reading = standing.others.get(metric)
    if reading is None or reading.mean is None:
        return "unknown"
    return f"{_figure(reading.mean)}{spread_text(standing, reading)}"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
