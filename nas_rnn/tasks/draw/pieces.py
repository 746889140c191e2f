"""How a picture is cut into pieces that are drawn one after another, and how many greys it has. Knows no torch.

Shapes: N pictures of H x W pixels, T pieces of P pixels each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

WAYS = ("pixel", "row", "patch")
MOST_PIECES = 4096
"""More steps than this are a mistake rather than a task for a recurrent network."""
KEPT_LEVELS, FEWER_LEVELS = 32, 16
"""Where training pictures have at most so many greys they stay; of others these are left, if nothing else is said."""
WISHED_SIDE = 4
"""Of a patch: the side that fits and is nearest to it, the smaller of two."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """``pixels_TP``, the flat numbers of each piece's pixels, in the order of drawing, in ``rows`` x ``columns``."""

    pixels_TP: NDArray[np.int64]
    rows: int
    columns: int

    @property
    def places_T2(self) -> NDArray[np.int64]:
        """The row and the column of each piece among the pieces."""
        number_T = np.arange(len(self.pixels_TP))
        return np.stack([number_T // self.columns, number_T % self.columns], axis=1)

    def cut(self, levels_NHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return pictures in pieces, (T, N, P)."""
        flat_NP = levels_NHW.reshape(len(levels_NHW), -1)
        return np.ascontiguousarray(flat_NP[:, self.pixels_TP].swapaxes(0, 1))

    def joined(self, levels_TNP: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
        """Return the pictures (N, H, W) of their pieces."""
        flat_NP = np.empty((levels_TNP.shape[1], height * width), dtype=np.uint8)
        flat_NP[:, self.pixels_TP] = levels_TNP.swapaxes(0, 1)
        return flat_NP.reshape(-1, height, width)


def pieces(height: int, width: int, by: str, side: int = 0) -> Pieces:
    """Return the pieces of a picture: each pixel, each row, or each square of ``side`` pixels, line by line.

    Raises:
        UserError: for a patch that leaves pixels over, or too many pieces.
    """
    fitting = [
        number for number in range(1, min(height, width) + 1) if not (height % number or width % number)
    ]
    if side and side not in fitting:
        raise UserError(
            f"side={side} does not fit pictures of {height} x {width} pixels: some would never be drawn; use "
            f"side={', '.join(map(str, fitting))}"
        )
    nearest = min(fitting, key=lambda number: (abs(number - WISHED_SIDE), number))
    high, wide = {"pixel": (1, 1), "row": (1, width), "patch": (side or nearest,) * 2}[by]
    rows, columns = height // high, width // wide
    if rows * columns > MOST_PIECES:
        raise UserError(
            f"pictures of {height} x {width} pixels have {rows * columns:,} pieces by {by}, more than {MOST_PIECES:,}; "
            "draw by row or patch, or bring them to a smaller size (size=28)"
        )
    numbers = np.arange(height * width).reshape(rows, high, columns, wide).swapaxes(1, 2)
    return Pieces(numbers.reshape(rows * columns, high * wide), rows, columns)


def levels_of(greys: int, white: int, wanted: int) -> int:
    """Return how many levels pictures of so many greys up to ``white`` are brought to, ``wanted`` or, for 0, what fits.

    Raises:
        UserError: for more levels than there may be greys, or a single one.
    """
    if greys < 2:
        raise UserError(
            "the training pictures are of one even grey, so there is nothing to draw; give others"
        )
    there = white + 1
    if wanted > there:
        raise UserError(
            f"levels={wanted} is more than the {there} greys of the pictures; use at most levels={there}"
        )
    if wanted == 1:
        raise UserError("levels=1 leaves nothing to draw; use at least levels=2")
    return wanted or (greys if greys <= KEPT_LEVELS else FEWER_LEVELS)


def quantised(
    pixels_NHW: NDArray[np.uint8], greys_G: NDArray[np.integer[Any]], levels: int
) -> NDArray[np.uint8]:
    """Return pictures in levels: as many as known greys, ascending, are the place of the nearest one.

    Other levels are of as many bytes each, as far as that comes out: fewer than greys up to the brightest, more up to
    the last byte.
    """
    every, brightest = np.arange(256), int(greys_G[-1])
    if levels == len(greys_G):
        table = np.abs(every[:, None] - greys_G.astype(np.int64)).argmin(axis=1)
    else:
        last = brightest if levels < len(greys_G) else 255
        table = np.minimum(every, last) * levels // (last + 1)
    levels_NHW: NDArray[np.uint8] = table.astype(np.uint8)[pixels_NHW]
    return levels_NHW
