"""Items of like lengths side by side: little padding, and other neighbours in each epoch. Knows no torch.

Shapes: N items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import Batching, Part

POOL = 50
"""So many batches are drawn at a time and sorted by length, where nothing else is said."""

Places = NDArray[np.int64]


def batches_by_length(sizes: Places, part: Part, batching: Batching, pool: int = POOL) -> list[Places]:
    """Return the places of N items, batch by batch; ``sizes``, (N,) or (N, k), are what they are sorted by.

    Training items are shuffled by seed and epoch, sorted by size within pools of so many batches, and the batches
    shuffled again; the others are sorted by size, and stay so. The last batch of a pass may be smaller.
    """
    if part != "train" or batching.seed is None:
        return cut(by_size(np.arange(len(sizes)), sizes), batching.batch)
    random = np.random.default_rng((batching.seed, batching.epoch))
    chosen = pooled(random.permutation(len(sizes)), sizes, batching.batch, pool)
    return [chosen[place] for place in random.permutation(len(chosen))]


def by_size(order: Places, sizes: Places) -> Places:
    """Return the places in ``order`` sorted by their sizes (N,), or (N, k) of which the first column matters most.

    Of equal size they stay in their order.
    """
    keys_KN = sizes[order].reshape(len(order), -1).T[::-1]
    return np.asarray(order[np.lexsort(keys_KN)])


def cut(order: Places, batch: int) -> list[Places]:
    """Return the places in batches, of which the last may be smaller."""
    return [order[first : first + batch] for first in range(0, len(order), batch)]


def pooled(order: Places, sizes: Places, batch: int, pool: int) -> list[Places]:
    """Return batches of places that are sorted by size within pools of so many batches in a row."""
    pools = cut(order, pool * batch)
    return [chosen for places in pools for chosen in cut(by_size(places, sizes), batch)]
