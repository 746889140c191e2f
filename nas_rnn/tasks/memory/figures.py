"""Pictures of how long a model remembers: solved series by length, and the singular values of its Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, new_figure, png

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

BLUE, RED = "#2a6fb0", "#c0392b"
LEAST = 1e-12
"""Below this a gradient is drawn as none."""


def solved_png(solved: Sequence[tuple[int, float]], trained: int, chance: float) -> bytes:
    """Draw the per cent solved over the length, with the training length and what chance comes to, as a PNG file."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    lengths, shares = zip(*solved, strict=True)
    axes.axvline(trained, color=QUIET, linewidth=0.8, linestyle=":")
    axes.annotate(
        "trained on", (trained, 3), xytext=(4, 0), textcoords="offset points", color=QUIET, fontsize=9
    )
    axes.axhline(chance, color=RED, linewidth=0.9, linestyle="--")
    axes.annotate(
        "without reading", (min(lengths), chance), xytext=(0, 3), textcoords="offset points", color=RED, fontsize=9
    )  # fmt: skip
    axes.plot(lengths, shares, color=BLUE, marker="o", markersize=4)
    axes.set_ylim(-2, 102)
    axes.set_xlim(left=0)
    axes.set_title("How many series are solved, by their length", loc="left", color=INK, fontsize=11)
    axes.set_xlabel("length (steps)")
    axes.set_ylabel("% solved")
    _plain(axes)
    return png(figure)


def jacobians_png(steps: NDArray[np.int64], one: NDArray[np.float64], back: NDArray[np.float64]) -> bytes:
    """Draw the largest singular value of each step's Jacobian, and of all from the end back to it, as a PNG file."""
    figure = new_figure(4.6)
    above, below = figure.subplots(2, 1, sharex=True)
    draw_norms(above, steps, one, BLUE)
    above.set_title("Largest singular value of each step's Jacobian", loc="left", color=INK, fontsize=10)
    draw_norms(below, steps, back, BLUE)
    title = "... and of the product from the last step back to this one"
    below.set_title(title, loc="left", color=INK, fontsize=10)
    below.set_xlabel("step; above the line a gradient can grow, below it must shrink")
    return png(figure)


def draw_norms(
    axes: Axes, steps: NDArray[np.int64], norms: NDArray[np.float64], colour: str, label: str = ""
) -> None:
    """Draw norms over steps on a scale of powers of ten, with a line at 1; what is not finite is left out."""
    axes.axhline(1.0, color=QUIET, linewidth=0.8)
    shown = np.where(np.isfinite(norms), np.maximum(norms, LEAST), np.nan)
    axes.plot(steps, shown, color=colour, linewidth=1.5, label=label)
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=9, length=2, colors=QUIET)
    axes.grid(linewidth=0.4, color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
