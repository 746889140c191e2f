"""Where pictures are looked at that are not read in a fixed order: by a learned policy, or anywhere. Knows no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

ORDERS_OF_PLACES = ("learned", "random")
LOOKS, FEATURES, SPREAD = 6, 64, 0.15
"""Defaults: looks at a picture, features of a glimpse, and how far around a proposed place training looks."""
SIDES_OF_LOOKS = 3.5
"""Looks that would stand side by side in a picture: 8 of 28 pixels, as Mnih et al. (2014) have it."""


def side_of_look(height: int, width: int, patch: int, scales: int) -> int:
    """Return how many pixels a side of a look has: ``patch``, or for 0 what fits.

    Raises:
        UserError: for a look that the picture has no room for.
    """
    shorter = min(height, width)
    side = patch or max(1, int(np.ceil(shorter / SIDES_OF_LOOKS)))
    if side > shorter:
        raise UserError(
            f"patch={side} is larger than pictures of {height} x {width} pixels; use at most patch={shorter}"
        )
    widest = side * 2 ** (scales - 1)
    if widest > 2 * shorter:
        most = 1 + int(np.log2(2 * shorter / side))
        raise UserError(
            f"scales={scales} with looks of {side} x {side} pixels would see {widest} pixels a side, more than twice a "
            f"picture of {height} x {width}; use at most scales={most}"
        )
    return side


def random_places(pictures: int, looks: int, seed: int | tuple[int, ...]) -> NDArray[np.float32]:
    """Return places (T, B, 2) from -1 to 1, all alike likely; the first look is at the middle, as a policy's is."""
    places_TB2 = np.random.default_rng(seed).uniform(-1.0, 1.0, (looks, pictures, 2)).astype(np.float32)
    places_TB2[0] = 0.0
    return places_TB2
