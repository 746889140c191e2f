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
    keys, counts = _pair_counts(train_N, symbols)
    single_V = occurrences(train_N, symbols) + 1.0
    kinds_V = np.maximum(np.bincount(keys[:-1] // symbols, minlength=symbols), 1)
    follow_V = occurrences(train_N[:-1], symbols)
    pairs_N, before_N, after_N = _pairs(part_N, symbols), part_N[:-1], part_N[1:]
    places = np.searchsorted(keys, pairs_N)
    seen_N = np.where(keys[places] == pairs_N, counts[places], 0)
    smoothed_N = seen_N + kinds_V[before_N] * (single_V / single_V.sum())[after_N]
    return np.asarray(-np.log2(smoothed_N / (follow_V + kinds_V)[before_N]))


def _pair_counts(train_N: NDArray[np.integer], symbols: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the pairs that occur, ascending, and how often each does.

    Of many symbols most pairs never occur. The last number is one that no pair has: what is looked up lies before it.
    """
    keys, counts = np.array([symbols**2]), np.zeros(1, dtype=np.int64)
    for first in range(0, len(train_N) - 1, PIECE):
        own, times = np.unique(_pairs(train_N[first : first + PIECE + 1], symbols), return_counts=True)
        keys, places = np.unique(np.concatenate([keys, own]), return_inverse=True)
        counts = np.bincount(places, weights=np.concatenate([counts, times])).astype(np.int64)
    return keys, counts


def _pairs(codes_N: NDArray[np.integer], symbols: int) -> NDArray[np.int64]:
    """Return the number of each character with the one behind it, (N - 1,)."""
    numbers = codes_N.astype(np.int64)
    pairs: NDArray[np.int64] = numbers[:-1] * symbols + numbers[1:]
    return pairs


def by_block(bits_N: Floats, block_N: NDArray[np.int64], blocks: int) -> dict[str, Floats]:
    """Return the bits and the characters of each of so many blocks, as a model's statistics."""
    return dict(zip(("bits", "characters"), sums_by_block(bits_N, block_N, blocks), strict=True))
