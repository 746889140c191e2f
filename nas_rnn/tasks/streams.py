"""Cutting one long sequence of symbols into parallel streams, so that state is carried from chunk to chunk.

Shapes: T steps of a chunk, B streams. Targets are the inputs one symbol later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.errors import UserError

IGNORED = -100
"""The target at positions behind the sequence's end; torch's losses leave it out by default."""


def training_chunks(
    symbols_N: NDArray[Any], *, batch: int, length: int, seed: int | None, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give (inputs_TB, targets_TB) of ``batch`` contiguous streams, all chunks of exactly ``length`` steps.

    The sequence is taken as a ring that starts at a place drawn from (seed, epoch), or at 0 without a seed.
    So the order differs from seed to seed and epoch to epoch, and the number of chunks never does; the fewer
    than batch x (length + 1) symbols that fill no chunk are others in every epoch, and one target of an epoch
    may be the first symbol as what follows the last.

    Raises:
        UserError: when the sequence has fewer than batch x length symbols.
    """
    count = len(symbols_N)
    if count < batch * length:
        raise UserError(
            f"the training part has {count} symbols, too few for batch {batch} x length {length} = "
            f"{batch * length}; use more data, or a smaller batch or length"
        )
    start = 0 if seed is None else int(np.random.default_rng((seed, epoch)).integers(count))
    stream = count // batch
    starts_B = start + stream * np.arange(batch)
    steps_T1 = np.arange(length + 1)[:, None]
    for first in range(0, stream - length + 1, length):
        chunk = symbols_N[(starts_B + first + steps_T1) % count].astype(np.int64)
        yield torch.from_numpy(chunk[:-1]), torch.from_numpy(chunk[1:])


def evaluation_chunks(symbols_N: NDArray[Any], *, batch: int, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give (inputs_TB, targets_TB) so that every symbol but the first is a target exactly once.

    At most ``batch`` streams, fewer for a sequence that is too short; the last chunk may have fewer steps,
    and targets behind the end of the last stream are `IGNORED`. Every stream starts without context.
    """
    count = len(symbols_N) - 1
    stream = -(-count // min(batch, count))
    starts_B = np.arange(0, count, stream)
    for first in range(0, stream, length):
        steps_T1 = np.arange(first, min(first + length, stream))[:, None]
        positions = starts_B + steps_T1
        inside = positions < count
        positions = np.where(inside, positions, 0)
        inputs = symbols_N[positions].astype(np.int64)
        targets = np.where(inside, symbols_N[positions + 1].astype(np.int64), IGNORED)
        yield torch.from_numpy(inputs), torch.from_numpy(targets)
