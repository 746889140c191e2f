"""What a decoder reads and what it should write while it is taught by the true symbols (teacher forcing).

Shapes: T steps, B sequences of a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.vocabulary import SPECIAL

_START, _END, _UNKNOWN = (SPECIAL.index(name) for name in ("<s>", "</s>", "<unk>"))


def taught(rows: NDArray[Any], lengths_B: NDArray[np.int64], known: int) -> tuple[Tensor, Tensor]:
    """Return what is given and what is wanted, (T, B) each, T the longest length and 1.

    ``rows`` (B, ...) hold symbols, of which ``lengths_B`` of each are real. Wanted is the row with the end behind it;
    given are the start and the row, in which symbols from ``known`` on are unknown.
    """
    ended = np.zeros((len(rows), int(lengths_B.max()) + 1), dtype=np.int64)
    ended[:, :-1] = rows[:, : ended.shape[1] - 1]
    ended[np.arange(len(rows)), lengths_B] = _END
    targets_TB = torch.from_numpy(np.ascontiguousarray(ended.T))
    written_TB = targets_TB[:-1].masked_fill(targets_TB[:-1] >= known, _UNKNOWN)
    return torch.cat([torch.full_like(targets_TB[:1], _START), written_TB]), targets_TB
