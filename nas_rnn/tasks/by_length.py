"""Items of like lengths side by side, so that batches hold little padding. Knows no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import Batching, Part

POOL = 50
"""So many batches are drawn at a time and sorted by length: then each epoch has other neighbours."""

Places = NDArray[np.int64]


def places_by_length(lengths_NK: Places, part: Part, batching: Batching) -> list[Places]:
    """Return the items of each batch of a pass; the last may be smaller. Of ``lengths_NK`` the first column leads.

    Training items are shuffled by seed and epoch, sorted by length within pools of `POOL` batches, and the batches
    shuffled again; the others are sorted by length, and stay so.
    """
    if part != "train" or batching.seed is None:
        return _cut(_sorted(np.arange(len(lengths_NK)), lengths_NK), batching.batch)
    random = np.random.default_rng((batching.seed, batching.epoch))
    pools = _cut(random.permutation(len(lengths_NK)), POOL * batching.batch)
    batches = [places for pool in pools for places in _cut(_sorted(pool, lengths_NK), batching.batch)]
    return [batches[place] for place in random.permutation(len(batches))]


def _sorted(places: Places, lengths_NK: Places) -> Places:
    return np.asarray(places[np.lexsort(lengths_NK[places].T[::-1])])


def _cut(places: Places, size: int) -> list[Places]:
    return [places[first : first + size] for first in range(0, len(places), size)]
