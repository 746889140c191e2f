"""Cutting one long sequence of symbols into parallel streams, so that state is carried from chunk to chunk.

Shapes: T steps of a chunk, B streams. Targets are the inputs one symbol later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Batching

IGNORED = -100
"""The target at positions behind the sequence's end; torch's losses leave it out by default."""


def training_chunks(symbols_N: NDArray[Any], batching: Batching) -> Iterator[Batch]:
    """Give inputs and targets (T, B) of ``batch`` contiguous streams, all chunks of exactly ``length`` steps.

    The sequence is taken as a ring that starts at a place drawn from (seed, epoch), or at 0 without a seed.
    So the order differs from seed to seed and epoch to epoch, and the number of chunks never does; the fewer
    than batch x (length + 1) symbols that fill no chunk are others in every epoch, and one target of an epoch
    may be the first symbol as what follows the last.

    Raises:
        UserError: when the sequence has fewer than batch x length symbols.
    """
    count, batch, length = len(symbols_N), batching.batch, batching.length
    if count < batch * length:
        raise UserError(
            f"the training part has {count} symbols, too few for batch {batch} x length {length} = "
            f"{batch * length}; use more data, or a smaller batch or length"
        )
    start = 0
    if batching.seed is not None:
        start = int(np.random.default_rng((batching.seed, batching.epoch)).integers(count))
    stream = count // batch
    starts_B = start + stream * np.arange(batch)
    steps_T1 = np.arange(length + 1)[:, None]
    for first in range(0, stream - length + 1, length):
        chunk = symbols_N[(starts_B + first + steps_T1) % count].astype(np.int64)
        yield Batch(inputs=torch.from_numpy(chunk[:-1]), targets=torch.from_numpy(chunk[1:]))


def evaluation_chunks(symbols_N: NDArray[Any], *, batch: int, length: int) -> Iterator[Batch]:
    """Give inputs and targets (T, B) so that every symbol but the first is a target exactly once.

    At most ``batch`` streams, fewer for a sequence that is too short; the last chunk may have fewer steps,
    and targets behind the end of the last stream are `IGNORED`. Every stream starts without context. Items are rows of
    chunks, in the order of the sequence.
    """
    for positions_TB, items_B in _chunks(len(symbols_N) - 1, batch, length):
        inside = positions_TB < len(symbols_N) - 1
        places = np.where(inside, positions_TB, 0)
        targets = np.where(inside, symbols_N[places + 1].astype(np.int64), IGNORED)
        yield Batch(
            inputs=torch.from_numpy(symbols_N[places].astype(np.int64)),
            targets=torch.from_numpy(targets),
            items=torch.from_numpy(items_B),
        )


def evaluation_blocks(symbols_N: NDArray[Any], *, batch: int, length: int) -> NDArray[np.int64]:
    """Return, for each target of `evaluation_chunks` in the order of the sequence, the item it belongs to, (N - 1,)."""
    item_N = np.zeros(len(symbols_N) - 1, dtype=np.int64)
    for positions_TB, items_B in _chunks(len(item_N), batch, length):
        inside = positions_TB < len(item_N)
        item_N[positions_TB[inside]] = np.broadcast_to(items_B, positions_TB.shape)[inside]
    return item_N


def block_count(symbols_N: NDArray[Any], *, batch: int, length: int) -> int:
    """Return how many items `evaluation_chunks` has, the last of which may lie behind the sequence's end."""
    return 1 + max(int(items_B.max()) for _, items_B in _chunks(len(symbols_N) - 1, batch, length))


def _chunks(targets: int, batch: int, length: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Give the places (T, B) of each chunk's inputs, and its items (B,)."""
    stream = -(-targets // min(batch, targets))
    starts_B = np.arange(0, targets, stream)
    chunks = -(-stream // length)
    for number, first in enumerate(range(0, stream, length)):
        steps_T1 = np.arange(first, min(first + length, stream))[:, None]
        yield starts_B + steps_T1, np.arange(len(starts_B)) * chunks + number
