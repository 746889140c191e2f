"""Gradient flow as a picture: one panel a model, lags from left to right, norms on a logarithmic axis."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_rnn.training.flow import REMEMBERED, GradientFlow, PathFlow

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
INK, QUIET = "#1a1a1a", "#6b6b6b"
# Okabe & Ito's palette (2008); markers and line styles say the same without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LOWEST, HIGHEST = 1e-6, 1e6
"""What lies outside is not shown: nobody reads a difference there."""
COLUMNS = 3


def draw_flow(models: Sequence[tuple[str, Sequence[GradientFlow]]], format: str = "png") -> bytes:
    """Draw models, each a title and its flows (before training, after it), and return the file's bytes.

    Every line is a state path: its norm by lag as a multiple of that at the smallest lag, so that all start at 1.
    Dashed lines with hollow marks are fresh weights, solid ones with full marks trained weights; each path has its
    own mark and its name at the line's end. A dotted line marks 1 %, the legend says growth and horizon in figures.
    """
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "nas_rnn", "font.size": 9.5, "text.parse_math": False}):
        figure = _draw(models)
        target = io.BytesIO()
        metadata = {"Date": None} if format == "svg" else {"Software": None}
        figure.savefig(target, format=format, dpi=160, metadata=metadata)
    return target.getvalue()


def _draw(models: Sequence[tuple[str, Sequence[GradientFlow]]]) -> Figure:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(models))
    rows = math.ceil(len(models) / columns)
    figure = Figure(figsize=(1.0 + 4.2 * columns, 0.7 + 4.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = [axes for row in grid for axes in row]
    for axes, (title, flows) in zip(panels, models, strict=False):
        draw_panel(axes, title, flows)
    for axes in panels[len(models) :]:
        axes.set_visible(False)
    set_scale(panels[0], [path for _, flows in models for flow in flows for path in flow.paths])
    for row in grid:
        row[0].set_ylabel("gradient norm, as a multiple of that at lag 0")
    kinds = {flow.weights for _, flows in models for flow in flows}
    marks = {"fresh": "dashed, hollow marks: fresh weights", "trained": "solid, full marks: trained weights"}
    words = "    ".join(marks[kind] for kind in ("fresh", "trained") if kind in kinds)
    figure.supxlabel(f"lag: steps back from the loss\n{words}", fontsize=9, color=QUIET)
    figure.suptitle("How far back the loss reaches" + (": its gradient by state path" if columns > 1 else ""))
    return figure


def set_scale(axes: Axes, paths: Sequence[PathFlow]) -> None:
    """Set the vertical axis for panels of ``paths``: what lies within `LOWEST` .. `HIGHEST`, with powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    values = [value for path in paths for value in path.relative if value]
    low = max(LOWEST, min([*values, REMEMBERED / 2]))
    high = min(HIGHEST, max([*values, 1.0]))
    axes.set_yscale("log")
    axes.set_ylim(low / 1.6, high * 2.5)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=8))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, place: ""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: _power(value)))


def _power(value: float) -> str:
    """Return a power of ten as people write it: ``0.01``, ``10⁻⁴``."""
    if 1e-3 < value < 1e4:
        return f"{value:g}"
    return "10" + f"{math.log10(value):.0f}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def draw_panel(axes: Axes, title: str, flows: Sequence[GradientFlow]) -> None:
    """Draw one model into ``axes``, its legend below them."""
    steps = max(flow.steps for flow in flows)
    axes.axhline(REMEMBERED, color=QUIET, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
    axes.axhline(1.0, color="#d0d0d0", linewidth=0.8, zorder=0.5)
    ends: list[tuple[float, float, str]] = []
    for flow in flows:
        layers = len({path.layer for path in flow.paths})
        for number, path in enumerate(flow.paths):
            name = path.path if layers == 1 else f"{path.path}, layer {path.layer + 1}"
            points = _line(axes, number, path, name, flow)
            visible = [(lag, value) for lag, value in points if LOWEST <= value <= HIGHEST]
            ends += [(*visible[-1], name)] if visible else []
    axes.annotate(
        "1 %",
        (1.09 * steps, REMEMBERED),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8,
        color=QUIET,
    )
    _name_ends(axes, ends)
    axes.set_xlim(-0.02 * steps, 1.1 * steps)
    axes.set_title(title, loc="left", fontsize=10.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.07), fontsize=8, frameon=False, handlelength=3.2)


def _line(
    axes: Axes, number: int, path: PathFlow, name: str, flow: GradientFlow
) -> list[tuple[float, float]]:
    """Draw one path; return its points."""
    colour, trained = COLOURS[number % len(COLOURS)], flow.weights == "trained"
    points = [(float(lag), value) for lag, value in enumerate(path.relative) if value]
    axes.plot(
        [lag for lag, _ in points],
        [value for _, value in points],
        color=colour,
        linestyle="solid" if trained else (0, (4, 2.5)),
        linewidth=1.9 if trained else 1.2,
        marker=MARKERS[number % len(MARKERS)],
        markersize=5,
        markerfacecolor=colour if trained else "white",
        markeredgecolor=colour,
        markevery=(2 * number % max(1, flow.steps // 10), max(1, flow.steps // 10)),
        label=f"{name}, {flow.weights}: {describe(path, flow.steps)}",
        zorder=3 if trained else 2,
    )
    return points


def describe(path: PathFlow, steps: int) -> str:
    """Return a path's two figures in words: ``× 0.83 a step, 1 % at lag 22``."""
    if path.first is None:
        return "no gradient"
    growth = "" if path.growth is None else f"× {path.growth:.3g} a step, "
    return growth + (f"above 1 % at lag {steps}" if path.horizon is None else f"1 % at lag {path.horizon}")


def _name_ends(axes: Axes, ends: Sequence[tuple[float, float, str]]) -> None:
    """Write the paths' names beside their lines' ends, apart where they would hide each other."""
    placed: list[tuple[float, float]] = []
    for lag, value, name in sorted(ends, key=lambda end: end[1]):
        height = math.log10(value)
        while any(abs(height - other) < 0.4 and abs(lag - beside) < 4 for beside, other in placed):
            height += 0.4
        placed.append((lag, height))
        axes.annotate(
            name,
            (lag, 10**height),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
            style="italic",
            annotation_clip=False,
        )
