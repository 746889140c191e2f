"""Series side by side. Shapes: N series, T steps, B series of a batch, K answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Batching, Part
from nas_rnn.tasks.memory.series import Ints, Series
from nas_rnn.tasks.pools import batches_by_length


def batches_of(series: Series, part: Part, batching: Batching) -> Iterator[Batch]:
    """Give the batches of a pass; series of like lengths stand side by side (`nas_rnn.tasks.pools`)."""
    for items in batches_by_length(series.steps[:, None].astype(np.int64), part, batching):
        yield batch_of(series.at(items), items)


def batch_of(series: Series, items: Ints | None = None) -> Batch:
    """Return all series as one batch: (T, B) symbols or (T, B, F) numbers, their answers (K, B), and real steps."""
    steps_B = torch.from_numpy(series.steps.astype(np.int64))
    inputs = np.ascontiguousarray(series.inputs[:, : int(steps_B.max())].swapaxes(0, 1))
    numbers = series.inputs.ndim == 3
    answers_KB = np.ascontiguousarray(series.answers.T)
    whole = answers_KB if answers_KB.dtype.kind == "f" else answers_KB.astype(np.int64)
    return Batch(
        inputs=torch.from_numpy(inputs if numbers else inputs.astype(np.int64)),
        targets={
            "answers": torch.from_numpy(whole),
            "length": torch.from_numpy(series.length.astype(np.int64)),
        },
        lengths={"inputs": steps_B},
        items=None if items is None else torch.from_numpy(items),
    )
