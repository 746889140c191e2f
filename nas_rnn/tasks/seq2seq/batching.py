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
from nas_rnn.tasks.data import Arrays, Batching, Part
from nas_rnn.tasks.pools import batches_by_length
from nas_rnn.tasks.teaching import taught
from nas_rnn.tasks.vocabulary import SPECIAL, UNKNOWN


def batches_of(
    arrays: Arrays, part: Part, batching: Batching, *, source_known: int, target_known: int
) -> Iterator[Batch]:
    """Give sources (S, B) and targets (T, B), the end behind each target; the last of a pass may be smaller.

    Beside a source stands what the decoder is given: the start and the target without its last symbol. What is read of
    either side is unknown from its number of known symbols on.

    Pairs of like lengths stand side by side (`nas_rnn.tasks.pools`).
    """
    source, target = arrays["source"], arrays["target"]
    lengths_N2 = np.stack([(rows != 0).sum(axis=1, dtype=np.int64) for rows in (source, target)], axis=1)
    for items in batches_by_length(lengths_N2, part, batching):
        source_B, target_B = (torch.from_numpy(lengths_N2[items, side]) for side in (0, 1))
        given_TB, targets_TB = taught(target[items], lengths_N2[items, 1], target_known)
        yield Batch(
            inputs={
                "source": _time_first(as_read(source[items], source_known), int(source_B.max())),
                "lengths": source_B,
                "given": given_TB,
            },
            targets=targets_TB,
            lengths={"source": source_B, "given": target_B + 1, "targets": target_B + 1},
            items=torch.from_numpy(items),
        )


def as_read(rows: NDArray[Any], known: int) -> NDArray[Any]:
    """Return symbols as a net reads them: unknown from ``known`` on."""
    return np.where(rows < known, rows, SPECIAL.index(UNKNOWN))


def _time_first(rows: NDArray[Any], steps: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows[:, :steps].T.astype(np.int64)))
