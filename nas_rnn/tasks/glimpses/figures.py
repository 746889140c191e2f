"""Where a model of looks looks, and in which order, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, WIDTH, new_figure, png
from nas_rnn.tasks.glimpses.looks import boxes

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

MOST_NUMBERED = 64
"""Looks up to which each has its number."""


def looks_on(pixels: NDArray[np.uint8], looks_TP: NDArray[np.int64], order: str) -> bytes:
    """Draw the looks' outlines, numbered and joined in their order, on a picture, as a PNG file's bytes."""
    import matplotlib

    height, width = pixels.shape
    figure = new_figure(min(12.0, max(2.5, 0.5 + WIDTH * height / width)))
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
    return png(figure)


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
