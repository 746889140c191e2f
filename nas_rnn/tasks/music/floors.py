"""What can be said of the next frame without a memory, or with one of a single frame.

Shapes: N pieces, T frames, K notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.music.rolls import NOTES, Roll, unpacked

Floats = NDArray[np.float64]
Shares = Callable[[Roll], Floats]
"""From frames (T, K) to how likely each note is in the one that follows, (T, K)."""


def frequencies(train: Arrays) -> Shares:
    """Return a table of each note by itself: how often it sounds in the training part.

    Every count begins at one frame with the note and one without (Laplace's rule of succession).
    """
    sounds_K, frames = np.ones(NOTES), 2
    for roll_TK in rolls(train):
        sounds_K += roll_TK[1:].sum(0)
        frames += len(roll_TK) - 1
    shares_K = sounds_K / frames
    return lambda roll_TK: np.broadcast_to(shares_K, roll_TK.shape)


def held(train: Arrays) -> Shares:
    """Return a table of each note by whether it sounds in the frame before: "the last frame again", as often as it is.

    Counts of a note lean on those of all notes together, as much as on one frame of its own.
    """
    counts_2K, sounds_2K = np.zeros((2, NOTES)), np.zeros((2, NOTES))
    for roll_TK in rolls(train):
        before_TK, after_TK = roll_TK[:-1], roll_TK[1:]
        for state, in_it_TK in enumerate((~before_TK, before_TK)):
            counts_2K[state] += in_it_TK.sum(0)
            sounds_2K[state] += (in_it_TK & after_TK).sum(0)
    pooled_2 = (sounds_2K.sum(1) + 1) / (counts_2K.sum(1) + 2)
    shares_2K = (sounds_2K + pooled_2[:, None]) / (counts_2K + 1)
    return lambda roll_TK: np.where(roll_TK, shares_2K[1], shares_2K[0])


def scored(shares: Shares, test: Arrays) -> dict[str, Floats]:
    """Return each piece's statistics of a table, as a model's."""
    rows = list[tuple[float, int, int, int]]()
    for roll_TK in rolls(test):
        said_TK, after_TK = shares(roll_TK[:-1]), roll_TK[1:]
        nats = -np.log(np.where(after_TK, said_TK, 1 - said_TK)).sum()
        likely_TK = said_TK > 0.5
        rows.append(
            (nats, len(after_TK), int((likely_TK & after_TK).sum()), int((likely_TK | after_TK).sum()))
        )
    columns = np.array(rows, dtype=np.float64).T
    return dict(zip(("nats", "frames", "hits", "either"), columns, strict=True))


def rolls(part: Arrays) -> Iterator[Roll]:
    """Give the roll (T, K) of each piece of a part."""
    for rolls_TP, length in zip(part["rolls"], part["lengths"].tolist(), strict=True):
        yield unpacked(rolls_TP[:length])
