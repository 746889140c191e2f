"""What quality costs: validation metric against parameters, and against the time of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_rnn.report.charts.panel import SIZE, Panel, begin, finish, short
from nas_rnn.report.facts import Report
from nas_rnn.report.figures import figure as written
from nas_rnn.report.inline import PAPER, QUIET, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = ("s", "D", "^", "v", "P", "X", "*", "p")
"""One for each cell of the final; a table has those for which there is none."""
Point = tuple[float, float]
"""(cost, metric)."""


def front(points: Sequence[Point], *, minimize: bool) -> list[Point]:
    """Return the points that no other one beats in cost and metric at once, the cheapest first."""
    sign = 1 if minimize else -1
    kept: list[Point] = []
    for cost, value in sorted(points, key=lambda point: (point[0], sign * point[1])):
        if not kept or sign * value < sign * kept[-1][1]:
            kept.append((cost, value))
    return kept


def pareto(report: Report) -> list[Panel]:
    """Return two panels, one a cost; none where fewer than two cells were measured."""
    panels = []
    for id, title, unit, of_draw, of_final in _COSTS:
        every = [*report.draws, *report.control]
        tried = [
            (cost, draw.value)
            for draw in every
            if draw.ending == "finished" and draw.value is not None and (cost := getattr(draw, of_draw))
        ]
        finals = _finals(report, of_final)
        if len(tried) + len(finals) >= 2:
            panels.append(_panel(f"pareto-{id}", title, unit, tried, finals, report))
    return panels


_COSTS = (
    ("parameters", "Quality against parameters", "parameters of the whole model", "parameters", "parameters"),
    ("time", "Quality against time", "seconds an epoch, as measured", "epoch_seconds", "epoch_seconds"),
)


def _finals(report: Report, cost: str) -> list[tuple[str, Point]]:
    """Return everybody in the final with their means over seeds, the baseline first."""
    found = []
    for standing in report.standings:
        points = [
            (spent, run.result.best_metric)
            for run in report.of_standing(standing)
            if run.result.best_metric is not None
            and (spent := run.result.parameters if cost == "parameters" else run.epoch_seconds)
        ]
        if points:
            found.append((standing.name, _mean(points)))
    return found


def _mean(points: Sequence[Point]) -> Point:
    return sum(cost for cost, _ in points) / len(points), sum(value for _, value in points) / len(points)


def _panel(
    id: str,
    title: str,
    unit: str,
    tried: Sequence[Point],
    finals: Sequence[tuple[str, Point]],
    report: Report,
) -> Panel:
    minimize = report.monitor.direction == "minimize"
    lines = -(-min(len(finals), len(MARKS)) // 2)
    figure, axes = begin(unit, report.monitor.unit, (SIZE[0], SIZE[1] + 0.22 * lines))
    best = front([*tried, *(point for _, point in finals)], minimize=minimize)
    axes.step(
        [cost for cost, _ in best], [value for _, value in best], where="post", color=QUIET, linewidth=1.2,
        linestyle=(0, (3, 2)), zorder=1.5,
    )  # fmt: skip
    if tried:
        axes.scatter(
            [cost for cost, _ in tried], [value for _, value in tried], s=26, facecolors=PAPER,
            edgecolors=SERIES[0], linewidths=1.2, zorder=3,
        )  # fmt: skip
    for number, (name, (cost, value)) in enumerate(finals[: len(MARKS)]):
        colour = SERIES[number % len(SERIES)]
        axes.scatter([cost], [value], s=58, marker=MARKS[number], color=colour, zorder=4, label=short(name))
    axes.margins(0.12)
    if unit.startswith("parameters"):
        _grouped(axes)
    if finals:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.03, -0.17), ncols=2, frameon=False, fontsize=9.5)
    told = "; ".join(f"{name}: {written(value)} at {cost:,.4g}" for name, (cost, value) in finals)
    told = (
        f"{len(tried)} candidates. Final: {told or 'none'}. {'Down' if minimize else 'Up'} and left is best."
    )
    return finish(figure, id, title, told)


def _grouped(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.0f}"))
