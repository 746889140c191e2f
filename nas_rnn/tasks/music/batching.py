"""Whole pieces side by side; long ones in several batches, whose state is carried on.

Shapes: N pieces, T frames, B pieces of a batch, K = 88 notes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Arrays, Batching, Part
from nas_rnn.tasks.music.rolls import unpacked
from nas_rnn.tasks.pools import Places, by_size, cut, pooled

POOL = 4
"""So many batches are drawn at a time and sorted by length: little padding, and other neighbours in each epoch."""
EVALUATED = 512
"""Frames of a batch of an evaluated part: nothing is kept for gradients there."""


def batches_of(arrays: Arrays, part: Part, batching: Batching) -> Iterator[Batch]:
    """Give frames and the frames that follow them, (T, B, K) both, 0 behind each piece's ``lengths`` (B,).

    Pieces of up to ``batching.length`` predicted frames (in evaluation `EVALUATED`) are whole. Longer ones take several
    batches in a row, in which a piece that has ended has the length 0; ``restarts`` stand on the first of them alone,
    where all begin.

    In the training part short pieces are shuffled by seed and epoch, sorted by length within pools of `POOL` batches,
    and the batches shuffled again; those of long pieces always hold the same, of like length, so that every epoch has
    as many batches. The other parts are sorted by length, and stay so.
    """
    lengths_N = arrays["lengths"].astype(np.int64) - 1
    steps = batching.length if part == "train" else EVALUATED
    for chosen in _groups(lengths_N, part, batching, steps):
        lengths_B = lengths_N[chosen]
        for first in range(0, int(lengths_B.max()), steps):
            yield _batch(arrays, chosen, lengths_B, first, steps)


def _groups(lengths_N: Places, part: Part, batching: Batching, steps: int) -> list[Places]:
    by_length = by_size(np.arange(len(lengths_N)), lengths_N)
    if part != "train" or batching.seed is None:
        return cut(by_length, batching.batch)
    random = np.random.default_rng((batching.seed, batching.epoch))
    long_N = lengths_N[by_length] > steps
    short = random.permutation(by_length[~long_N])
    groups = cut(by_length[long_N], batching.batch) + pooled(short, lengths_N, batching.batch, POOL)
    return [groups[place] for place in random.permutation(len(groups))]


def _batch(arrays: Arrays, chosen: Places, lengths_B: Places, first: int, steps: int) -> Batch:
    left_B = np.clip(lengths_B - first, 0, steps)
    longest = int(left_B.max())
    rolls_TBK = unpacked(arrays["rolls"][chosen, first : first + longest + 1].swapaxes(0, 1))
    real_TB1 = (np.arange(longest)[:, None] < left_B)[..., None]
    inputs_TBK, targets_TBK = (
        torch.from_numpy((rolls & real_TB1).astype(np.float32)) for rolls in (rolls_TBK[:-1], rolls_TBK[1:])
    )
    restarts_TB = torch.zeros(longest, len(chosen), dtype=torch.bool)
    restarts_TB[0] = True
    return Batch(
        inputs=inputs_TBK,
        targets=targets_TBK,
        items=torch.from_numpy(chosen),
        lengths=torch.from_numpy(left_B),
        restarts=restarts_TB if first == 0 else None,
    )
