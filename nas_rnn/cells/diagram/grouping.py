"""Finds what belongs together: values that several boxes read alike, and the paths to emphasise."""

from __future__ import annotations

from collections import deque

from nas_rnn.cells.diagram.parts import Link, Part
from nas_rnn.cells.graph import Cell


def join(parts: list[Part], links: list[Link]) -> tuple[list[Part], list[Link]]:
    """Bring together the values that two or more boxes multiply by matrices alike."""
    groups: dict[frozenset[int], list[int]] = {}
    for index in range(len(parts)):
        sources = frozenset(link.source for link in links if link.target == index and link.weight == "matrix")
        if len(sources) > 1:
            groups.setdefault(sources, []).append(index)
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
    ends = {part.label: index for index, part in enumerate(parts) if part.kind == "next"}
    for start, part in enumerate(parts):
        if part.kind != "state":
            continue
        way = _way(start, ends[part.label], parts, links, taken)
        if way:
            found.append(way)
            taken |= {links[i].target for i in way}
    return tuple(found)


def _way(start: int, end: int, parts: list[Part], links: list[Link], taken: set[int]) -> tuple[int, ...]:
    came: dict[int, int] = {}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for number_, link in enumerate(links):
            target = link.target
            negated = parts[target].label == "−" and sum(each.target == target for each in links) == 1
            through = parts[target].kind in ("circle", "function") and parts[target].label[0] in "+×−"
            through = through and not negated and not link.mark
            if link.source != here or target in came or target in taken or not (through or target == end):
                continue
            came[target] = number_
            queue.append(target)
    way: list[int] = []
    while end in came and (not way or end != start):
        way.insert(0, came[end])
        end = links[way[0]].source
    return tuple(way)
