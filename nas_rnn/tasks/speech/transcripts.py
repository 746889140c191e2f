"""Recordings of which each has several labels of its own: words or characters.

Shapes: N recordings of a part, T frames, B of a batch, V variables, L labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Arrays, Batching, Part, TaskData, symbol_dtype
from nas_rnn.tasks.series.batching import padded_inputs, picks
from nas_rnn.tasks.series.parts import padded
from nas_rnn.tasks.series.recordings import MOST_CLASSES, Recordings, class_names
from nas_rnn.tasks.speech.rows import padded_labels

CUTS = ("word", "character")


def tokens_of(label: str, by: str) -> list[str]:
    """Return the labels of a transcript: what blanks part, or every sign but blanks."""
    return label.split() if by == "word" else list("".join(label.split()))


def transcript_arrays(parts: Mapping[Part, Recordings], by: str) -> tuple[dict[Part, Arrays], list[str]]:
    """Return `padded` series with ``tokens`` (N, L), 0 behind their ``counts`` (N,), by part; and the labels' names.

    Raises:
        UserError: for a single label, or too many.
    """
    written = {part: [tokens_of(label, by) for label in own.labels] for part, own in parts.items()}
    names = class_names([name for own in written.values() for tokens in own for name in tokens])
    source = parts["train"].source
    if len(names) < 2:
        raise UserError(f"the transcripts of {source} hold a single label, {names[0]!r}; give at least two")
    if len(names) > MOST_CLASSES:
        raise UserError(
            f"the transcripts of {source} hold {len(names):,} different labels, more than {MOST_CLASSES}; set option "
            "by=character, or give fewer words"
        )
    numbers = {name: number for number, name in enumerate(names)}
    found = dict[Part, Arrays]()
    for part, own in parts.items():
        tokens = [[numbers[name] for name in one] for one in written[part]]
        counts_N = np.array([len(one) for one in tokens], dtype=np.int32)
        tokens_NL = np.zeros((len(tokens), int(counts_N.max())), dtype=symbol_dtype(len(names)))
        for row, one in zip(tokens_NL, tokens, strict=True):
            row[: len(one)] = one
        found[part] = {**padded(own), "tokens": tokens_NL, "counts": counts_N}
    return found, names


def transcript(arrays: Arrays, place: int) -> NDArray[Any]:
    """Return the labels of one recording, (L,)."""
    tokens_L: NDArray[Any] = arrays["tokens"][place, : arrays["counts"][place]]
    return tokens_L


def transcript_batches(data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
    """Give scaled recordings (T, B, V), 0 behind their ends, and their labels (L, B), with the lengths of both."""
    arrays = data.part(part)
    for chosen in picks(len(arrays["counts"]), part, batching):
        inputs_TBV, frames_B = padded_inputs(arrays, data, chosen)
        targets_LB, labels_B = padded_labels([transcript(arrays, place) for place in chosen.tolist()])
        yield Batch(
            inputs=inputs_TBV,
            targets=targets_LB,
            items=torch.from_numpy(chosen),
            lengths={"inputs": frames_B, "targets": labels_B},
        )
