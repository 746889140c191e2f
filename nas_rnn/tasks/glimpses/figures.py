"""Where a model of looks looks, and in which order, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, WIDTH, new_figure, png, shortened

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

MOST_NUMBERED = 64
"""Looks up to which each has its number."""


Boxes = Sequence[tuple[float, float, float, float]]
"""The top, left, height and width of each look, in pixels."""


def looks_on(pixels: NDArray[np.uint8], found: Boxes, order: str) -> bytes:
    """Draw the looks' outlines, numbered and joined in their order, on a picture, as a PNG file's bytes."""
    import matplotlib

    height, width = pixels.shape
    figure = new_figure(min(12.0, max(2.5, 0.5 + WIDTH * height / width)))
    axes = figure.subplots()
    axes.imshow(pixels, cmap="gray_r", interpolation="nearest", alpha=0.45)
    colours = matplotlib.colormaps["plasma"](np.linspace(0.0, 0.8, len(found)))
    _outline(axes, found, colours)
    _number(axes, found, colours)
    axes.set_title(
        f"{len(found)} looks of {found[0][2]:g} x {found[0][3]:g} pixels, order: {order}", loc="left", pad=14
    )
    axes.set_xlabel("column of pixels")
    axes.set_ylabel("row of pixels")
    axes.locator_params(integer=True)
    axes.tick_params(length=0, pad=11)  # beside the numbers of rows or columns
    axes.spines[:].set_visible(False)
    return png(figure)


def places_on(
    pixels_NHW: NDArray[np.uint8],
    boxes_N: Sequence[Boxes],
    answers_N: Sequence[tuple[str, str]],
    order: str,
) -> bytes:
    """Draw each picture's own looks on it, numbered and joined, with its class and the one that was answered."""
    import matplotlib

    across = 4
    down = -(-len(pixels_NHW) // across)
    figure = new_figure(0.7 + 2.2 * down, 8.0)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    height, width, count = *pixels_NHW.shape[1:], len(boxes_N[0])
    colours = matplotlib.colormaps["plasma"](np.linspace(0.0, 0.8, count))
    for axes in grid:
        axes.set_axis_off()
    for axes, pixels, found, (actual, answered) in zip(grid, pixels_NHW, boxes_N, answers_N, strict=False):
        axes.imshow(pixels, cmap="gray_r", interpolation="nearest", alpha=0.45)
        middles = np.array([(left + w / 2 - 0.5, top + h / 2 - 0.5) for top, left, h, w in found])
        axes.plot(middles[:, 0], middles[:, 1], color=QUIET, linewidth=0.8, zorder=2)
        _outline(axes, found, colours)
        for number, (column, row) in enumerate(middles, start=1):
            axes.text(column, row, str(number), ha="center", va="center", fontsize=7, color=INK, zorder=3)
        axes.set_xlim(-0.5 - width / 8, width - 0.5 + width / 8)
        axes.set_ylim(height - 0.5 + height / 8, -0.5 - height / 8)
        said = "right" if actual == answered else f"said {shortened(answered)}"
        axes.set_title(f"{shortened(actual)}: {said}", fontsize=9, color=INK)
    side = f"{boxes_N[0][0][2]:g} x {boxes_N[0][0][3]:g}"
    where = "places chosen by the policy" if order == "learned" else "random places"
    figure.suptitle(f"Validation pictures, {count} looks of {side} pixels: {where}", x=0.01, ha="left")
    return png(figure)


def _outline(axes: Axes, found: Boxes, colours: Any) -> None:
    from matplotlib.patches import Rectangle

    for (top, left, height, width), colour in zip(found, colours, strict=True):
        # A little inside, so that neighbours' outlines stand side by side.
        corner = (left - 0.45, top - 0.45)
        axes.add_patch(
            Rectangle(corner, width - 0.1, height - 0.1, fill=False, edgecolor=colour, linewidth=1.4)
        )


def _number(axes: Axes, found: Boxes, colours: Any) -> None:
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
