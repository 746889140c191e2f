"""All series of a task, in three parts of which none has one of another's. Knows no torch."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.classes import some_of_each
from nas_rnn.tasks.data import PARTS, Arrays, Part
from nas_rnn.tasks.memory.options import Options, draw_of, kind_of, lengths_of
from nas_rnn.tasks.memory.pixels import digits
from nas_rnn.tasks.memory.series import Series, unseen

KEPT, MOST_KEPT_BYTES = 24, 1 << 16
"""How many validation digits stay with a saved model; of other kinds series are drawn anew."""
TEST_SHARE, VALID_SHARE = 0.2, 0.1


def made(own: Options) -> tuple[dict[Part, Arrays], dict[str, Any]]:
    """Return the arrays of each part, and the meta.

    Raises:
        UserError: for options that cannot be met.
    """
    lengths, kind = lengths_of(own), kind_of(own)
    meta: dict[str, Any] = {"kind": own.kind, "classes": kind.classes, "lengths": [*lengths.asked]}
    if own.kind == "pixels":
        parts = _cut(digits(own.seed))
        return {part: series.arrays() for part, series in parts.items()}, meta | {
            "examples": _kept(parts["valid"])
        }
    draw, seen = draw_of(own), set[bytes]()
    found = dict[Part, Series]()
    for number, part in enumerate(reversed(PARTS)):  # the test part is the same whatever stands in the others
        random = np.random.default_rng((own.seed, number))
        if part == "train":
            length_N = random.integers(lengths.shortest, lengths.steps + 1, size=own.items or kind.items)
        else:
            count = own.tests if part == "test" else max(1, own.tests // 4)
            # Every stretch has its share of every length, so that blocks of neighbours are alike.
            length_N = np.tile(np.array(lengths.asked, dtype=np.int64), count)
        found[part] = unseen(draw, random, length_N, seen, once=part != "train")
    return {part: found[part].arrays() for part in PARTS}, meta


def kept_digits(meta: Mapping[str, Any]) -> Series:
    """Return the digits that stay with a model."""
    kept = meta["examples"]
    greys_NP = np.frombuffer(base64.b64decode(kept["greys"]), dtype=np.float32).reshape(
        len(kept["labels"]), -1
    )
    steps = np.full(len(greys_NP), greys_NP.shape[1])
    labels_N1: NDArray[Any] = np.array(kept["labels"], dtype=np.uint8)[:, None]
    return Series(greys_NP[..., None].copy(), steps, labels_N1, steps.copy())


def _cut(series: Series) -> dict[Part, Series]:
    count = len(series)
    test, valid = int(TEST_SHARE * count), int(VALID_SHARE * count)
    return {
        "train": series.at(slice(count - test - valid)),
        "valid": series.at(slice(count - test - valid, count - test)),
        "test": series.at(slice(count - test, count)),
    }


def _kept(valid: Series) -> dict[str, Any]:
    most = min(KEPT, MOST_KEPT_BYTES // valid.inputs[0].nbytes)
    some = valid.at(some_of_each(valid.answers[:, 0], most))
    return {
        "greys": base64.b64encode(some.inputs.tobytes()).decode(),
        "labels": some.answers[:, 0].tolist(),
    }
