"""What a model of looks does, as pictures: which classes it confuses, and where it looks in which order."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.glimpses.looks import boxes

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET = "#1a1a1a", "#6b6b6b"
DPI = 120
WIDTH = 6.0
"""Inches: 720 pixels."""
MOST_WRITTEN = 16
"""Classes up to which every cell has its number; with more they would not be legible."""
MOST_NUMBERED = 64
"""Looks up to which each has its number."""


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Draw how often each class (a row) was answered by each class (a column), as a PNG file's bytes."""
    count = len(classes)
    table = np.zeros((count, count), dtype=np.int64)
    np.add.at(table, (labels, answers), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = _figure(5.3)
    axes = figure.subplots()
    image = axes.imshow(shares * 100, cmap="Blues", vmin=0, vmax=100)
    if count <= MOST_WRITTEN:
        for row, column in zip(*np.nonzero(table), strict=True):
            ink = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, str(table[row, column]), ha="center", va="center", color=ink, fontsize=10)
    _name_ticks(axes, classes)
    right = 100 * np.trace(table) / len(labels)
    axes.set_title(f"Validation: {right:.1f} % of {len(labels):,} pictures named correctly", loc="left")
    axes.set_xlabel("answered class")
    axes.set_ylabel("true class")
    bar = figure.colorbar(image, ax=axes, shrink=0.75, pad=0.02)
    bar.set_label("% of the true class's pictures")
    bar.outline.set_visible(False)
    return _png(figure)


def looks_on(pixels: NDArray[np.uint8], looks_TP: NDArray[np.int64], order: str) -> bytes:
    """Draw the looks' outlines, numbered and joined in their order, on a picture, as a PNG file's bytes."""
    import matplotlib

    height, width = pixels.shape
    figure = _figure(min(12.0, max(2.5, 0.5 + WIDTH * height / width)))
    axes = figure.subplots()
    axes.imshow(pixels, cmap="gray_r", interpolation="nearest", alpha=0.45)
    found = boxes(looks_TP, pixels.shape[1])
    colours = matplotlib.colormaps["plasma"](np.linspace(0.0, 0.8, len(found)))
    _outline(axes, found, colours)
    _number(axes, found, colours)
    axes.set_title(
        f"{len(found)} looks of {found[0][2]} x {found[0][3]} pixels, order: {order}", loc="left", pad=14
    )
    axes.set_xlabel("column of pixels")
    axes.set_ylabel("row of pixels")
    axes.locator_params(integer=True)
    axes.tick_params(length=0, pad=11)  # beside the numbers of rows or columns
    axes.spines[:].set_visible(False)
    return _png(figure)


def _outline(axes: Axes, found: list[tuple[int, int, int, int]], colours: Any) -> None:
    from matplotlib.patches import Rectangle

    for (top, left, height, width), colour in zip(found, colours, strict=True):
        # A little inside, so that neighbours' outlines stand side by side.
        corner = (left - 0.45, top - 0.45)
        axes.add_patch(
            Rectangle(corner, width - 0.1, height - 0.1, fill=False, edgecolor=colour, linewidth=1.4)
        )


def _number(axes: Axes, found: list[tuple[int, int, int, int]], colours: Any) -> None:
    """Join the looks by a line and number them where there is room: in the middle, or at the end of a line."""
    marks = np.array([(left + (width - 1) / 2, top + (height - 1) / 2) for top, left, height, width in found])
    for axis in (0, 1):
        if len(set(marks[:, axis])) == 1:  # rows or columns: beside the picture, not on it
            marks[:, axis] = -0.5
    axes.plot(marks[:, 0], marks[:, 1], color=QUIET, linewidth=1.0, zorder=2, clip_on=False)
    numbered = range(len(found)) if len(found) <= MOST_NUMBERED else (0, len(found) - 1)
    size = 10 if len(found) <= 16 else 7
    for place in numbered:
        box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colours[place]}
        axes.text(
            float(marks[place, 0]),
            float(marks[place, 1]),
            str(place + 1),
            ha="center",
            va="center",
            fontsize=size,
            color=INK,
            bbox=box,
            zorder=3,
        )


def _name_ticks(axes: Axes, classes: Sequence[str]) -> None:
    """Name the classes, every other or fewer where there are many, and cut long names."""
    every = -(-len(classes) // 40)
    names = [name if len(name) <= 12 else name[:11] + "…" for name in classes[::every]]
    turned = any(len(name) > 3 for name in names) or len(names) > 20
    size = 10 if len(names) <= MOST_WRITTEN else 7
    places = range(0, len(classes), every)
    axes.set_xticks(places, names, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    import matplotlib

    content = io.BytesIO()
    with matplotlib.rc_context({"text.parse_math": False}):  # names of classes may hold dollar signs
        figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()
