"""Whole sessions side by side. Shapes: N sessions, L events of the longest, T steps and B sessions of a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Arrays, Batching, Part
from nas_rnn.tasks.pools import batches_by_length

POOL = 20
"""So many batches are drawn at a time and sorted by length."""


def batches_of(arrays: Arrays, part: Part, batching: Batching) -> Iterator[Batch]:
    """Give items and those that came next, (T, B) both, 0 behind each session's ``lengths`` (B,) of predicted steps.

    Training sessions are shuffled by seed and epoch, sorted by length within pools of `POOL` batches, and the batches
    shuffled again; the other parts are sorted by length, and stay so. The last of a pass may be smaller, and the length
    of ``batching`` means nothing.
    """
    lengths_N = arrays["lengths"].astype(np.int64) - 1
    for chosen in batches_by_length(lengths_N, part, batching, POOL):
        lengths_B = lengths_N[chosen]
        steps = int(lengths_B.max())
        items_BL = arrays["items"][chosen, : steps + 1].astype(np.int64)
        real_BT = np.arange(steps) < lengths_B[:, None]
        inputs, targets = (np.where(real_BT, own, 0).T for own in (items_BL[:, :-1], items_BL[:, 1:]))
        yield Batch(
            inputs=torch.from_numpy(np.ascontiguousarray(inputs)),
            targets=torch.from_numpy(np.ascontiguousarray(targets)),
            items=torch.from_numpy(chosen),
            lengths=torch.from_numpy(lengths_B),
        )
