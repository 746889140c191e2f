"""Every cell's gap on every task of a suite, in margins, and its mean: a dot and an interval each."""

from __future__ import annotations

import scipy

from nas_rnn.comparison.stopping import ALPHA
from nas_rnn.comparison.suite import SuiteComparison
from nas_rnn.report.charts.panel import Panel, begin, finish, short
from nas_rnn.report.inline import MARKERS, QUIET, SERIES, SHADE

MOST = 6
"""So many cells have a colour and a mark of their own; a table has the others."""
HEIGHT = 0.24
"""Inches for each cell on a task."""


def suite_gaps(found: SuiteComparison) -> Panel | None:
    """Return the picture; None where no gap has an interval."""
    cells = found.gaps[:MOST]
    lines: list[tuple[str, int, float, float]] = []  # task, which cell, gap, half its interval
    for part, comparison in found.comparisons.items():
        for row in comparison.contenders:
            for number, cell in enumerate(cells):
                gap = row.in_margins
                if row.standing.digest == cell.digest and gap is not None:
                    reach = float(scipy.special.stdtrit(gap.degrees_of_freedom, 1 - ALPHA / 2)) * gap.error
                    lines.append((part, number, gap.difference, reach))
    for number, cell in enumerate(cells):
        if cell.mean is not None and cell.ci95 is not None:
            lines.append(("mean", number, cell.mean, cell.ci95[1] - cell.mean))
    if not lines:
        return None
    rows = [*found.comparisons, "mean"]
    step = 1 / (len(cells) + 1)
    chart, axes = begin(
        "gap to the baseline in margins: left is better",
        "",
        (6.4, 1.2 + HEIGHT * len(rows) * (len(cells) + 1)),
    )
    axes.axvspan(-1, 1, color=SHADE, zorder=0.5)
    axes.axvline(0, color=QUIET, linewidth=1.1, zorder=1)
    for number, cell in enumerate(cells):
        own = [line for line in lines if line[1] == number]
        places = [rows.index(part) + (number + 1) * step - 0.5 for part, *_ in own]
        axes.errorbar(
            [gap for _, _, gap, _ in own], places, xerr=[reach for *_, reach in own], fmt=MARKERS[number],
            color=SERIES[number], markersize=5, linewidth=1.4, label=short(cell.name), zorder=3,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [short(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axhline(len(rows) - 1.5, color=QUIET, linewidth=0.8)
    axes.legend(
        loc="upper left", bbox_to_anchor=(0, -0.12 - 0.5 / len(rows)), ncols=3, frameon=False, fontsize=9.5
    )
    told = "; ".join(f"{cells[number].name} on {part}: {gap:+.2f}" for part, number, gap, _ in lines)
    return finish(
        chart, "gaps", "Gaps in margins", f"{told}. Left of zero is better; the shaded band is one margin."
    )
