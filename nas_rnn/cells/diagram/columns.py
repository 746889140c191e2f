"""Puts the parts of a sketch into columns, so that few wires cross (Sugiyama et al. 1981)."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nas_rnn.cells.diagram.parts import Link, Sketch
from nas_rnn.errors import UserError

SWEEPS = 24
MOST_PARTS, MOST_ITEMS = 400, 8_000
"""How many boxes and circles a picture has at most, and how many of these and wires that pass them by, all columns
together: so many take some 10 s, and a larger picture could not be read."""


@dataclass(frozen=True)
class Item:
    """What stands in a column: a part, or a wire from ``source`` that passes through (``part`` is None)."""

    source: int
    part: int | None


@dataclass(frozen=True)
class Columns:
    """``items[k]`` are the items of column k from top to bottom; ``column[part]`` is where each part stands.

    The input enters from below and stands in no column. ``rows`` is how many items at the top of a column
    lie on emphasised lines.
    """

    items: tuple[tuple[Item, ...], ...]
    column: tuple[int, ...]
    rows: int


def arrange_columns(sketch: Sketch) -> Columns:
    """Return the columns of ``sketch``, ordered. Raises `UserError` for more than a picture can show."""
    _check_size("boxes and circles", len(sketch.parts), MOST_PARTS)
    column = assign_columns(sketch)
    _check_size("boxes, circles and wires that pass them by", _count(sketch, column), MOST_ITEMS)
    items = _items(sketch, column)
    return Columns(tuple(map(tuple, _order(sketch, column, items))), tuple(column), len(sketch.lines))


def assign_columns(sketch: Sketch) -> list[int]:
    """Return each part's column: one after the last part that it reads; next states in the last one.

    Parts without learned sums then move right, next to what reads them, so that their wires are short.
    """
    count = len(sketch.parts)
    sources: list[list[int]] = [[] for _ in range(count)]
    targets: list[list[int]] = [[] for _ in range(count)]
    for link in sketch.links:
        sources[link.target].append(link.source)
        targets[link.source].append(link.target)
    order = _topological(sources)
    column = [0] * count
    for part in order:
        if sketch.parts[part].kind not in ("input", "state"):
            column[part] = max((column[i] + 1 for i in sources[part]), default=1)
    last = max(column[part] for part in range(count) if sketch.parts[part].kind == "next")
    last = max([last, *(c + 1 for part, c in enumerate(column) if sketch.parts[part].kind != "next")])
    for part in reversed(order):
        if sketch.parts[part].kind == "next":
            column[part] = last
        elif sketch.parts[part].kind in ("function", "circle", "learned"):
            column[part] = max(column[part], min(column[i] for i in targets[part]) - 1)
    return column


def _topological(sources: Sequence[Sequence[int]]) -> list[int]:
    """Return the parts, each after what it reads."""
    order: list[int] = []
    seen: set[int] = set()
    for start in range(len(sources)):
        stack = [(start, False)]
        while stack:
            part, done = stack.pop()
            if done:
                order.append(part)
            elif part not in seen:
                seen.add(part)
                stack.append((part, True))
                stack += [(source, False) for source in reversed(sources[part])]
    return order


def _check_size(what: str, count: int, most: int) -> None:
    if count > most:
        raise UserError(
            f"a picture of a cell has at most {most:,} {what}, and this one would have {count:,}; "
            "the equations (`nas-rnn show CELL`, `str(cell)`) and the text form have no such limit"
        )


def _count(sketch: Sketch, column: Sequence[int]) -> int:
    """Return how many items the columns have."""
    reach = _reach(sketch, column)
    passing = sum(max(end - start - 1, 0) for start, end in zip(column, reach, strict=True))
    return passing + len(sketch.parts)


def _reach(sketch: Sketch, column: Sequence[int]) -> list[int]:
    """Return the column in which each part's last wire ends."""
    reach = list(column)
    for link in sketch.links:
        reach[link.source] = max(reach[link.source], column[link.target])
    return reach


def _items(sketch: Sketch, column: Sequence[int]) -> list[list[Item]]:
    items: list[list[Item]] = [[] for _ in range(max(column) + 1)]
    reach = _reach(sketch, column)
    for part, kind in enumerate(part.kind for part in sketch.parts):
        if kind != "input":
            items[column[part]].append(Item(part, part))
        for passed in range(column[part] + 1, reach[part]):
            items[passed].append(Item(part, None))
    return items


def line_rows(sketch: Sketch, column: Sequence[int]) -> dict[tuple[int, Item], int]:
    """Return the row of every item on an emphasised line, by its column."""
    rows: dict[tuple[int, Item], int] = {}
    for row, line in enumerate(sketch.lines):
        for number in line:
            link = sketch.links[number]
            rows[column[link.source], Item(link.source, link.source)] = row
            rows[column[link.target], Item(link.target, link.target)] = row
            for passed in range(column[link.source] + 1, column[link.target]):
                rows[passed, Item(link.source, None)] = row
    return rows


Edge = tuple[int, int]
"""Places of two items in neighbouring columns; the input's place is the one below its column."""


def links_into(sketch: Sketch, column: Sequence[int]) -> list[list[int]]:
    """Return for each column the links that end in it."""
    found: list[list[int]] = [[] for _ in range(max(column) + 1)]
    for number, link in enumerate(sketch.links):
        found[column[link.target]].append(number)
    return found


def edges_between(links: Iterable[Link], left: Sequence[Item], right: Sequence[Item], k: int) -> list[Edge]:
    """Return the wires between column ``k`` (``left``) and the next one (``right``), in which ``links`` end."""
    place_left = {item.source: place for place, item in enumerate(left)}
    place_right = {(item.source, item.part): place for place, item in enumerate(right)}
    edges: list[Edge] = []
    for item in right:
        if item.part is None and (item.source in place_left or k == 0):
            edges.append((place_left.get(item.source, len(left)), place_right[item.source, None]))
    for link in links:
        if (link.target, link.target) in place_right:
            edges.append((place_left.get(link.source, len(left)), place_right[link.target, link.target]))
    return edges


def _crossings(edges: Sequence[Edge]) -> int:
    """Return how many pairs of wires cross: those that end in the other order than they begin."""
    found = 0
    ends: list[int] = []
    for _, end in sorted(edges):
        found += len(ends) - bisect_right(ends, end)
        insort(ends, end)
    return found


def _order(sketch: Sketch, column: Sequence[int], items: list[list[Item]]) -> list[list[Item]]:
    """Return the columns in the order with the fewest crossings that sweeps to and fro have met."""
    rows = line_rows(sketch, column)
    into = [[sketch.links[number] for number in numbers] for numbers in links_into(sketch, column)]
    inputs = {part for part, it in enumerate(sketch.parts) if it.kind == "input"}

    def rank(k: int, item: Item) -> tuple[int, int]:
        """Emphasised lines come first, the input's wire last."""
        if (k, item) in rows:
            return (0, rows[k, item])
        return (2, 0) if item.source in inputs and item.part is None else (1, 0)

    def cost(order: list[list[Item]]) -> int:
        pairs = range(len(order) - 1)
        return sum(_crossings(edges_between(into[k + 1], order[k], order[k + 1], k)) for k in pairs)

    def ordered(k: int, each: list[Item], middle: dict[Item, float]) -> list[Item]:
        return sorted(each, key=lambda item: (rank(k, item), middle.get(item, 0.0)))

    order = [ordered(k, each, {}) for k, each in enumerate(items)]
    best, fewest = order, cost(order)
    for sweep in range(SWEEPS):
        order = [list(each) for each in order]
        forward = sweep % 2 == 0
        for k in range(1, len(order)) if forward else range(len(order) - 2, -1, -1):
            other = k - 1 if forward else k + 1
            order[k] = ordered(k, order[k], _barycentres(into, order, k, other))
        found = cost(order)
        if found < fewest:
            best, fewest = order, found
    return best


def _barycentres(
    into: Sequence[Sequence[Link]], order: Sequence[Sequence[Item]], k: int, other: int
) -> dict[Item, float]:
    """Return each item's mean place among its neighbours in column ``other``; its own where it has none."""
    low = min(k, other)
    near: dict[int, list[int]] = {}
    for a, b in edges_between(into[low + 1], order[low], order[low + 1], low):
        place, neighbour = (b, a) if other == low else (a, b)
        near.setdefault(place, []).append(neighbour)
    return {
        item: sum(near[place]) / len(near[place]) if place in near else float(place)
        for place, item in enumerate(order[k])
    }
