"""Padded batches of labelled series. Shapes: N series of a part, T steps, B of a batch, V variables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Arrays, Batching, Part, TaskData
from nas_rnn.tasks.series.net import scaled


def series_batches(data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
    """Give scaled series (T, B, V), 0 behind their lengths (B,), and labels (B,).

    T is the longest of a batch; the last batch may be smaller, and the length of ``batching`` means nothing.
    """
    arrays = data.part(part)
    for chosen in picks(len(arrays["labels"]), part, batching):
        inputs_TBV, lengths_B = padded_inputs(arrays, data, chosen)
        yield Batch(
            inputs=inputs_TBV,
            targets=torch.from_numpy(arrays["labels"][chosen].astype(np.int64)),
            items=torch.from_numpy(chosen),
            lengths=lengths_B,
        )


def picks(count: int, part: Part, batching: Batching) -> Iterator[NDArray[np.int64]]:
    """Give the places of each batch: mixed by seed and epoch to train on, else in order."""
    order = np.arange(count)
    if part == "train" and batching.seed is not None:
        np.random.default_rng((batching.seed, batching.epoch)).shuffle(order)
    for first in range(0, count, batching.batch):
        yield order[first : first + batching.batch]


def padded_inputs(arrays: Arrays, data: TaskData, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return the chosen series of a part, (T, B, V), scaled and 0 behind their ends, and their lengths (B,)."""
    lengths_B = torch.from_numpy(arrays["lengths"][chosen].astype(np.int64))
    steps = int(lengths_B.max())
    series_TBV = torch.from_numpy(arrays["series"][chosen, :steps].swapaxes(0, 1).copy())
    real_TB1 = (torch.arange(steps)[:, None] < lengths_B)[..., None]
    meta = data.meta
    return torch.where(real_TB1, scaled(series_TBV, meta["mean"], meta["deviation"]), 0.0), lengths_B
