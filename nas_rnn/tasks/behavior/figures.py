"""What a model expected in a session as a table of cells, and recall among ever more first items as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, new_figure, png, shortened

if TYPE_CHECKING:  # matplotlib's figures take half a second to import
    from matplotlib.axes import Axes

RIGHT, WRONG = "#1b7f3b", "#b3401f"
COLOURS = ("#1f5fa8", "#8a8a8a", "#c4c4c4")


@dataclass(frozen=True)
class Step:
    """An item that was seen, the likeliest ``guesses`` with their shares, what came, its share, and its place.

    The place is counted from 1; 0 for an item that the model does not know.
    """

    seen: str
    guesses: Sequence[tuple[str, float]]
    came: str
    share: float
    place: int


def steps_png(steps: Sequence[Step]) -> bytes:
    """Draw a session, a row a step: the item seen, the likeliest next on their shade, and what came."""
    guesses = len(steps[0].guesses)
    columns = guesses + 2
    figure = new_figure(0.8 + 0.3 * len(steps), 1.55 * columns)
    axes = figure.subplots()
    axes.set_xlim(0, columns)
    axes.set_ylim(len(steps), -0.8)
    axes.axis("off")
    titles = ["seen", *(f"expected {place}" for place in range(1, guesses + 1)), "came (place)"]
    for column, title in enumerate(titles):
        axes.text(column + 0.05, -0.3, title, fontsize=8.5, color=QUIET, va="center")
    import matplotlib

    shades = matplotlib.colormaps["Blues"]
    for row, step in enumerate(steps):
        _cell(axes, row, 0, step.seen, INK)
        for column, (name, share) in enumerate(step.guesses, 1):
            right = name == step.came
            level = 0.65 * float(np.sqrt(share))
            _cell(
                axes,
                row,
                column,
                f"{shortened(name, 14)}  {100 * share:.0f} %",
                RIGHT if right else INK,
                shades(level),
                right,
            )
        place = str(step.place) if step.place else "not known"
        found = 0 < step.place <= guesses
        _cell(axes, row, columns - 1, f"{shortened(step.came, 15)} ({place})", RIGHT if found else WRONG)
    axes.set_title("What the model expected next in a validation session", loc="left", fontsize=10)
    return png(figure)


def _cell(
    axes: Axes,
    row: int,
    column: int,
    text: str,
    ink: str,
    shade: tuple[float, float, float, float] | None = None,
    strong: bool = False,
) -> None:
    if shade is not None:
        axes.fill_between([column, column + 0.96], row + 0.04, row + 0.96, color=shade, linewidth=0)
    weight = "bold" if strong else "normal"
    axes.text(
        column + 0.05, row + 0.5, shortened(text, 22), fontsize=8, color=ink, va="center", weight=weight
    )


def recall_png(curves: Mapping[str, NDArray[np.float64]], top: int) -> bytes:
    """Draw how often the next item is among the first 1, 2, ... items, of the model and of what has no memory."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        places = np.arange(1, len(values) + 1)
        axes.plot(places, values, color=colour, linewidth=1.8, label=name)
    last = max(map(len, curves.values()))
    if top <= last:
        axes.axvline(top, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_xlim(1, last)
    axes.set_ylim(0, 104)
    axes.set_xlabel("first items that are looked at")
    axes.set_ylabel("next item among them, %")
    axes.set_title("Validation: recall", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    # Beside their ends names would lie upon each other: with few items all curves come to 100.
    figure.legend(loc="outside upper right", ncols=len(curves), frameon=False, fontsize=9)
    return png(figure)
