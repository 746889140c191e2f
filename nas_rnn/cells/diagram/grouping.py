"""Finds what belongs together: values that several boxes read alike, and the paths to emphasise."""

from __future__ import annotations

from collections import Counter, deque

from nas_rnn.cells.diagram.parts import Link, Part
from nas_rnn.cells.graph import Cell


def join(parts: list[Part], links: list[Link]) -> tuple[list[Part], list[Link]]:
    """Bring together the values that two or more boxes multiply by matrices alike."""
    multiplied: list[set[int]] = [set() for _ in parts]
    for link in links:
        if link.weight == "matrix":
            multiplied[link.target].add(link.source)
    groups: dict[frozenset[int], list[int]] = {}
    for index, read in enumerate(multiplied):
        if len(read) > 1:
            groups.setdefault(frozenset(read), []).append(index)
    parts, links = list(parts), list(links)
    for sources, boxes in groups.items():
        if len(boxes) < 2:
            continue
        join = len(parts)
        parts.append(Part(kind="join", label=""))
        inside = set(boxes)
        links = [link for link in links if not (link.target in inside and link.weight == "matrix")]
        links += [Link(source=source, target=join) for source in sorted(sources)]
        links += [Link(source=join, target=box, weight="matrix") for box in boxes]
    return parts, links


def lines(cell: Cell, parts: list[Part], links: list[Link]) -> tuple[tuple[int, ...], ...]:
    """Return the links along each path whose next value is reached from its old one through + and ⊙ only.

    The shortest way is taken; of two ways that meet, only the first path's is.
    """
    found: list[tuple[int, ...]] = []
    taken: set[int] = set()
    steps = _steps(parts, links)
    ends = {part.label: index for index, part in enumerate(parts) if part.kind == "next"}
    for start, part in enumerate(parts):
        if part.kind != "state":
            continue
        way = _way(start, ends[part.label], links, steps, taken)
        if way:
            found.append(way)
            taken |= {links[i].target for i in way}
    return tuple(found)


def _steps(parts: list[Part], links: list[Link]) -> list[list[tuple[int, bool]]]:
    """Return for each part the links that leave it, and whether each is a way through + and ⊙."""
    entering = Counter(link.target for link in links)
    steps: list[list[tuple[int, bool]]] = [[] for _ in parts]
    for number_, link in enumerate(links):
        target = parts[link.target]
        negated = target.label == "−" and entering[link.target] == 1
        through = target.kind in ("circle", "function") and target.label[0] in "+×−"
        steps[link.source].append((number_, through and not negated and not link.mark))
    return steps


def _way(
    start: int, end: int, links: list[Link], steps: list[list[tuple[int, bool]]], taken: set[int]
) -> tuple[int, ...]:
    came: dict[int, int] = {}
    queue = deque([start])
    while queue:
        for number_, through in steps[queue.popleft()]:
            target = links[number_].target
            if target in came or target in taken or not (through or target == end):
                continue
            came[target] = number_
            queue.append(target)
    way: list[int] = []
    while end in came and (not way or end != start):
        way.append(came[end])
        end = links[way[-1]].source
    return tuple(reversed(way))
