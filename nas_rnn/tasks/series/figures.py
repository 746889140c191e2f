"""A series of each class, and what a model takes it for while it reads, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, new_figure, png, shortened
from nas_rnn.tasks.series.examples import Reading

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

MOST_CLASSES = 9
"""So many are drawn."""
MOST_COLOURED = 10
"""Classes up to which each has a colour."""
MOST_LINES = 8
"""Variables up to which each is a line; more are rows of a heat map."""
OTHERS = "#d0d0d0"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How series are drawn, and what pictures call them, their steps and, where these are a heat map, its rows.

    ``upwards``: the first variable is the lowest row, as of a spectrum; ``colours`` is a map of matplotlib's.
    """

    items: str = "series"
    steps: str = "steps"
    rows: str = "variable"
    upwards: bool = False
    colours: str = "RdBu_r"


def typical(readings: Sequence[Reading]) -> list[Reading]:
    """Return of each class the reading that ends surest of it, up to `MOST_CLASSES` of them."""
    best = dict[int, Reading]()
    for reading in readings:
        label = reading.example.label
        if label not in best or reading.shares()[-1, label] > best[label].shares()[-1, label]:
            best[label] = reading
    return [best[label] for label in sorted(best)][:MOST_CLASSES]


def series_read(readings: Sequence[Reading], meta: Mapping[str, Any], look: Look = Look()) -> bytes:
    """Draw each series above the shares of the classes after each step, as a PNG file's bytes."""
    classes = meta["classes"]
    columns = min(3, len(readings))
    rows = -(-len(readings) // columns)
    figure = new_figure(0.9 + 2.6 * rows, max(4.5, 3.2 * columns))
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3, 2] * rows)
    colours = class_colours(len(classes))
    for place, reading in enumerate(readings):
        row, column = divmod(place, columns)
        upper, lower = grid[2 * row, column], grid[2 * row + 1, column]
        draw_series(upper, reading.example.series, meta, look)
        _draw_shares(lower, reading, colours)
        right = int(reading.logits[-1].argmax()) == reading.example.label
        name = shortened(f"class {classes[reading.example.label]}", 28)
        upper.set_title(f"{name}{'' if right else ' (wrong)'}", loc="left", fontsize=10, color=INK)
        if column == 0:
            upper.set_ylabel(
                "value, scaled" if len(meta["variables"]) <= MOST_LINES else look.rows, fontsize=8
            )
            lower.set_ylabel("share", fontsize=8)
        if place + columns >= len(readings):
            lower.set_xlabel(f"{look.steps} read", fontsize=8)
    for empty in range(len(readings), rows * columns):
        row, column = divmod(empty, columns)
        grid[2 * row, column].set_axis_off()
        grid[2 * row + 1, column].set_axis_off()
    draw_legend(figure, classes, colours)
    figure.suptitle(
        f"Of each class the validation {look.items} told surest, and the answers while read", fontsize=11
    )
    return png(figure)


def draw_series(axes: Axes, series_TV: NDArray[Any], meta: Mapping[str, Any], look: Look) -> None:
    """Draw a series: its variables as lines or, where they are many, as rows of a heat map."""
    values_TV = (series_TV - np.array(meta["mean"])) / np.array(meta["deviation"])
    steps = len(values_TV)
    if values_TV.shape[1] <= MOST_LINES:
        axes.plot(np.arange(1, steps + 1), values_TV, linewidth=1.1)
    else:
        low, high = 0.5, values_TV.shape[1] + 0.5
        extent = (0.5, steps + 0.5, low, high) if look.upwards else (0.5, steps + 0.5, high, low)
        axes.imshow(
            values_TV.T,
            aspect="auto",
            cmap=look.colours,
            vmin=-3,
            vmax=3,
            extent=extent,
            interpolation="nearest",
            origin="lower" if look.upwards else "upper",
        )
    plain_axes(axes, steps)
    axes.tick_params(labelbottom=False)


def _draw_shares(axes: Axes, reading: Reading, colours: NDArray[Any] | None) -> None:
    shares_MC, after = reading.shares(), np.array(reading.after)
    label = reading.example.label
    if colours is None:
        own_M = shares_MC[:, label]
        axes.stackplot(
            after, own_M, 1 - own_M, colors=["#2a6fbb", OTHERS], step="mid" if len(after) < 2 else None
        )
    else:
        order = [label, *(other for other in range(shares_MC.shape[1]) if other != label)]
        axes.stackplot(after, shares_MC[:, order].T, colors=colours[order])
    plain_axes(axes, int(after[-1]))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])


def plain_axes(axes: Axes, steps: int) -> None:
    """Give axes over so many steps quiet ticks and no frame."""
    axes.set_xlim(0.5 if steps < 2 else 1, max(steps, 1.5))
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.tick_params(labelsize=7, length=2, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)


def class_colours(count: int) -> NDArray[Any] | None:
    """Return a colour for each of so many classes; None where they are too many to be told apart."""
    import matplotlib

    return matplotlib.colormaps["tab10"](np.arange(count)) if count <= MOST_COLOURED else None


def draw_legend(figure: Any, classes: Sequence[str], colours: NDArray[Any] | None) -> None:
    """Name the colours of answered classes below a figure."""
    from matplotlib.patches import Patch

    named = (
        zip(classes, colours, strict=True)
        if colours is not None
        else [("its own class", "#2a6fbb"), ("all others", OTHERS)]
    )
    handles = [Patch(color=colour, label=shortened(str(name), 16)) for name, colour in named]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 5 if len(handles) > 9 else 9),
        frameon=False,
        fontsize=8,
        title="answered class",
        title_fontsize=8,
    )
