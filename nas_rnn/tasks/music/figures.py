"""Piano rolls as one picture: what a model wrote, how sure it was, and how the piece goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, new_figure, png, shortened
from nas_rnn.tasks.music.rolls import LOWEST, NOTES, Written, note_name

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

SPARE = 2
"""Keys that are drawn above and below those that sound."""
GIVEN = "#fff3d6"


def rolls_png(written: Written) -> bytes:
    """Draw the roll that was written, the likelihood of each note, and the piece itself where there is one."""
    frames = len(written.roll)
    panels: list[tuple[str, NDArray[np.float64]]] = [
        ("What the model wrote", written.roll.astype(np.float64)),
        ("How likely it held each note to be, before it chose", np.nan_to_num(written.shares)),
    ]
    if written.piece is not None:
        own = np.zeros((frames, NOTES))
        own[: len(written.piece.roll)] = written.piece.roll[:frames]
        panels.append((f"How {shortened(written.piece.name, 40)} goes on", own))
    heard = np.flatnonzero(np.any([panel.max(0) > 0.5 for _, panel in panels], axis=0))
    low, high = (int(heard[0]), int(heard[-1])) if len(heard) else (NOTES // 2, NOTES // 2 + 1)
    low, high = max(0, low - SPARE), min(NOTES - 1, high + SPARE)
    figure = new_figure(0.5 + 2.1 * len(panels), 8.0)
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (title, panel) in zip(grid, panels, strict=True):
        axes.axvspan(0, written.given, color=GIVEN, zorder=0)
        shades = np.ma.masked_less(panel.T, 0.02)
        axes.imshow(
            shades,
            aspect="auto",
            cmap="Blues",
            vmin=0.0,
            vmax=1.0,
            origin="lower",
            interpolation="nearest",
            extent=(0, frames, -0.5, NOTES - 0.5),
            zorder=1,
        )
        _name_keys(axes, low, high)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
    grid[-1].set_xlabel(f"frame; the first {written.given}, shaded, were given", fontsize=9)
    grid[-1].locator_params(axis="x", integer=True)
    return png(figure)


def _name_keys(axes: Axes, low: int, high: int) -> None:
    """Show the keys ``low`` to ``high``, and name every C and G."""
    named = [key for key in range(low, high + 1) if (key + LOWEST) % 12 in (0, 7)]
    axes.set_ylim(low - 0.5, high + 0.5)
    axes.set_yticks(named, [note_name(key + LOWEST) for key in named], fontsize=8)
    axes.tick_params(labelsize=8, length=2, colors=QUIET)
    axes.grid(axis="y", linewidth=0.4, color="#e4e4e4", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
