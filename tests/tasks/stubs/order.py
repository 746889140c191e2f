"""In which order the stubs give their items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks import Batching, Part


def chosen(count: int, part: Part, batching: Batching) -> Iterator[NDArray[np.int64]]:
    """Give the items of each batch: shuffled by (seed, epoch) for training, else in the order of the data."""
    order = np.arange(count)
    if part == "train" and batching.seed is not None:
        np.random.default_rng((batching.seed, batching.epoch)).shuffle(order)
    for first in range(0, count, batching.batch):
        yield order[first : first + batching.batch]
