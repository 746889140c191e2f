"""Pictures that several tasks draw with matplotlib, and the frame that all of them have."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET = "#1a1a1a", "#6b6b6b"
DPI = 120
WIDTH = 6.0
"""Inches: 720 pixels."""
MOST_WRITTEN = 16
"""Classes up to which every cell has its number; with more they would not be legible."""


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, of inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Figure, fonts: Sequence[str] = ()) -> bytes:
    """Return a figure as a PNG file's bytes; those ``fonts`` that there are are asked in turn for a sign."""
    import matplotlib

    if fonts:
        logging.getLogger("matplotlib.font_manager").setLevel(
            logging.ERROR
        )  # of those that are not installed
    family = list(fonts) or matplotlib.rcParams["font.family"]
    content = io.BytesIO()
    plain = matplotlib.rc_context(
        {"text.parse_math": False, "font.family": family}
    )  # names may hold dollar signs
    with plain, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a text may be in any writing
        figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()


def shortened(name: str, most: int = 12) -> str:
    """Return a name of at most so many characters."""
    return name if len(name) <= most else name[: most - 1] + "…"


def confusion(
    labels: NDArray[np.int64], answers: NDArray[np.int64], classes: Sequence[str], items: str
) -> bytes:
    """Draw how often each class (a row) was answered by each class (a column), as a PNG file's bytes.

    ``items`` is what has a class ("pictures").
    """
    count = len(classes)
    table = np.zeros((count, count), dtype=np.int64)
    np.add.at(table, (labels, answers), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = new_figure(5.3)
    axes = figure.subplots()
    image = axes.imshow(shares * 100, cmap="Blues", vmin=0, vmax=100)
    if count <= MOST_WRITTEN:
        for row, column in zip(*np.nonzero(table), strict=True):
            ink = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, str(table[row, column]), ha="center", va="center", color=ink, fontsize=10)
    _name_ticks(axes, classes)
    right = 100 * np.trace(table) / len(labels)
    axes.set_title(f"Validation: {right:.1f} % of {len(labels):,} {items} named correctly", loc="left")
    axes.set_xlabel("answered class")
    axes.set_ylabel("true class")
    bar = figure.colorbar(image, ax=axes, shrink=0.75, pad=0.02)
    bar.set_label(f"% of the true class's {items}")
    bar.outline.set_visible(False)
    return png(figure)


def _name_ticks(axes: Axes, classes: Sequence[str]) -> None:
    """Name the classes, every other or fewer where there are many, and cut long names."""
    every = -(-len(classes) // 40)
    names = [shortened(name) for name in classes[::every]]
    turned = any(len(name) > 3 for name in names) or len(names) > 20
    size = 10 if len(names) <= MOST_WRITTEN else 7
    places = range(0, len(classes), every)
    axes.set_xticks(places, names, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
