"""The beginnings of a few validation pieces, which stay with a saved model so that it can go on with them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas_rnn.tasks.music.rolls import PACKED, Piece, unpacked

MOST_EXAMPLES, MOST_EXAMPLE_FRAMES = 12, 128


def kept(pieces: Sequence[Piece]) -> list[dict[str, str]]:
    """Return the beginnings of the first pieces as plain JSON."""
    return [
        {
            "name": piece.name,
            "roll": base64.b64encode(
                np.packbits(piece.roll[:MOST_EXAMPLE_FRAMES], axis=1).tobytes()
            ).decode(),
        }
        for piece in pieces[:MOST_EXAMPLES]
    ]


def examples(meta: Mapping[str, Any]) -> list[Piece]:
    """Return what `kept` gave."""
    found = list[Piece]()
    for own in meta["examples"]:
        rolls_TP = np.frombuffer(base64.b64decode(own["roll"]), dtype=np.uint8).reshape(-1, PACKED)
        found.append(Piece(own["name"], unpacked(rolls_TP)))
    return found
