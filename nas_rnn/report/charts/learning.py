"""Learning curves of the final: the mean over seeds, the band from best to worst, and where and why each run ended."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from nas_rnn.comparison import Standing
from nas_rnn.report.charts.panel import SIZE, Panel, begin, finish, name_ends, plain_log_ticks, whole_ticks
from nas_rnn.report.facts import Report, Run
from nas_rnn.report.figures import figure as written
from nas_rnn.report.inline import DASHES, INK, MARKERS, PAPER, QUIET, SERIES
from nas_rnn.training import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = len(SERIES)
"""So many cells have a curve; more could not be told apart."""

FAR_APART = 30
"""From this ratio of the highest to the lowest value on, the axis is logarithmic."""

RUNAWAY = 3
"""A run whose highest loss is this many times the runs' median of it leaves the picture."""

MARK: Final[dict[str, Any]] = {"markersize": 8, "markeredgewidth": 1.5, "zorder": 5}

ENDS = {
    "converged": ("|", "stopped improving"),
    "overfitted": ("^", "began to lose"),
    "cap": ("4", "at the most epochs"),
    "budget": ("4", "at the budget"),
    "diverged": ("x", "diverged"),
    "stopped": ("+", "stopped"),
    "failed": ("+", "failed"),
}
"""Why a run ended: its mark at its last epoch, and the words for it."""

Curve = list[tuple[int, float, float, float]]
"""(epoch, mean, lowest, highest) over the seeds that came so far."""


def learning_curves(report: Report) -> list[Panel]:
    """Return two panels: the validation metric, and the training loss, by epoch; none where there was no final."""
    found = [(standing.name, _trained(report, standing)) for standing in report.standings]
    groups = [(name, runs) for name, runs in found if runs][:MOST]
    if not groups:
        return []
    unit = report.monitor.unit
    loss = report.monitor.direction == "minimize"
    title = f"Validation: {unit}, {'lower' if loss else 'higher'} is better"
    train = "Training loss"  # in nats where it is a likelihood; tasks differ
    return [
        _panel("learning-valid", title, unit, groups, lambda record: record.metric, loss=loss),
        _panel("learning-train", train, "loss", groups, lambda record: record.train_loss, loss=True),
    ]


def _trained(report: Report, standing: Standing) -> list[Run]:
    return [run for run in report.of_standing(standing) if run.result.epochs]


def _panel(
    id: str,
    title: str,
    unit: str,
    groups: Sequence[tuple[str, Sequence[Run]]],
    value: Callable[[EpochRecord], float],
    *,
    loss: bool,
) -> Panel:
    figure, axes = begin("epoch", unit)
    ends, told = [], []
    highest = {name: [max(map(value, run.result.epochs)) for run in runs] for name, runs in groups}
    top = _top([height for heights in highest.values() for height in heights]) if loss else math.inf
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
        told.append(f"{name} ends at {written(curve[-1][1])}{_mark_ends(axes, runs, value, SERIES[number])}")
    low, high = axes.dataLim.intervaly
    far_apart = low > 0 and min(high, top) > FAR_APART * low
    if far_apart:  # one seed that began badly would flatten all the rest
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
    if high > top:
        axes.set_ylim(0.9 * low if far_apart else low - 0.05 * (top - low), top)
        told.append(_tell_runaways(axes, {name: max(heights) for name, heights in highest.items()}, top))
    whole_ticks(axes)
    name_ends(axes, ends)
    _explain_marks(figure, [run for _, runs in groups for run in runs])
    return finish(figure, id, title, f"{'; '.join(told)}.")


def _top(heights: Sequence[float]) -> float:
    """Return where the axis ends so that no run that grew without bound flattens the others: else infinity.

    ``heights`` are the runs' highest losses.
    """
    usual = statistics.median_low(heights)
    return 1.05 * max(height for height in heights if height <= RUNAWAY * usual) if usual > 0 else math.inf


def _tell_runaways(axes: Axes, highest: Mapping[str, float], top: float) -> str:
    """Name in the picture the cells with a run above it, with how far it went; return the same words."""
    told = "above the picture: " + ", ".join(
        f"{name}, up to {written(height)}" for name, height in highest.items() if height > top
    )
    axes.set_title(textwrap.fill(told, 60), loc="left", fontsize=9, color=QUIET)
    return told


def _mark_ends(axes: Axes, runs: Sequence[Run], value: Callable[[EpochRecord], float], colour: str) -> str:
    """Mark each run's last epoch by why it ended; return the same in words, "" where nobody knows."""
    told = Counter[str]()
    for run in runs:
        mark, words = ENDS.get(run.result.ended_because or "", ("", ""))
        if mark:
            last = run.result.epochs[-1]
            axes.plot([last.epoch], [value(last)], linestyle="", marker=mark, color=colour, **MARK)
            told[words] += 1
    return f" ({', '.join(f'{number} {words}' for words, number in told.items())})" if told else ""


def _explain_marks(figure: Figure, runs: Sequence[Run]) -> None:
    """Say below the panel what the marks mean that occur in it."""
    from matplotlib.lines import Line2D

    found = dict(ENDS[because] for run in runs if (because := run.result.ended_because) in ENDS and because)
    if found:
        figure.set_figheight(SIZE[1] + 0.2 * math.ceil(len(found) / 2))
        figure.legend(
            [Line2D([], [], linestyle="", marker=mark, color=INK, **MARK) for mark in found],
            list(found.values()), loc="outside lower center", ncols=2, frameon=False, fontsize=9, handletextpad=0.2,
        )  # fmt: skip


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
