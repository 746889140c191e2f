"""A sheet of pictures with what was written of them, and their references."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.outside import shown
from nas_rnn.tasks.figures import INK, QUIET, new_figure, png

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

RIGHT = "#1e7b34"
COLUMNS, WIDTH, HEIGHT = 2, 10.0, 1.5
"""Pictures side by side; inches of the sheet, and of a row."""
WRAPPED, MOST_LINES = 44, 6
"""Characters of a line beside a picture, and lines."""
FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "sans-serif"]
"""Those of them that there are are asked in turn for a sign."""


@dataclass(frozen=True)
class Told:
    """A picture's pixels (C, S, S), what was written of it, and its references, none for a picture of the user's."""

    pixels: NDArray[np.uint8]
    written: str
    references: Sequence[str]

    @property
    def right(self) -> bool:
        """Whether it is one of the references."""
        return self.written in self.references


def sheet_of(told: Sequence[Told]) -> bytes:
    """Draw each picture with its caption, green where it is a reference, and its references in grey, as a PNG."""
    columns = min(COLUMNS, len(told))
    rows = -(-len(told) // columns)
    figure = new_figure(0.5 + HEIGHT * rows, WIDTH * columns / COLUMNS)
    panels = figure.subplots(
        rows, 2 * columns, squeeze=False, gridspec_kw={"width_ratios": [1, 2.6] * columns}
    )
    for axes in panels.ravel():
        axes.set_axis_off()
    for place, one in enumerate(told):
        row, column = divmod(place, columns)
        picture, words = panels[row, 2 * column : 2 * column + 2]
        _draw(picture, one)
        _write(words, one)
    if all(one.references for one in told):
        right = sum(one.right for one in told)
        figure.suptitle(
            f"What was written of validation pictures; {right} of {len(told)} captions are a reference (green)",
            fontsize=11,
        )
    return png(figure, FONTS)


def _draw(axes: Axes, one: Told) -> None:
    if len(one.pixels) == 3:
        axes.imshow(np.moveaxis(one.pixels, 0, -1), interpolation="nearest")
    else:
        axes.imshow(one.pixels[0], cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")


def _write(axes: Axes, one: Told) -> None:
    own = lines_of([one.written], MOST_LINES) or ["(nothing)"]
    others = lines_of(one.references, max(1, MOST_LINES - len(own)))
    colour = RIGHT if one.right else INK
    place: dict[str, Any] = {"transform": axes.transAxes, "va": "top", "linespacing": 1.25}
    axes.text(0.0, 0.98, "\n".join(own), color=colour, fontsize=10, fontweight="bold", **place)
    below = "\n" * len(own) + "\n".join(others)
    axes.text(0.0, 0.98, below, color=QUIET, fontsize=10, **place)


def lines_of(texts: Sequence[str], most: int) -> list[str]:
    """Return as many of the first texts as fit into ``most`` lines, each whole; one that alone does not ends in "…".

    Of several texts each begins with a dash.
    """
    dash, found = "– " * (len(texts) > 1), list[str]()
    for text in texts:
        own = textwrap.wrap(shown(text), WRAPPED, initial_indent=dash, subsequent_indent=" " * 2 * len(dash))
        if len(own) > most and not found:
            return [*own[: most - 1], f"{own[most - 1]} …"]
        if len(found) + len(own) > most:
            break
        found += own
    return found
