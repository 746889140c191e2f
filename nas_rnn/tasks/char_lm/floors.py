"""Tables of counts: what a text gives away without any memory, or with a memory of one character.

Shapes: N characters of a part, V symbols.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import PIECE, occurrences
from nas_rnn.tasks.streams import by_block as sums_by_block

Floats = NDArray[np.float64]


def unigram_bits(train_N: NDArray[np.integer], part_N: NDArray[np.integer], symbols: int) -> Floats:
    """Return the bits of every character of ``part`` but the first, by how often each occurs in ``train``.

    Every count is one larger than seen (Laplace's rule of succession), so that nothing is impossible.
    """
    counts_V = occurrences(train_N, symbols) + 1.0
    return np.asarray(-np.log2(counts_V / counts_V.sum())[part_N[1:]])


def bigram_bits(train_N: NDArray[np.integer], part_N: NDArray[np.integer], symbols: int) -> Floats:
    """Return the bits of every character of ``part`` but the first, by what follows the one before it in ``train``.

    Pairs that were seldom seen lean on the single characters: the counts of each row begin at those, scaled to add up
    to one per kind of character (Witten and Bell 1991: an unseen pair is as likely as a new kind was so far).
    """
    counts_VV = _pairs(train_N, symbols)
    single_V = occurrences(train_N, symbols) + 1.0
    kinds_V = np.maximum((counts_VV > 0).sum(1), 1)
    smoothed_VV = counts_VV + kinds_V[:, None] * (single_V / single_V.sum())
    bits_VV = -np.log2(smoothed_VV / smoothed_VV.sum(1, keepdims=True))
    return np.asarray(bits_VV[part_N[:-1], part_N[1:]])


def _pairs(train_N: NDArray[np.integer], symbols: int) -> NDArray[np.int64]:
    """Return how often each character (a column) follows each (a row), (V, V)."""
    counts = np.zeros(symbols**2, dtype=np.int64)
    for first in range(0, len(train_N) - 1, PIECE):
        piece = train_N[first : first + PIECE + 1].astype(np.int64)
        counts += np.bincount(piece[:-1] * symbols + piece[1:], minlength=symbols**2)
    return counts.reshape(symbols, symbols)


def by_block(bits_N: Floats, block_N: NDArray[np.int64], blocks: int) -> dict[str, Floats]:
    """Return the bits and the characters of each of so many blocks, as a model's statistics."""
    return dict(zip(("bits", "characters"), sums_by_block(bits_N, block_N, blocks), strict=True))
