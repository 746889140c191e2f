"""A sheet of pictures that a model drew beside true ones, and halves that it completed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, new_figure, png

ACROSS = 10
"""Pictures in a row of a sheet."""
GAP = 1
"""Pixels between pictures."""


def samples_png(drawn_NHW: NDArray[np.uint8], true_NHW: NDArray[np.uint8], levels: int) -> bytes:
    """Draw the pictures that a model drew above as many true ones, as a PNG file's bytes."""
    parts = {"Drawn by the model": drawn_NHW, "Validation pictures": true_NHW}
    sheets = [sheet(pictures, levels) for pictures in parts.values()]
    heights = [len(own) for own in sheets]
    figure = new_figure(0.9 + 6.0 * sum(heights) / sheets[0].shape[1])
    grid = figure.subplots(2, 1, height_ratios=heights)
    for axes, title, own in zip(grid, parts, sheets, strict=True):
        axes.imshow(own, cmap="gray_r", vmin=0, vmax=levels - 1, interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_axis_off()
    return png(figure)


def completed_png(
    given_NHW: NDArray[np.uint8], drawn_KNHW: NDArray[np.uint8], true_NHW: NDArray[np.uint8], levels: int
) -> bytes:
    """Draw in each column what was given of a picture, what the model made of it several times, and the truth."""
    rows = [given_NHW, *drawn_KNHW, true_NHW]
    names = ["given", *(f"completed {number + 1}" for number in range(len(drawn_KNHW))), "true"]
    stacked = np.concatenate(rows)
    whole = sheet(stacked, levels, across=len(given_NHW))
    figure = new_figure(0.6 + 5.2 * len(whole) / whole.shape[1])
    axes = figure.subplots()
    axes.imshow(whole, cmap="gray_r", vmin=0, vmax=levels - 1, interpolation="nearest")
    height = given_NHW.shape[1] + GAP
    axes.set_yticks(
        [GAP + height * row + (height - GAP) / 2 - 0.5 for row in range(len(rows))], names, fontsize=9
    )
    axes.set_xticks([])
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_title(
        "Halves of validation pictures, and how the model goes on", loc="left", fontsize=10, color=INK
    )
    return png(figure)


def sheet(pictures_NHW: NDArray[np.uint8], levels: int, *, across: int = ACROSS) -> NDArray[np.float64]:
    """Return pictures side by side as one, row by row, a third of the brightest grey between them."""
    count, height, width = pictures_NHW.shape
    down = -(-count // across)
    whole = np.full((down * (height + GAP) + GAP, across * (width + GAP) + GAP), (levels - 1) / 3)
    for number, picture in enumerate(pictures_NHW):
        row, column = divmod(number, across)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        whole[top : top + height, left : left + width] = picture
    return whole
