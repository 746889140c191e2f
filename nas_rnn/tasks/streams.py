"""Cutting one long sequence of symbols into parallel streams, so that state is carried from chunk to chunk.

Shapes: T steps of a chunk, B streams. Targets are the inputs one symbol later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import PARTS, Batching, Part, TaskData

IGNORED = -100
"""The target at positions behind the sequence's end; torch's losses leave it out by default."""

CONTEXT = 256
"""How many symbols a stream reads before those that it is scored on. Texts of 1,880 characters in 32 streams came out
3 to 16 % worse without any than read through, with 64 by up to 1.3 %, with 128 by 0.4 %, with 256 by 0.012 % (two LSTMs
and a GRU; docs/statistics.md)."""

NOTHING: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
"""What precedes a text that begins."""

Floats = NDArray[np.float64]


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


def evaluation_chunks(
    symbols_N: NDArray[Any], *, batch: int, length: int, before: NDArray[Any] = NOTHING
) -> Iterator[Batch]:
    """Give inputs and targets (T, B) so that every symbol but the first is a target exactly once.

    The `CONTEXT` symbols before each stream come first, as batches that are read and not scored; for the first stream
    they are the last of ``before``, what precedes the sequence. There are at most ``batch`` streams, none shorter than
    its context unless it is the only one, and only one where ``before`` is shorter than that. The last chunk may have
    fewer steps, and targets behind the end of the last stream are `IGNORED`. Items are rows of chunks, in the order of
    the sequence.
    """
    targets = len(symbols_N) - 1
    if targets < 1:
        return
    cut = _Cut.of(targets, batch, length, before)
    whole = np.concatenate([before.astype(symbols_N.dtype), symbols_N])

    def symbols(places_TB: NDArray[np.int64]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = whole[places_TB + len(before)].astype(np.int64)
        return found

    for places_TB in cut.context():
        inputs, following = symbols(places_TB), symbols(places_TB + 1)
        yield Batch(inputs=torch.from_numpy(inputs), targets=torch.from_numpy(following), context=True)
    for places_TB, items_B in cut.chunks():
        inside = places_TB < targets
        places_TB = np.where(inside, places_TB, 0)
        yield Batch(
            inputs=torch.from_numpy(symbols(places_TB)),
            targets=torch.from_numpy(np.where(inside, symbols(places_TB + 1), IGNORED)),
            items=torch.from_numpy(items_B),
        )


def evaluation_blocks(
    symbols_N: NDArray[Any], *, batch: int, length: int, before: NDArray[Any] = NOTHING
) -> tuple[NDArray[np.int64], int]:
    """Return the item of each target of `evaluation_chunks`, (N - 1,) in the sequence's order, and how many there are.

    The last items may lie behind the sequence's end and have no target.
    """
    item_N, count = np.zeros(len(symbols_N) - 1, dtype=np.int64), 0
    for places_TB, items_B in _Cut.of(len(item_N), batch, length, before).chunks():
        inside = places_TB < len(item_N)
        item_N[places_TB[inside]] = np.broadcast_to(items_B, places_TB.shape)[inside]
        count = max(count, int(items_B.max()) + 1)
    return item_N, count


def by_block(values_N: Floats, block_N: NDArray[np.int64], blocks: int) -> tuple[Floats, Floats]:
    """Return what the values of targets add up to in each of so many blocks, and how many targets each has."""
    sums_K = np.bincount(block_N, weights=values_N, minlength=blocks).astype(np.float64)
    return sums_K, np.bincount(block_N, minlength=blocks).astype(np.float64)


def symbols_before(data: TaskData, part: Part) -> NDArray[Any]:
    """Return the end of the text before a part, as much as its first stream reads: never of a part that comes later.

    Data whose ``meta`` has "test_follows" are those of a test part that was
    cut from the end of the part named there.
    """
    names = PARTS[: PARTS.index(part)]
    if part == "test" and "test_follows" in data.meta:
        names = (data.meta["test_follows"],)
    earlier = [data.parts[one]["codes"] for one in names if one in data.parts]
    return np.concatenate([NOTHING, *(codes[-CONTEXT:] for codes in earlier)])[-CONTEXT:]


def batches_of(data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
    """Give a part's symbols, its array "codes", as a task gives batches: to train on, or after the text before them.

    Raises:
        UserError: see `training_chunks`.
    """
    codes = data.part(part)["codes"]
    if part == "train":
        return training_chunks(codes, batching)
    before = symbols_before(data, part)
    return evaluation_chunks(codes, batch=batching.batch, length=batching.length, before=before)


def with_fresh_test(data: TaskData, begins: int, ends: int) -> TaskData:
    """Return ``data`` with the test part cut from the end of the training text, which then precedes it."""
    cut = data.with_fresh_test(begins, ends)
    return replace(cut, meta={**cut.meta, "test_follows": "train"})


@dataclass(frozen=True)
class _Cut:
    """How a sequence is cut: where its B streams start, how many targets each has, and what is read before."""

    starts_B: NDArray[np.int64]
    stream: int
    length: int
    read_before: int

    @classmethod
    def of(cls, targets: int, batch: int, length: int, before: NDArray[Any]) -> _Cut:
        most = targets // CONTEXT if len(before) >= CONTEXT else 1
        stream = -(-targets // max(1, min(batch, most)))
        return cls(np.arange(0, targets, stream), stream, length, min(CONTEXT, len(before)))

    def context(self) -> Iterator[NDArray[np.int64]]:
        """Give the places (T, B) of what is read before the streams; those before the sequence are negative."""
        for first in range(-self.read_before, 0, self.length):
            yield self.starts_B + np.arange(first, min(first + self.length, 0))[:, None]

    def chunks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Give the places (T, B) of each chunk's inputs, and its items (B,)."""
        chunks = -(-self.stream // self.length)
        for number, first in enumerate(range(0, self.stream, self.length)):
            steps_T1 = np.arange(first, min(first + self.length, self.stream))[:, None]
            yield self.starts_B + steps_T1, np.arange(len(self.starts_B)) * chunks + number
