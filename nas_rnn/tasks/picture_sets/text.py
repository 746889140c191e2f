"""A picture in characters, to be looked at in a terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHADES = " .:-=+*#%@"
WIDEST = 32
"""Pictures are shown with at most so many pixels a side, each two characters wide."""


def in_characters(pixels_HW: NDArray[np.uint8], white: int) -> str:
    """Return a picture of greys from 0 to ``white`` as lines, the brighter the darker the character."""
    step = -(-max(pixels_HW.shape) // WIDEST)
    levels = pixels_HW[::step, ::step].astype(np.int64) * (len(SHADES) - 1) // max(1, white)
    return "\n".join("".join(SHADES[level] * 2 for level in row).rstrip() for row in levels)
