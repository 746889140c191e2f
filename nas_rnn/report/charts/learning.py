"""Learning curves of the final: the mean over seeds, and the band between the best and the worst seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nas_rnn.comparison import Standing
from nas_rnn.report.charts.panel import Panel, begin, finish, name_ends, plain_log_ticks, whole_ticks
from nas_rnn.report.facts import Report, Run
from nas_rnn.report.figures import figure as written
from nas_rnn.report.inline import DASHES, MARKERS, PAPER, SERIES
from nas_rnn.training import EpochRecord

MOST = len(SERIES)
"""So many cells have a curve; more could not be told apart."""

FAR_APART = 30
"""From this ratio of the highest to the lowest value on, the axis is logarithmic."""

Curve = list[tuple[int, float, float, float]]
"""(epoch, mean, lowest, highest) over the seeds that came so far."""


def learning_curves(report: Report) -> list[Panel]:
    """Return two panels: the validation metric, and the training loss, by epoch; none where there was no final."""
    found = [(standing.name, _trained(report, standing)) for standing in report.standings]
    groups = [(name, runs) for name, runs in found if runs][:MOST]
    if not groups:
        return []
    unit = report.measures.monitor.unit
    better = "lower" if report.measures.monitor.direction == "minimize" else "higher"
    title = f"Validation: {unit}, {better} is better"
    return [
        _panel("learning-valid", title, unit, groups, lambda record: record.metric),
        _panel("learning-train", "Training loss in nats", "nats", groups, lambda record: record.train_loss),
    ]


def _trained(report: Report, standing: Standing) -> list[Run]:
    return [run for run in report.of_standing(standing) if run.result.epochs]


def _panel(
    id: str,
    title: str,
    unit: str,
    groups: Sequence[tuple[str, Sequence[Run]]],
    value: Callable[[EpochRecord], float],
) -> Panel:
    figure, axes = begin("epoch", unit)
    ends, told = [], []
    for number, (name, runs) in enumerate(groups):
        curve = band(runs, value)
        epochs = [epoch for epoch, *_ in curve]
        axes.fill_between(
            epochs, [low for *_, low, _ in curve], [high for *_, high in curve], color=SERIES[number], alpha=0.16,
            linewidth=0,
        )  # fmt: skip
        axes.plot(
            epochs,
            [mean for _, mean, _, _ in curve],
            color=SERIES[number],
            linestyle=DASHES[number],
            linewidth=1.9,
            marker=MARKERS[number],
            markersize=5.5,
            markerfacecolor=PAPER if number else SERIES[number],
            markevery=max(1, len(epochs) // 8),
        )
        ends.append((float(epochs[-1]), curve[-1][1], name))
        told.append(f"{name} ends at {written(curve[-1][1])}")
    low, high = axes.dataLim.intervaly
    if low > 0 and high > FAR_APART * low:  # one seed that began badly would flatten all the rest
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
    whole_ticks(axes)
    name_ends(axes, ends)
    return finish(figure, id, title, f"{'; '.join(told)}.")


def band(runs: Sequence[Run], value: Callable[[EpochRecord], float]) -> Curve:
    """Return mean, lowest and highest of ``value`` for every epoch that some run came to.

    A run that has ended before counts with its last value: nobody leaves the mean.
    """
    curves = [[value(record) for record in run.result.epochs] for run in runs]
    longest = max(len(curve) for curve in curves)
    full = [[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves]
    return [
        (epoch, sum(found) / len(found), min(found), max(found))
        for epoch, found in enumerate(zip(*full, strict=True), start=1)
    ]
