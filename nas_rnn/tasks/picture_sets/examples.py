"""A few validation pictures, which stay with a saved model so that it can show what it does without the data."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.classes import some_of_each

MOST_EXAMPLES, MOST_EXAMPLE_BYTES = 24, 1 << 16


def kept(pixels_NHW: NDArray[np.uint8], labels_N: NDArray[Any]) -> dict[str, Any]:
    """Return up to `MOST_EXAMPLES` pictures, some of each class, with their labels, as plain JSON."""
    most = max(1, min(MOST_EXAMPLES, MOST_EXAMPLE_BYTES // pixels_NHW[0].size))
    places = some_of_each(labels_N, most)
    return {
        "pixels": base64.b64encode(pixels_NHW[places].tobytes()).decode(),
        "labels": labels_N[places].tolist(),
    }


def examples(meta: Mapping[str, Any]) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the pictures (N, height, width) and labels of what `kept` gave, out of data's ``meta``."""
    own = meta["examples"]
    flat = np.frombuffer(base64.b64decode(own["pixels"]), dtype=np.uint8)
    return flat.reshape(-1, meta["height"], meta["width"]), list(own["labels"])
