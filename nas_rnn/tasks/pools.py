"""Items of like lengths side by side, so that batches hold little padding. Knows no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import Batching, Part

POOL = 50
"""So many batches are drawn at a time and sorted by length: then each epoch has other neighbours."""


def batches_by_length(
    lengths_NK: NDArray[np.int64], part: Part, batching: Batching
) -> list[NDArray[np.int64]]:
    """Return the places of N items, batch by batch; ``lengths_NK`` are what they are sorted by, the first before all.

    Training items are shuffled by seed and epoch, sorted by length within pools of `POOL` batches, and the batches
    shuffled again; the others are sorted by length, and stay so. The last batch of a pass may be smaller.
    """
    if part != "train" or batching.seed is None:
        return _cut(_by_length(np.arange(len(lengths_NK)), lengths_NK), batching.batch)
    random = np.random.default_rng((batching.seed, batching.epoch))
    order = random.permutation(len(lengths_NK))
    pool = POOL * batching.batch
    pools = [_by_length(order[first : first + pool], lengths_NK) for first in range(0, len(order), pool)]
    chosen = _cut(np.concatenate(pools) if pools else order, batching.batch)
    return [chosen[place] for place in random.permutation(len(chosen))]


def _by_length(order: NDArray[np.int64], lengths_NK: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(order[np.lexsort(lengths_NK[order].T[::-1])])


def _cut(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [order[first : first + size] for first in range(0, len(order), size)]
