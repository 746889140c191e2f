"""How a picture is cut into pieces that are drawn one after another, and how many greys it has. Knows no torch.

Shapes: N pictures of H x W pixels, T pieces of P pixels each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

WAYS = ("pixel", "row", "patch")
MOST_PIECES = 4096
"""More steps than this are a mistake rather than a task for a recurrent network."""
KEPT_LEVELS, FEWER_LEVELS = 32, 16
"""Pictures with at most so many greys keep them; of others these are left, unless it is said otherwise."""
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
        UserError: for a patch that leaves pixels over, a side where there are no patches, or too many pieces.
    """
    if side and by != "patch":
        raise UserError(f"side={side} is that of a patch (by=patch); a picture drawn by {by} has none")
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


def levels_of(white: int, wanted: int) -> int:
    """Return how many greys pictures up to ``white`` are brought to, ``wanted`` of them or, for 0, what fits.

    Raises:
        UserError: for more levels than there are.
    """
    there = white + 1
    if wanted > there:
        raise UserError(
            f"levels={wanted} is more than the {there} greys of the pictures; use at most levels={there}"
        )
    return wanted or (there if there <= KEPT_LEVELS else FEWER_LEVELS)


def quantised(pixels_NHW: NDArray[np.uint8], white: int, levels: int) -> NDArray[np.uint8]:
    """Return pictures of bytes up to ``white`` in so many levels, each of as many bytes, as far as that comes out."""
    table = (np.arange(white + 1) * levels // (white + 1)).astype(np.uint8)
    return table[pixels_NHW]
