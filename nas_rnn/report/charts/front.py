"""The front of a search with several objectives: quality against each cost."""

from __future__ import annotations

from nas_rnn.report.charts.panel import SIZE, Panel, begin, finish
from nas_rnn.report.facts import Report
from nas_rnn.report.figures import figure as written
from nas_rnn.report.inline import PAPER, QUIET, SERIES
from nas_rnn.run_folder.front import Front, Member, cost_words, step_quartiles
from nas_rnn.run_folder.objectives import PARAMETERS, STEP_TIME

AXES = {PARAMETERS: "parameters of the whole model", STEP_TIME: "ms a training step, as measured"}
TITLES = {PARAMETERS: "The front by parameters", STEP_TIME: "The front by the time of a step"}


def front_panels(report: Report) -> list[Panel]:
    """Return a panel for each cost that was an objective; none for a search by quality alone."""
    if report.front is None or not report.front.best:
        return []
    return [_panel(report, report.front, objective) for objective in report.front.costs]


def _panel(report: Report, front: Front, objective: str) -> Panel:
    scale = 1000 if objective == STEP_TIME else 1
    figure, axes = begin(AXES[objective], report.monitor.unit, SIZE)
    beaten = [(_cost(member, objective), member.quality) for member in front.members if not member.on_front]
    best = sorted((_cost(member, objective), member.quality, member) for member in front.best)
    axes.scatter(
        [scale * cost for cost, _ in beaten], [value for _, value in beaten], s=26, facecolors=PAPER,
        edgecolors=QUIET, linewidths=1.0, zorder=3,
    )  # fmt: skip
    if len(front.costs) == 1:  # of three objectives the line would run to and fro
        axes.step(
            [scale * cost for cost, _, _ in best], [value for _, value, _ in best], where="post",
            color=SERIES[0], linewidth=1.2, linestyle=(0, (3, 2)), zorder=2,
        )  # fmt: skip
    if objective == STEP_TIME:
        for _, value, member in best:
            if member.step_seconds is not None:
                low, _, high = member.step_seconds
                axes.hlines(value, scale * low, scale * high, color=SERIES[0], linewidth=1.2, zorder=2)
    axes.scatter(
        [scale * cost for cost, _, _ in best],
        [value for _, value, _ in best],
        s=34,
        color=SERIES[0],
        zorder=4,
    )
    for run in report.of_role("baseline"):
        quartiles = step_quartiles(run.result.epochs)
        cost = run.result.parameters if objective == PARAMETERS else quartiles and quartiles[1]
        if cost and run.result.best_metric is not None:
            axes.scatter(
                [scale * cost], [run.result.best_metric], s=58, marker="s", color=SERIES[1], zorder=4
            )
    axes.margins(0.12)
    told = "; ".join(
        f"{member.name}: {written(value)} at {cost_words(objective, cost)}" for cost, value, member in best
    )
    return finish(
        figure, f"front-{objective}", TITLES[objective], f"{len(beaten)} others. On the front: {told}."
    )


def _cost(member: Member, objective: str) -> float:
    return member.cost(objective) or 0.0
