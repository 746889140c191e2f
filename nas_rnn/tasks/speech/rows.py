"""Recordings put in a row, whose labels are to be told in order.

Shapes: N recordings of a part, T frames, B rows of a batch, V variables, L labels of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Arrays, Batching, Part, TaskData
from nas_rnn.tasks.series.batching import padded_inputs

SPEAKERS = "speakers"
"""The array that has the number of each recording's speaker, where speakers are kept apart."""


@dataclass(frozen=True)
class InRows:
    """Rows of 2 to ``most`` recordings, as far as they go; to train on, each stands in ``passes`` rows an epoch."""

    most: int
    passes: int

    def rows(self, arrays: Arrays, part: Part, batching: Batching | None = None) -> list[NDArray[np.int64]]:
        """Return the places of the recordings of each row, all of one speaker where speakers are kept apart.

        Training rows are drawn anew for each (seed, epoch), as many of each size; those of the other parts, in which a
        recording stands once, are fixed.
        """
        count = len(arrays["lengths"])
        speakers_N = arrays.get(SPEAKERS, np.zeros(count, dtype=np.int64))
        sizes = np.random.default_rng((1, count))
        seed = batching.seed if part == "train" and batching is not None else None
        drawn = seed is not None
        random = np.random.default_rng((0, count))
        if batching is not None and seed is not None:
            random = np.random.default_rng((seed, batching.epoch))
        found = list[NDArray[np.int64]]()
        for _ in range(self.passes if part == "train" else 1):
            for speaker in np.unique(speakers_N):
                found += _cut(random.permutation(np.flatnonzero(speakers_N == speaker)), sizes, self.most)
        return [found[place] for place in random.permutation(len(found))] if drawn else found

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give scaled rows (T, B, V), 0 behind their ends, and their labels (L, B), with the lengths of both."""
        arrays = data.part(part)
        rows = self.rows(arrays, part, batching)
        for first in range(0, len(rows), batching.batch):
            own = rows[first : first + batching.batch]
            joined = [joined_series(arrays, row) for row in own]
            series_BTV = np.zeros((len(own), max(map(len, joined)), joined[0].shape[1]), dtype=np.float32)
            for place, one in zip(series_BTV, joined, strict=True):
                place[: len(one)] = one
            lengths_B = np.array([len(one) for one in joined])
            inputs_TBV, frames_B = padded_inputs(
                {"series": series_BTV, "lengths": lengths_B}, data, np.arange(len(own))
            )
            targets_LB, labels_B = padded_labels([arrays["labels"][row] for row in own])
            yield Batch(
                inputs=inputs_TBV,
                targets=targets_LB,
                items=torch.arange(first, first + len(own)),
                lengths={"inputs": frames_B, "targets": labels_B},
            )


def joined_series(arrays: Arrays, row: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the recordings of a row one behind the other, (T, V), without padding."""
    joined_TV: NDArray[np.float32] = np.concatenate(
        [arrays["series"][place, : arrays["lengths"][place]] for place in row]
    )
    return joined_TV


def padded_labels(labels: Sequence[NDArray[Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return labels (L, B), 0 behind their ends, and how many each has, (B,)."""
    counts_B = torch.tensor([len(own) for own in labels])
    labels_LB = torch.zeros(int(counts_B.max()), len(labels), dtype=torch.int64)
    for column, own in enumerate(labels):
        labels_LB[: len(own), column] = torch.from_numpy(own.astype(np.int64))
    return labels_LB, counts_B


def _cut(places: NDArray[np.int64], sizes: np.random.Generator, most: int) -> list[NDArray[np.int64]]:
    rows, begin = list[NDArray[np.int64]](), 0
    while begin < len(places):
        end = begin + int(sizes.integers(2, most + 1))
        rows.append(places[begin:end])
        begin = end
    return rows
