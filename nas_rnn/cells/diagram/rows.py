"""Gives every item of every column its height, so that wires run straight wherever they can."""

from __future__ import annotations

import math
from itertools import pairwise

from nas_rnn.cells.diagram.columns import Columns, Item, edges_between, line_rows, links_into
from nas_rnn.cells.diagram.parts import Sketch
from nas_rnn.cells.diagram.sizes import PIN_GAP, part_size

ROW, CLEAR = 48.0, 30.0
"""Between two emphasised lines, and between the last of them and the edge of what lies below."""
FLOAT = 0.002
GRID = PIN_GAP / 2

Place = tuple[int, Item]
"""An item and its column."""


def incoming(sketch: Sketch) -> list[list[int]]:
    """Return for each part the links that end at it."""
    found: list[list[int]] = [[] for _ in sketch.parts]
    for number, link in enumerate(sketch.links):
        found[link.target].append(number)
    return found


def pin_order(sketch: Sketch, columns: Columns) -> list[list[int]]:
    """Return for each part the links that end at it, ordered as their wires arrive from above to below."""
    found = incoming(sketch)
    for part, links in enumerate(found):
        before = columns.items[columns.column[part] - 1] if columns.column[part] else ()
        place = {item.source: position for position, item in enumerate(before)}
        links.sort(key=lambda number: (place.get(sketch.links[number].source, len(place)), number))
    return found


def pin_offset(position: int, count: int) -> float:
    """Return how far below a box's middle its pin number ``position`` of ``count`` lies."""
    return (position - (count - 1) / 2) * PIN_GAP


class Rows:
    """Works the heights out: ``y[k][place]`` is the height of item ``place`` of column k."""

    def __init__(self, sketch: Sketch, columns: Columns) -> None:
        self.sketch = sketch
        self.columns = columns
        self.pins = pin_order(sketch, columns)
        self.sizes = [part_size(p, len(self.pins[i])) for i, p in enumerate(sketch.parts)]
        self.fixed = line_rows(sketch, columns.column)
        self.top = ROW * (columns.rows - 1) + CLEAR if columns.rows else 0.0

    def run(self) -> list[list[float]]:
        """Return the heights; those of emphasised lines are multiples of `ROW`."""
        heights = {key: ROW * row for key, row in self.fixed.items()}
        free = [
            (k, item)
            for k, items in enumerate(self.columns.items)
            for item in items
            if (k, item) not in self.fixed
        ]
        for key, y in zip(free, self._solve(free), strict=True):
            heights[key] = y
        return [[heights[k, item] for item in items] for k, items in enumerate(self.columns.items)]

    def half(self, item: Item) -> float:
        """Half of the height that the item keeps for itself."""
        if item.part is None:
            return GRID
        half = self.sizes[item.part][1] / 2
        part = self.sketch.parts[item.part]
        outside = part.kind in ("circle", "function") and part.name
        turned = part.kind == "circle" and len(self.pins[item.part]) > 1
        # all lie on one grid: a wire is straight or has a step that one can see
        return GRID * math.ceil((half + (PIN_GAP if turned or outside else PIN_GAP / 2)) / GRID - 0.1)

    def _solve(self, free: list[Place]) -> list[float]:
        """Return the heights at which wires rise and fall least in all, as a linear program finds them.

        Every column keeps its order and its gaps. Height as such costs a little, so that nothing floats.
        """
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        if not free:
            return []
        number = {key: position for position, key in enumerate(free)}
        wishes = self._wishes()
        rows: list[tuple[list[tuple[int, float]], float]] = []
        for slack, (a, b, offset, _) in enumerate(wishes, start=len(free)):
            for sign in (1.0, -1.0):
                known = [(number[key], sign * side) for key, side in ((a, 1.0), (b, -1.0)) if key in number]
                fixed = sum(
                    sign * side * ROW * self.fixed[key]
                    for key, side in ((a, 1.0), (b, -1.0))
                    if key not in number
                )
                rows.append(([*known, (slack, -1.0)], sign * offset - fixed))
        for k, items in enumerate(self.columns.items):
            column = [item for item in items if (k, item) in number]
            for upper, lower in pairwise(column):
                gap = self.half(upper) + self.half(lower)
                rows.append(([(number[k, upper], 1.0), (number[k, lower], -1.0)], -gap))
        cost = [FLOAT] * len(free) + [weight for *_, weight in wishes]
        entries = [(row, column, value) for row, (known, _) in enumerate(rows) for column, value in known]
        row_, column_, value_ = zip(*entries, strict=True) if entries else ((), (), ())
        found = linprog(
            cost,
            A_ub=coo_array((value_, (row_, column_)), shape=(len(rows), len(cost))).tocsr() if rows else None,
            b_ub=np.array([limit for _, limit in rows]) if rows else None,
            bounds=[*((self.top + self.half(item), None) for _, item in free), *((0, None) for _ in wishes)],
            method="highs-ds",
        )
        return [round(float(y), 3) for y in found.x[: len(free)]]

    def _wishes(self) -> list[tuple[Place, Place, float, float]]:
        """Return for each wire its two places, how far below the second's middle it ends, and its weight."""
        wishes: list[tuple[Place, Place, float, float]] = []
        into = links_into(self.sketch, self.columns.column)
        for k in range(len(self.columns.items) - 1):
            left, right = self.columns.items[k], self.columns.items[k + 1]
            links = [self.sketch.links[number] for number in into[k + 1]]
            for a, b in edges_between(links, left, right, k):
                if a == len(left):
                    continue
                one, two = (k, left[a]), (k + 1, right[b])
                if one in self.fixed and two in self.fixed:
                    continue
                # a wire to an emphasised line has to bend anyway
                on_line = one in self.fixed or two in self.fixed
                weight = (
                    0.2
                    if on_line
                    else {0: 1.0, 1: 2.0, 2: 8.0}[(left[a].part is None) + (right[b].part is None)]
                )
                wishes.append((one, two, self._offset(right[b], left[a].source), weight))
        return wishes

    def _offset(self, target: Item, source: int) -> float:
        """Return where on ``target`` the first wire from ``source`` arrives, below its middle."""
        if target.part is None or self.sketch.parts[target.part].kind == "circle":
            return 0.0
        pins = self.pins[target.part]
        position = next(p for p, link in enumerate(pins) if self.sketch.links[link].source == source)
        return pin_offset(position, len(pins))
