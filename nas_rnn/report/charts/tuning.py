"""What tuning tried: every run's learning rate and what it came to, one mark a cell."""

from __future__ import annotations

from nas_rnn.report.charts.panel import Panel, begin, finish, plain_log_ticks, short
from nas_rnn.report.facts import Report, Run
from nas_rnn.report.inline import MARKERS, SERIES


def tuning(report: Report) -> list[Panel]:
    """Return one panel; none where nothing was tuned."""
    of_cell: dict[str, list[Run]] = {standing.name: [] for standing in report.standings}
    for run in report.of_role("tuning"):
        if run.result.best_metric is not None:
            of_cell.setdefault(run.spec.name, []).append(run)
    of_cell = {name: runs for name, runs in of_cell.items() if runs}
    if not of_cell:
        return []
    figure, axes = begin("learning rate", report.monitor.unit)
    axes.set_xscale("log")
    plain_log_ticks(axes.xaxis)
    for number, (name, runs) in enumerate(of_cell.items()):
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        points = [(run.spec.training.learning_rate, run.result.best_metric or 0.0) for run in runs]
        axes.scatter(
            [rate for rate, _ in points], [value for _, value in points], s=34, marker=marker, facecolors="none",
            edgecolors=colour, linewidths=1.4, label=short(name), zorder=3,
        )  # fmt: skip
        for best in report.tuned_to(runs):
            at = best.spec.training.learning_rate, best.result.best_metric or 0.0
            axes.scatter([at[0]], [at[1]], s=70, marker=marker, color=colour, zorder=4)
    axes.legend(frameon=False, fontsize=9)
    told = ", ".join(f"{name} {len(runs)} runs" for name, runs in of_cell.items())
    return [finish(figure, "tuning-rate", "Learning rates tried, those of the final filled", f"{told}.")]
