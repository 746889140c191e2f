"""Batches of pictures with their captions: one caption a picture to train on, all of a picture's to evaluate.

Shapes: B pictures, C captions, T symbols, N items, R references, G series of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.caption.scores import Frequencies, frequencies
from nas_rnn.tasks.data import Arrays, Batching, Part
from nas_rnn.tasks.pools import batches_by_length
from nas_rnn.tasks.teaching import taught
from nas_rnn.tasks.vocabulary import SPECIAL


def batches_of(arrays: Arrays, part: Part, batching: Batching, meta: Mapping[str, Any]) -> Iterator[Batch]:
    """Give pictures (B, ...) and captions (T, C), of which ``owner`` (C,) says the picture's column.

    To train on, every pair of a picture and one of its captions comes once an epoch. In the other parts every picture
    comes once, with all its captions, and with the `Frequencies` of its part, which CIDEr needs.
    """
    references = arrays["references"]
    lengths_NR = (references != 0).sum(axis=2, dtype=np.int64)
    if part == "train":
        item_M, number_M = np.nonzero(lengths_NR)
        lengths_M1 = lengths_NR[item_M, number_M][:, None]
    else:
        lengths_M1 = lengths_NR.max(axis=1)[:, None]
    known = len(SPECIAL) + meta["known"]
    counted = {} if part == "train" else _counted(arrays, len(references))
    for chosen in batches_by_length(lengths_M1, part, batching):
        if part == "train":
            items, owner_C, numbers_C = item_M[chosen], np.arange(len(chosen)), number_M[chosen]
        else:
            items = chosen
            owner_C, numbers_C = np.nonzero(lengths_NR[items])
        places_C = items[owner_C]
        lengths_C = lengths_NR[places_C, numbers_C]
        given_TC, targets_TC = taught(references[places_C, numbers_C], lengths_C, known)
        ended_C = torch.from_numpy(lengths_C + 1)
        owner = torch.from_numpy(owner_C)
        yield Batch(
            inputs={"pictures": seen(arrays["pictures"][items], meta), "given": given_TC, "owner": owner},
            targets={"captions": targets_TC, "owner": owner, **counted},
            lengths={"given": ended_C, "captions": ended_C},
            items=torch.from_numpy(items),
        )


def seen(pictures: NDArray[Any], meta: Mapping[str, Any]) -> Tensor:
    """Return pictures or features (B, ...) of the training part's mean 0 and deviation 1."""
    values = torch.from_numpy(np.ascontiguousarray(pictures)).to(torch.get_default_dtype())
    mean, deviation = float(meta["mean"]), float(meta["deviation"])
    return (values - mean) / deviation


def _counted(arrays: Arrays, pictures: int) -> dict[str, Tensor]:
    return {
        "series": torch.from_numpy(arrays["series"][0]),
        "in_pictures": torch.from_numpy(arrays["series"][1]),
        "part": torch.tensor(pictures),
    }


def frequencies_in(
    targets: Mapping[str, Tensor], references: Sequence[Sequence[Sequence[int]]], base: int
) -> Frequencies:
    """Return what a batch of an evaluated part knows of the whole part's references; to train on, of its own alone."""
    if "series" in targets:
        keys_G, counts_G = (targets[name].cpu().numpy() for name in ("series", "in_pictures"))
        return Frequencies(keys_G, counts_G, base, int(targets["part"]))
    longest = max(len(row) for own in references for row in own)
    rows = [[[*row, *[0] * (longest - len(row))] for row in own[:1]] for own in references]
    return frequencies(np.array(rows), base)
