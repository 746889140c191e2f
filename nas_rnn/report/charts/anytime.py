"""The search over its budget: the best candidate so far, beside random search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from nas_rnn.comparison.budget import best_so_far, expected_best
from nas_rnn.report.charts.panel import Panel, begin, finish, name_ends, per_cent, whole_ticks, zero_line
from nas_rnn.report.facts import Draw, Report
from nas_rnn.report.figures import gap as written
from nas_rnn.report.inline import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPECTED = "random, expected"
HIGHEST = 0.25
"""The expectation is followed up to this gap: one draw alone may be far off."""
Line = tuple[str, list[float], list[float | None]]
"""A name, and where the best so far stood (a relative gap) at each place of the budget."""


def random_draws(report: Report) -> tuple[Draw, ...]:
    """Return the candidates that were drawn at random: the search's own, or those of the control; none where none."""
    return report.draws if report.strategy == "random" else report.control


def anytime(report: Report) -> list[Panel]:
    """Return two panels: the best so far by candidates, and by seconds of training; none without a search."""
    if report.baseline_value is None or sum(draw.value is not None for draw in report.draws) < 2:
        return []
    found = [(report.strategy or "search", report.draws)]
    if report.control:
        found.append(("random", report.control))
    by_count: list[Line] = [
        (name, [float(n) for n in range(1, len(draws) + 1)], best_gaps(report, draws))
        for name, draws in found
    ]
    by_time: list[Line] = [
        (name, list(accumulate(draw.seconds for draw in draws)), best_gaps(report, draws))
        for name, draws in found
    ]
    return [
        _panel("anytime-count", "By candidates tried", "candidates", by_count, report, whole=True),
        _panel(
            "anytime-time", "By training time, all workers together", "seconds of training", by_time, report
        ),
    ]


def best_gaps(report: Report, draws: Sequence[Draw]) -> list[float | None]:
    """Return the gap of the best candidate after each one; those that had the full budget count, if any had it."""
    full = any(draw.ending == "finished" for draw in draws)
    counted = ("finished", "reused") if full else ("finished", "reused", "stopped")
    return best_so_far([report.gap(draw.value) if draw.ending in counted else None for draw in draws])


def _panel(
    id: str, title: str, unit: str, lines: Sequence[Line], report: Report, *, whole: bool = False
) -> Panel:
    figure, axes = begin(unit, "gap to the LSTM, validation")
    ends, told, shown = [], [], [0.0]
    for number, (name, places, gaps) in enumerate(lines):
        points = [(place, gap) for place, gap in zip(places, gaps, strict=True) if gap is not None]
        if not points:
            continue
        axes.step(
            [place for place, _ in points], [gap for _, gap in points], where="post", color=SERIES[number],
            linewidth=2.2, linestyle="solid" if number == 0 else (0, (5, 2)),
            marker="o" if number == 0 else "s", markersize=4, markevery=_changes([gap for _, gap in points]),
        )  # fmt: skip
        ends.append((places[-1], points[-1][1], name))
        axes.plot([points[-1][0], places[-1]], [points[-1][1]] * 2, color=SERIES[number], linewidth=2.2)
        shown += [gap for _, gap in points]
        told.append(f"{name} ends at {written(points[-1][1])} after {places[-1]:.0f} {unit}")
    if whole:
        shown += _expected(axes, report, ends)
    _limits(axes, shown)
    axes.set_xlim(left=0)
    per_cent(axes)
    if whole:
        whole_ticks(axes)
    zero_line(axes, 0.0, "LSTM")
    name_ends(axes, ends)
    return finish(figure, id, title, f"{'; '.join(told)}. Negative is better than the LSTM.")


def _changes(values: Sequence[float]) -> list[int]:
    """Return the places at which a value is not that before it."""
    return [n for n, value in enumerate(values) if n == 0 or value != values[n - 1]]


def _expected(axes: Axes, report: Report, ends: list[tuple[float, float, str]]) -> list[float]:
    """Draw what the best of k random candidates comes to; return the gaps that must be in sight."""
    gaps = [report.gap(draw.value) for draw in random_draws(report)]
    found = expected_best(gaps)
    if len(found) < 2:
        return []
    counts = [float(best.draws) for best in found]
    axes.fill_between(
        counts,
        [best.low for best in found],
        [best.high for best in found],
        color=SERIES[2],
        alpha=0.16,
        linewidth=0,
    )
    axes.plot(
        counts, [best.expected for best in found], color=SERIES[2], linewidth=1.6, linestyle=(0, (1.5, 1.5))
    )
    ends.append((counts[-1], found[-1].expected, EXPECTED))
    return [min(best.expected, HIGHEST) for best in found]


def _limits(axes: Axes, shown: Sequence[float]) -> None:
    """Keep the LSTM and every line in sight, with some air."""
    low, high = min(shown), max(shown)
    air = 0.07 * (high - low) or 0.01
    axes.set_ylim(low - air, high + 1.6 * air)
