"""What a text gives away without any memory, or with a memory of one word.

Shapes: N words of a part, V of the vocabulary. Pairs are counted only where an evaluated part has them, so that neither
a large vocabulary nor a long text fills the memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import PIECE, Symbols, occurrences

Floats = NDArray[np.float64]

HALVINGS = 30
"""How often the interval that the best weight lies in is halved."""


def unigram_shares(train_N: Symbols, part_N: Symbols, words: int) -> Floats:
    """Return the probability of every word of ``part`` but the first, by how often each occurs in ``train``.

    Every count is one larger than seen (Laplace's rule of succession), so that nothing is impossible.
    """
    counts_V = occurrences(train_N, words) + 1.0
    shares: Floats = (counts_V / counts_V.sum())[part_N[1:]]
    return shares


def bigram_shares(train_N: Symbols, part_N: Symbols, words: int) -> Floats:
    """Return the probability of every word but the first by how often it follows the one before it in ``train``.

    0 for a pair that ``train`` lacks; after a word that nothing follows there, the probability without memory.
    """
    keys = np.unique(_pairs(part_N, words))
    counts = np.zeros(len(keys), dtype=np.int64)
    for first in range(0, len(train_N) - 1, PIECE):
        # Different pairs in order: looking them up then goes through the keys once.
        pairs, times = np.unique(_pairs(train_N[first : first + PIECE + 1], words), return_counts=True)
        places = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
        there = keys[places] == pairs
        counts[places[there]] += times[there]
    follows_V = occurrences(train_N[:-1], words)
    before_N, after_N = follows_V[part_N[:-1]], counts[np.searchsorted(keys, _pairs(part_N, words))]
    shares: Floats = np.where(
        before_N > 0, after_N / np.maximum(before_N, 1), unigram_shares(train_N, part_N, words)
    )
    return shares


def interpolated(train_N: Symbols, valid_N: Symbols, part_N: Symbols, words: int) -> Floats:
    """Return the probability of every word of ``part`` but the first: w times that by pairs, 1 - w that without memory.

    The weight w is the best one for the validation part, as in the deleted interpolation of Jelinek & Mercer (1980).
    """
    weight = best_weight(bigram_shares(train_N, valid_N, words), unigram_shares(train_N, valid_N, words))
    pairs, single = bigram_shares(train_N, part_N, words), unigram_shares(train_N, part_N, words)
    return weight * pairs + (1 - weight) * single


def best_weight(pairs_N: Floats, single_N: Floats) -> float:
    """Return the weight of ``pairs_N`` in the mixture with ``single_N`` that makes both together most likely."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        weight = (low + high) / 2
        # The derivative of the log-likelihood, which is concave in the weight.
        slope = np.mean((pairs_N - single_N) / (weight * pairs_N + (1 - weight) * single_N))
        low, high = (weight, high) if slope > 0 else (low, weight)
    return low


def _pairs(words_N: Symbols, words: int) -> NDArray[np.int64]:
    numbers = words_N.astype(np.int64)
    pairs: NDArray[np.int64] = numbers[:-1] * words + numbers[1:]
    return pairs
