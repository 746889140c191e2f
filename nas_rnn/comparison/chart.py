"""A comparison as a picture: every pair of seeds, the interval, and the margin it is judged by."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_rnn.comparison.result import Comparison, ContenderRow, Standing
from nas_rnn.comparison.sentences import baseline_name, decimals, percent, signed, two_digits
from nas_rnn.comparison.spreads import spread_text

if TYPE_CHECKING:  # matplotlib takes half a second to import, and most commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette (2008), safe for colour-blind readers; shapes and words carry the meaning as well.
INK, QUIET, BLUE, BAND = "#1a1a1a", "#6b6b6b", "#0072B2", "#e3e3e3"
FAR_OUT = 3.0
"""A control's seed so many times the span of all judged values away from them stands at the edge, as an arrow."""
ROOM, NARROW_ROOM = 28, 16
"""Letters of a name that a row has room for."""


@dataclass(frozen=True)
class Chart:
    """One picture in two formats, as the files' bytes."""

    png: bytes
    svg: bytes


def chart(comparison: Comparison) -> Chart:
    """Draw the contenders against the baseline: measured values left, paired differences right."""
    import matplotlib

    # A fixed salt and no date: the same comparison gives the same bytes. Names may hold dollar signs.
    with matplotlib.rc_context({"svg.hashsalt": "nas_rnn", "font.size": 9.5, "text.parse_math": False}):
        figure = draw_chart(comparison)
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=160)
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return Chart(png.getvalue(), svg.getvalue())


def draw_chart(comparison: Comparison, *, narrow: bool = False) -> Figure:
    """Lay out the two panels over common rows, or ``narrow``, one below the other: the baseline on top."""
    from matplotlib.figure import Figure

    rows = 1 + len(comparison.rows)
    if narrow:
        figure = Figure(figsize=(4.7, 2.5 + 1.0 * rows), layout="constrained")
        left, right = figure.subplots(2, 1, sharey=True)
    else:
        figure = Figure(figsize=(10.4, 1.55 + 0.56 * rows), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [2, 3]})
    _measured(left, comparison)
    _differences(right, comparison)
    standings = [comparison.baseline, *(row.standing for row in comparison.rows)]
    figure.supxlabel(_legend(comparison, "\n" if narrow else "    "), fontsize=8.8, color=QUIET)
    left.set_yticks(range(rows), [_label(standing, narrow) for standing in standings])
    left.set_ylim(rows - 0.45, -0.55)
    for axes in (left, right):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#eeeeee", zorder=0)
        axes.set_axisbelow(True)
    return figure


def _label(standing: Standing, narrow: bool) -> str:
    """Return a row's label: the name, cut where it is long, and, unless it is ``narrow``, the model's size."""
    room = NARROW_ROOM if narrow else ROOM
    name = standing.name if len(standing.name) <= room else standing.name[: room - 1] + "…"
    role = "control" if standing.control else "reference" if standing.reference else ""
    if narrow:
        return f"{name}\n({role})" if role else name
    name += f" ({role})" if role else ""
    return f"{name}\n{standing.parameters:,} parameters{'' if standing.tuned else ', untuned'}"


def _legend(comparison: Comparison, between: str) -> str:
    """Say what the marks are."""
    band = (
        f"grey band: equivalent (±{two_digits(comparison.margin)})"
        if comparison.margin
        else "no equivalence margin"
    )
    interval = f"square: mean, {percent(comparison.level)} interval"
    dots = "dots: single seeds (arrows: far out)"
    return between.join([dots, "diamond: mean ± standard deviation", interval, band])


def _measured(axes: Axes, comparison: Comparison) -> None:
    """Draw each cell's metric: a dot a seed, the mean with one standard deviation, and both in figures."""
    digits = max((decimals(comparison, row) for row in comparison.rows), default=3)
    standings = [comparison.baseline, *(row.standing for row in comparison.rows)]
    judged = [standing for standing in standings if not standing.control]
    bars = [(one.mean, one.std or 0.0) for one in judged if one.mean is not None]
    ends = [mean + side * std for mean, std in bars for side in (-1, 1)]
    limits = _limits([*ends, *_known(judged)], _known(standings))
    for y, standing in enumerate(standings):
        values = [value for value in standing.values if value is not None]
        _dots(axes, values, y, limits)
        if standing.mean is None:
            runs = f"{standing.diverged} of {len(standing.values)}"
            text = f"diverged\nin {runs} runs" if standing.diverged else "no result"
        else:
            spread = None if standing.several_cells else standing.std
            _estimate(axes, standing.mean, spread, spread, y, "D")
            text = f"{standing.mean:.{digits}f}"
            if standing.several_cells:
                text += spread_text(standing).replace(" ", "\n", 1)
            elif standing.std is not None:
                text += f"\n± {standing.std:.{digits}f}"
        _note(axes, y, text)
    axes.set_xlim(*limits)
    axes.set_xlabel(f"{comparison.unit}, on the test part")
    arrow = "lower is better" if comparison.direction == "minimize" else "higher is better"
    axes.set_title(f"Measured ({arrow})", loc="left", fontsize=10.5)


def _differences(axes: Axes, comparison: Comparison) -> None:
    """Draw the paired differences against zero and the margin."""
    if comparison.margin:
        axes.axvspan(-comparison.margin, comparison.margin, color=BAND, zorder=0.5, linewidth=0)
        for edge in (-comparison.margin, comparison.margin):
            axes.axvline(edge, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.axvline(0, color=INK, linewidth=1.1, zorder=1.5)
    margin = comparison.margin or 0.0
    rows = [row for row in comparison.rows if not row.standing.control]
    judged = [-margin, 0.0, margin, *(end for row in rows for end in row.ci95 or ())]
    judged += [value for row in rows for value in row.seed_differences if value is not None]
    limits = _limits(
        judged, [value for row in comparison.rows for value in row.seed_differences if value is not None]
    )
    for y, row in enumerate(comparison.rows, start=1):
        _dots(axes, [value for value in row.seed_differences if value is not None], y, limits)
        if row.difference is not None:
            low, high = row.ci95 or (row.difference, row.difference)
            _estimate(axes, row.difference, row.difference - low, high - row.difference, y, "s")
        _note(axes, y, _verdict_text(comparison, row), bold=True)
    _note(axes, 0, "baseline")
    axes.set_xlim(*limits)
    axes.set_xlabel(f"difference in {comparison.unit}; left of zero is better")
    axes.set_title(
        f"Against {baseline_name(comparison.baseline).replace('`', '')}", loc="left", fontsize=10.5
    )


def _dots(axes: Axes, values: list[float], y: int, limits: tuple[float, float]) -> None:
    """Draw one hollow dot a seed, a little below the row's line, apart where they would hide each other.

    What lies beyond the limits is an arrow at their edge.
    """
    offsets = 0.2 + 0.05 * (np.arange(len(values)) % 3 - 1)
    low, high = limits
    for value, place in zip(values, y + offsets, strict=True):
        marker = "<" if value < low else ">" if value > high else "o"
        axes.scatter(
            [min(max(value, low), high)], [place], s=20, marker=marker, facecolors="white", edgecolors=QUIET,
            linewidths=1.0, zorder=3, clip_on=False,
        )  # fmt: skip


def _known(standings: list[Standing]) -> list[float]:
    return [value for standing in standings for value in standing.values if value is not None]


def _limits(judged: list[float], others: list[float]) -> tuple[float, float]:
    """Return the ends of an axis that shows all ``judged`` values and those ``others`` that are not far out."""
    least, most = min(judged, default=0.0), max(judged, default=0.0)
    reach = FAR_OUT * (most - least) if judged else math.inf
    near = [*judged, *(value for value in others if least - reach <= value <= most + reach)]
    low, high = min(near, default=0.0), max(near, default=0.0)
    air = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - air, high + air


def _estimate(
    axes: Axes, centre: float, below: float | None, above: float | None, y: int, marker: str
) -> None:
    """Draw a mean with the bar around it."""
    bar: Any = None if below is None or above is None else [[below], [above]]
    axes.errorbar(
        [centre],
        [y - 0.06],
        xerr=bar,
        fmt=marker,
        color=BLUE,
        markersize=6,
        linewidth=2.2,
        capsize=4,
        zorder=4,
    )


def _note(axes: Axes, y: int, text: str, *, bold: bool = False) -> None:
    """Write beside a row, right of the panel."""
    axes.annotate(
        text,
        xy=(1.02, y),
        xycoords=axes.get_yaxis_transform(),
        ha="left",
        va="center",
        fontsize=8.8,
        color=INK,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
    )


def _verdict_text(comparison: Comparison, row: ContenderRow) -> str:
    """Return the verdict with the figures it rests on."""
    if row.difference is None:
        return row.verdict
    digits = decimals(comparison, row)
    text = f"{row.verdict}\n{signed(row.difference, digits)}"
    return (
        text if row.ci95 is None else f"{text} [{signed(row.ci95[0], digits)}, {signed(row.ci95[1], digits)}]"
    )
