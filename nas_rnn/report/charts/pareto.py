"""What quality costs: validation metric against parameters, and against the time of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_rnn.report.charts.panel import Panel, begin, finish, short
from nas_rnn.report.facts import Report
from nas_rnn.report.inline import INK, PAPER, QUIET, SERIES
from nas_rnn.report.wording import figure as written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]
"""(cost, metric)."""
BESIDE = ((8, 7), (8, -13), (-8, 7), (-8, -13))


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
    """Return the cells of the final with their means over seeds."""
    found: dict[str, list[Point]] = {}
    for run in report.of_role("final"):
        spent = run.result.parameters if cost == "parameters" else run.epoch_seconds
        if run.result.best_metric is not None and spent:
            found.setdefault(run.spec.name, []).append((spent, run.result.best_metric))
    return [
        (name, (sum(c for c, _ in points) / len(points), sum(v for _, v in points) / len(points)))
        for name, points in found.items()
    ]


def _panel(
    id: str,
    title: str,
    unit: str,
    tried: Sequence[Point],
    finals: Sequence[tuple[str, Point]],
    report: Report,
) -> Panel:
    minimize = report.metric.direction == "minimize"
    figure, axes = begin(unit, report.metric.unit)
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
    for number, (name, (cost, value)) in enumerate(finals):
        axes.scatter(
            [cost], [value], s=58, marker="s" if number == 0 else "D", color=SERIES[number % len(SERIES)], zorder=4
        )
    axes.margins(0.12)
    if unit.startswith("parameters"):
        _grouped(axes)
    if len(finals) <= len(SERIES):
        _names(axes, finals)
    told = "; ".join(f"{name}: {written(value)} at {cost:,.4g}" for name, (cost, value) in finals)
    return finish(figure, id, title, f"{len(tried)} candidates. Final: {told or 'none'}. Down and left is best."
                  if minimize else f"{len(tried)} candidates. Final: {told or 'none'}. Up and left is best.")  # fmt: skip


def _names(axes: Axes, finals: Sequence[tuple[str, Point]]) -> None:
    """Write each final cell's name beside its mark, towards the middle of the panel."""
    low, high = axes.get_xlim()
    for name, (cost, value) in finals:
        left = cost > (low + high) / 2
        axes.annotate(
            short(name), (cost, value), xytext=(-7 if left else 7, 6), textcoords="offset points",
            ha="right" if left else "left", color=INK, zorder=5,
        )  # fmt: skip


def _grouped(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.0f}"))
