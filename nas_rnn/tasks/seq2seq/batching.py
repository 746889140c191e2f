"""Pairs of like lengths side by side, so that batches hold little padding.

Shapes: N pairs, S steps of the source, T of the target, B pairs of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.by_length import places_by_length
from nas_rnn.tasks.data import Arrays, Batching, Part
from nas_rnn.tasks.seq2seq.net import END, START, UNKNOWN


def batches_of(arrays: Arrays, part: Part, batching: Batching, known: int) -> Iterator[Batch]:
    """Give sources (S, B) and targets (T, B), the end behind each target; the last of a pass may be smaller.

    Beside a source stands what the decoder is given: the start and the target without its last symbol, of which those
    from ``known`` on are unknown.

    Which pairs stand side by side, `nas_rnn.tasks.by_length` says.
    """
    source, target = arrays["source"], arrays["target"]
    lengths_N2 = np.stack([(rows != 0).sum(axis=1, dtype=np.int64) for rows in (source, target)], axis=1)
    for items in places_by_length(lengths_N2, part, batching):
        source_B, target_B = (torch.from_numpy(lengths_N2[items, side]) for side in (0, 1))
        targets_TB = _ended(target[items], lengths_N2[items, 1])
        written_TB = targets_TB[:-1].masked_fill(targets_TB[:-1] >= known, UNKNOWN)
        given_TB = torch.cat([torch.full_like(targets_TB[:1], START), written_TB])
        yield Batch(
            inputs={
                "source": _time_first(source[items], int(source_B.max())),
                "lengths": source_B,
                "given": given_TB,
            },
            targets=targets_TB,
            lengths={"source": source_B, "given": target_B + 1, "targets": target_B + 1},
            items=torch.from_numpy(items),
        )


def _time_first(rows: NDArray[Any], steps: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows[:, :steps].T.astype(np.int64)))


def _ended(rows: NDArray[Any], lengths_B: NDArray[np.int64]) -> Tensor:
    """Return targets (T, B) with the end behind each."""
    ended = np.zeros((len(rows), int(lengths_B.max()) + 1), dtype=np.int64)
    ended[:, :-1] = rows[:, : ended.shape[1] - 1]
    ended[np.arange(len(rows)), lengths_B] = END
    return torch.from_numpy(np.ascontiguousarray(ended.T))
