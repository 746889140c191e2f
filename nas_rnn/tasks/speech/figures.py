"""Recordings with several labels, and where a model tells each, as one picture; which label is taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import INK, QUIET, confusion, new_figure, png, shortened
from nas_rnn.tasks.series.figures import OTHERS, Look, class_colours, draw_legend, draw_series, plain_axes
from nas_rnn.tasks.speech.scores import aligned
from nas_rnn.tasks.speech.showing import Hearing, is_spectrum

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

MOST_ROWS = 4
"""Recordings of one picture."""
MISSED = "nothing"


def look(variables: Sequence[str]) -> Look:
    """Return how features are drawn: a spectrum as a spectrogram."""
    if is_spectrum(variables):
        return Look(items="recordings", steps="frames", rows="mel band", upwards=True, colours="magma")
    return Look(items="recordings", steps="frames", rows="cepstrum")


def told_rows(hearings: Sequence[Hearing], meta: Mapping[str, Any]) -> bytes:
    """Draw the first recordings, each above the shares of labels after every frame, as a PNG file's bytes."""
    own, classes = hearings[:MOST_ROWS], meta["classes"]
    figure = new_figure(0.9 + 2.5 * len(own), 7.5)
    grid = figure.subplots(2 * len(own), 1, squeeze=False, height_ratios=[3, 2] * len(own))
    colours, drawn_as = class_colours(len(classes)), look(meta["variables"])
    for place, one in enumerate(own):
        upper, lower = grid[2 * place, 0], grid[2 * place + 1, 0]
        draw_series(upper, one.series, meta, drawn_as)
        _draw_told(lower, one, colours)
        said, told = (" ".join(classes[label] for label in labels) for labels in (one.labels, one.told))
        upper.set_title(
            shortened(f"said {said}; told {told or 'nothing'}", 90), loc="left", fontsize=10, color=INK
        )
        upper.set_ylabel(drawn_as.rows, fontsize=8)
        lower.set_ylabel("share", fontsize=8)
    grid[-1, 0].set_xlabel("frames", fontsize=8)
    draw_legend(figure, classes, colours)
    figure.suptitle("Validation recordings, and when each label is told; grey: the blank", fontsize=11)
    return png(figure)


def _draw_told(axes: Axes, one: Hearing, colours: NDArray[Any] | None) -> None:
    frames = np.arange(1, len(one.shares) + 1)
    labels_TK, blank_T = one.shares[:, :-1], one.shares[:, -1]
    if colours is None:
        right_T = labels_TK[:, sorted(set(one.labels))].sum(1)
        axes.stackplot(frames, right_T, labels_TK.sum(1) - right_T, colors=["#2a6fbb", OTHERS])
    else:
        axes.stackplot(frames, labels_TK.T, colors=colours)
    axes.plot(frames, blank_T, color=QUIET, linewidth=0.6)
    plain_axes(axes, len(frames))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])


def told_confusion(
    answers: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]], classes: Sequence[str]
) -> bytes:
    """Draw how often each label was told as each, or left out, where answers are aligned to what was said."""
    pairs = [
        pair for one, other in zip(answers, wanted, strict=True) for pair in aligned(one, other, len(classes))
    ]
    said_L, told_L = np.array(pairs, dtype=np.int64).T
    return confusion(said_L, told_L, [*classes, MISSED], "labels")
