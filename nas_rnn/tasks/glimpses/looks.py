"""Where a picture is looked at, and in which order: all that makes a picture a sequence.

Shapes: T looks, P pixels of a look. A look is a whole row or column (or several), or a square patch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError, unknown

MOST_LOOKS = 4096
"""More steps than this are a mistake rather than a task for a recurrent network."""

Corners = list[tuple[int, int]]
"""The top left corners (row, column) of looks, in order."""


def looks(height: int, width: int, *, order: str, patch: int = 0, overlap: int = 0) -> NDArray[np.int64]:
    """Return the flat pixel numbers of every look, (T, P), for pictures of ``height`` x ``width``.

    Orders: "rows" from the top, "columns" from the left, "patches" line by line, "spiral" around the border
    clockwise and inwards, so that the middle comes last. ``patch`` is how many rows or columns are seen at
    once, or a square's side; neighbouring looks share ``overlap`` pixels. With patch 0 it is one row or
    column beyond the overlap, or the fitting side nearest to a quarter of the picture's shorter side.

    Raises:
        UserError: for an unknown order, a patch that does not fit the picture, or too many looks.
    """
    if order not in ORDERS:
        raise unknown("order of looks", order, ORDERS)
    by_line = {"rows": height, "columns": width}
    sides = (by_line[order],) if order in by_line else (height, width)
    side = patch or _default_patch(sides, overlap, squares=order not in by_line)
    _require_fit(sides, side, overlap, order)
    box_height, box_width = ORDERS[order][0](height, width, side)
    tops = range(0, height - box_height + 1, side - overlap)
    lefts = range(0, width - box_width + 1, side - overlap)
    if len(tops) * len(lefts) > MOST_LOOKS:
        raise UserError(
            f"order {order!r} with patch={side} and overlap={overlap} makes {len(tops) * len(lefts)} looks of a "
            f"picture of {height} x {width}, more than {MOST_LOOKS}; use a larger patch or smaller pictures"
        )
    corners = np.array(ORDERS[order][1]([(top, left) for top in tops for left in lefts]))
    rows = corners[:, 0, None, None] + np.arange(box_height)[:, None]
    columns = corners[:, 1, None, None] + np.arange(box_width)
    return (rows * width + columns).reshape(len(corners), -1).astype(np.int64)


def boxes(looks_TP: NDArray[np.int64], width: int) -> list[tuple[int, int, int, int]]:
    """Return each look's (top, left, height, width)."""
    rows, columns = looks_TP // width, looks_TP % width
    return [
        (int(r.min()), int(c.min()), int(np.ptp(r)) + 1, int(np.ptp(c)) + 1)
        for r, c in zip(rows, columns, strict=True)
    ]


def _as_they_stand(corners: Corners) -> Corners:
    return corners


def _inwards(corners: Corners) -> Corners:
    """Return the corners of a grid clockwise along its border from the top left, then the next ring, ..."""
    lines: dict[int, Corners] = {}
    for corner in corners:
        lines.setdefault(corner[0], []).append(corner)
    left, ordered = list(lines.values()), Corners()
    while left:
        ordered += left[0]
        left = [list(line) for line in zip(*left[1:], strict=True)][::-1]  # turned by a quarter to the left
    return ordered


Shape = Callable[[int, int, int], tuple[int, int]]

ORDERS: dict[str, tuple[Shape, Callable[[Corners], Corners]]] = {
    "rows": (lambda height, width, side: (side, width), _as_they_stand),
    "columns": (lambda height, width, side: (height, side), _as_they_stand),
    "patches": (lambda height, width, side: (side, side), _as_they_stand),
    "spiral": (lambda height, width, side: (side, side), _inwards),
}
"""Each order: the size of a look, and how the looks, given line by line, are put in order."""


def _fitting(sides: tuple[int, ...], overlap: int) -> list[int]:
    """Return the patches that leave no pixel of any side over."""
    candidates = range(overlap + 1, min(sides) + 1)
    return [patch for patch in candidates if all((s - patch) % (patch - overlap) == 0 for s in sides)]


def _default_patch(sides: tuple[int, ...], overlap: int, *, squares: bool) -> int:
    if not squares:
        return overlap + 1
    wished = min(sides) / 4
    return min(_fitting(sides, overlap), key=lambda patch: (abs(patch - wished), patch), default=1)


def _require_fit(sides: tuple[int, ...], patch: int, overlap: int, order: str) -> None:
    fitting = _fitting(sides, overlap)
    if patch in fitting:
        return
    shown = " x ".join(map(str, sides))
    among = f"among {order} {shown} pixels" if len(sides) > 1 else f"over {shown} {order}"
    known = f"use patch={', '.join(map(str, fitting))}" if fitting else "use a smaller overlap"
    if overlap >= patch:
        reason = "an overlap must be smaller than the patch"
    elif patch > min(sides):
        reason = "the patch is larger than the picture"
    else:
        reason = "some pixels would never be seen"
    raise UserError(f"patch={patch} with overlap={overlap} does not fit {among}: {reason}; {known}")
