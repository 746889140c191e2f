"""What can be said of a pixel without a memory, or with one of a single pixel.

Shapes: N pictures of H x W, L levels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import PIECE

Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]


def by_position(train_NHW: Levels, test_NHW: Levels, levels: int) -> dict[str, Floats]:
    """Return each test picture's statistics by a histogram of each position.

    Every count begins at 1 / L, in all one picture more (Perks 1947).
    """
    counts_HWL = np.full((*train_NHW.shape[1:], levels), 1 / levels)
    for level in range(levels):
        counts_HWL[..., level] += (train_NHW == level).sum(0)
    bits_HWL = -np.log2(counts_HWL / counts_HWL.sum(-1, keepdims=True))
    rows, columns = np.indices(test_NHW.shape[1:])
    bits_N = [bits_HWL[rows, columns, some_NHW].sum((1, 2)) for some_NHW in _some(test_NHW)]
    return _scored(np.concatenate(bits_N), test_NHW[0].size)


def after_the_left(train_NHW: Levels, test_NHW: Levels, levels: int) -> dict[str, Floats]:
    """Return each test picture's statistics by histograms after each level of the pixel to the left.

    A row begins after a level of its own. Counts lean on the frequencies of all levels, as much as on one pixel.
    """
    counts_LL = np.zeros((levels + 1, levels), dtype=np.int64)
    for some_NHW in _some(train_NHW):
        pairs_NHW = _left_of(some_NHW, levels) * levels + some_NHW
        counts_LL += np.bincount(pairs_NHW.ravel(), minlength=counts_LL.size).reshape(counts_LL.shape)
    frequency_L = (counts_LL.sum(0) + 1 / levels) / (counts_LL.sum() + 1)
    bits_LL = -np.log2((counts_LL + frequency_L) / (counts_LL.sum(1, keepdims=True) + 1))
    bits_N = [bits_LL[_left_of(some_NHW, levels), some_NHW].sum((1, 2)) for some_NHW in _some(test_NHW)]
    return _scored(np.concatenate(bits_N), test_NHW[0].size)


def _some(levels_NHW: Levels) -> Iterator[Levels]:
    """Give the pictures in order, so many at a time that their pixels as whole numbers of 64 bits are no burden."""
    step = max(1, PIECE // levels_NHW[0].size)
    for first in range(0, len(levels_NHW), step):
        yield levels_NHW[first : first + step]


def _left_of(levels_NHW: Levels, levels: int) -> NDArray[np.int64]:
    return np.pad(levels_NHW.astype(np.int64), ((0, 0), (0, 0), (1, 0)), constant_values=levels)[..., :-1]


def _scored(bits_N: Floats, pixels: int) -> dict[str, Floats]:
    return {"bits": bits_N, "pixels": np.full(len(bits_N), float(pixels))}
