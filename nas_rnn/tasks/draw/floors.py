"""What can be said of a pixel without a memory, or with one of a single pixel.

Shapes: N pictures of H x W, L levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    return _scored(bits_HWL[rows, columns, test_NHW])


def after_the_left(train_NHW: Levels, test_NHW: Levels, levels: int) -> dict[str, Floats]:
    """Return each test picture's statistics by histograms after each level of the pixel to the left.

    A row begins after a level of its own. Counts lean on the frequencies of all levels, as much as on one pixel.
    """
    train_P, before_P = _with_left(train_NHW, levels)
    frequency_L = (np.bincount(train_P, minlength=levels) + 1 / levels) / (len(train_P) + 1)
    counts_LL = np.bincount(before_P * levels + train_P, minlength=(levels + 1) * levels).reshape(-1, levels)
    shares_LL = (counts_LL + frequency_L) / (counts_LL.sum(1, keepdims=True) + 1)
    test_P, left_P = _with_left(test_NHW, levels)
    return _scored(-np.log2(shares_LL[left_P, test_P]).reshape(test_NHW.shape))


def _with_left(levels_NHW: Levels, levels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    left_NHW = np.pad(levels_NHW.astype(np.int64), ((0, 0), (0, 0), (1, 0)), constant_values=levels)[..., :-1]
    return levels_NHW.astype(np.int64).ravel(), left_NHW.ravel()


def _scored(bits_NHW: Floats) -> dict[str, Floats]:
    count = len(bits_NHW)
    return {"bits": bits_NHW.sum((1, 2)), "pixels": np.full(count, float(bits_NHW[0].size))}
