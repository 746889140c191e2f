"""Arranges a sketch: columns, then heights, then wires, and out comes a `Layout`."""

from __future__ import annotations

from dataclasses import dataclass

from nas_rnn.cells.diagram.columns import Columns, Item, arrange_columns, links_into
from nas_rnn.cells.diagram.layout import Box, Layout, Point, Stroke
from nas_rnn.cells.diagram.parts import Sketch
from nas_rnn.cells.diagram.pins import Placing
from nas_rnn.cells.diagram.rows import Rows
from nas_rnn.cells.diagram.wires import TRACK_GAP, Net, assign_tracks

MARGIN = 16.0
AFTER, BEFORE = 11.0, 15.0
"""Free room in a channel after a column, and before the next one, where the arrow heads are."""


@dataclass(frozen=True)
class _Exit:
    """A way out of a channel: its height, the points after the track, and the link that ends there."""

    y: float
    points: tuple[Point, ...]
    link: int | None
    emphasised: bool = False
    dashed: bool = False
    branches_in_column: bool = False


def arrange(sketch: Sketch) -> Layout:
    """Return the layout of ``sketch``; the same sketch always gives the same layout."""
    return _Arranger(sketch).run()


class _Arranger:
    def __init__(self, sketch: Sketch) -> None:
        self.sketch = sketch
        self.columns: Columns = arrange_columns(sketch)
        self.into = links_into(sketch, self.columns.column)
        self.leaving: list[list[int]] = [[] for _ in sketch.parts]
        for number, link in enumerate(sketch.links):
            self.leaving[link.source].append(number)
        rows = Rows(sketch, self.columns)
        self.y = rows.run()
        self.sizes = rows.sizes
        self.height_of = {
            (k, item): self.y[k][place]
            for k, items in enumerate(self.columns.items)
            for place, item in enumerate(items)
        }
        self.rows = rows
        self.emphasised = {number for line in sketch.lines for number in line}
        self.inputs = [i for i, part in enumerate(sketch.parts) if part.kind == "input"]
        self._shift()
        self.placing = Placing(sketch, self.columns, self.height_of, rows.pins, rows.sizes, self.bottom)
        self.nets = [self._nets(k) for k in range(len(self.columns.items) - 1)]
        self.left, self.right = self._column_edges()
        self.strokes: list[Stroke] = []
        self.dots: list[tuple[int, Point]] = []

    def _shift(self) -> None:
        """Move everything down so that the highest part touches the margin, and note where the bottom is."""
        tops = [y - self.rows.half(item) for (_, item), y in self.height_of.items()]
        down = MARGIN - min(tops)
        self.height_of = {key: y + down for key, y in self.height_of.items()}
        self.bottom = max(y + self.rows.half(item) for (_, item), y in self.height_of.items()) + 6
        self.height = self.bottom + (20.0 if self.inputs else 0.0) + MARGIN / 2

    def _nets(self, k: int) -> list[Net]:
        """Return the wires of channel k."""
        exits: dict[int, list[float]] = {}
        for item in self.columns.items[k + 1]:
            if item.part is None:
                exits.setdefault(item.source, []).append(self.height_of[k + 1, item])
        for number in self.into[k + 1]:
            exits.setdefault(self.sketch.links[number].source, []).append(self.placing.pin[number].y)
        return [
            Net(source, self.placing.entry(k, source), ys, self.bottom)
            for source, ys in sorted(exits.items())
        ]

    def _column_edges(self) -> tuple[list[float], list[float]]:
        left, right = [], []
        x = MARGIN
        for k, items in enumerate(self.columns.items):
            width = max((self.sizes[item.part][0] for item in items if item.part is not None), default=8.0)
            left.append(x)
            right.append(x + width)
            if k < len(self.nets):
                tracks = assign_tracks(self.nets[k])
                x += width + AFTER + BEFORE + max(tracks - 1, 0) * TRACK_GAP
        return left, right

    def run(self) -> Layout:
        boxes = tuple(self._box(part) for part in range(len(self.sketch.parts)))
        for k, nets in enumerate(self.nets):
            for net in nets:
                self._draw_net(k, net, boxes)
        width = self.right[-1] + MARGIN
        return Layout(
            sketch=self.sketch,
            width=width,
            height=self.height,
            boxes=boxes,
            strokes=tuple(self.strokes),
            dots=tuple(self.dots),
        )

    def _box(self, part: int) -> Box:
        k = self.columns.column[part]
        width, height = self.sizes[part]
        if part in self.inputs:
            net = next((net for net in self.nets[0] if net.source == part), None)
            x = self._track_x(0, net) if net else self.right[0]
            return Box(part=self.sketch.parts[part], x=x, y=self.bottom + 10, width=width, height=height)
        x = (self.left[k] + self.right[k]) / 2
        return Box(part=self.sketch.parts[part], x=x, y=self.placing.part_y(part), width=width, height=height)

    def _track_x(self, k: int, net: Net) -> float:
        return self.right[k] + AFTER + max(net.track, 0) * TRACK_GAP

    def _draw_net(self, k: int, net: Net, boxes: tuple[Box, ...]) -> None:
        """Add the strokes of one value's wire in channel k, none over another, and dots where it branches.

        A corner is rounded where the wire only turns; where it branches, the pieces meet at a dot.
        """
        x, entry = self._track_x(k, net), net.ends[0]
        box = boxes[net.source]
        left = box.x + box.width / 2 if self.columns.column[net.source] == k else self.left[k]
        start: tuple[Point, ...] = () if net.entry is None else ((left, entry),)
        exits = []
        for exit_ in self._exits(k, net.source):
            if exit_.branches_in_column:
                self._add(net.source, exit_.points, exit_)
                self.dots.append((net.source, exit_.points[0]))
            else:
                exits.append(exit_)
        for end in (min(net.ends), max(net.ends)):
            if abs(end - entry) < 0.01:
                continue
            turning = [exit_ for exit_ in exits if abs(exit_.y - end) < 0.01]
            first = start if self._only_turns(net) else ()
            way = (*first, (x, entry), (x, end))
            if len(turning) == 1 and not turning[0].dashed:
                self._add(net.source, (*way, *turning[0].points), turning[0])
                exits.remove(turning[0])
            else:
                self._add(net.source, way)
        ahead = [exit_ for exit_ in exits if abs(exit_.y - entry) < 0.01]
        if start and not self._only_turns(net) and not any(not exit_.dashed for exit_ in ahead):
            self._add(net.source, (*start, (x, entry)))
        for exit_ in exits:
            through = exit_ in ahead and not exit_.dashed and bool(start)
            self._add(net.source, (*(start if through else ((x, exit_.y),)), *exit_.points), exit_)
        self._dots(net, x)

    def _only_turns(self, net: Net) -> bool:
        """Whether the way in leads up or down, and nowhere else."""
        entry = net.ends[0]
        inside = min(net.ends) + 0.01 < entry < max(net.ends) - 0.01
        return not (inside or net.is_straight or any(abs(y - entry) < 0.01 for y in net.exits))

    def _add(self, source: int, points: tuple[Point, ...], end: _Exit | None = None) -> None:
        kept = tuple(p for place, p in enumerate(points) if place == 0 or p != points[place - 1])
        if len(kept) < 2:
            return
        self.strokes.append(
            Stroke(
                source=source,
                points=kept,
                link=end.link if end else None,
                emphasised=end.emphasised if end else False,
                dashed=end.dashed if end else False,
            )
        )

    def _is_emphasised(self, k: int, source: int, link: int | None) -> bool:
        if link is not None:
            return link in self.emphasised
        return (k + 1, Item(source, None)) in self.rows.fixed

    def _exits(self, k: int, source: int) -> list[_Exit]:
        """Return the ways on which the wire of ``source`` leaves channel k."""
        found: list[_Exit] = []
        passing = self.height_of.get((k + 1, Item(source, None)))
        if passing is not None:
            emphasised = self._is_emphasised(k, source, None)
            found.append(_Exit(passing, ((self.left[k + 1], passing),), None, emphasised))
        for number in self.leaving[source]:
            link = self.sketch.links[number]
            if self.columns.column[link.target] != k + 1:
                continue
            pin, (width, height) = self.placing.pin[number], self.sizes[link.target]
            x = (self.left[k + 1] + self.right[k + 1]) / 2
            edge = self.placing.part_y(link.target) + (height / 2 if pin.side == "bottom" else -height / 2)
            points: tuple[Point, ...] = ((x, pin.y), (x, edge))
            if pin.side == "left":
                points = ((x - width / 2, pin.y),)
            found.append(
                _Exit(
                    pin.y,
                    points,
                    number,
                    emphasised=self._is_emphasised(k, source, number),
                    dashed=link.weight == "diagonal",
                    branches_in_column=pin.side != "left"
                    and passing is not None
                    and abs(passing - pin.y) < 0.01,
                )
            )
        return found

    def _dots(self, net: Net, x: float) -> None:
        if len(net.exits) < 2:
            return
        ends = net.ends
        for y in sorted(set(ends)):
            arms = (
                min(sum(abs(y - end) < 0.01 for end in net.exits), 1)
                + (abs(y - ends[0]) < 0.01)
                + (y > min(ends))
                + (y < max(ends))
            )
            # the first end is the way in; coming from below it is part of the trunk
            if arms > 2 and not (net.entry is None and y == net.bottom):
                self.dots.append((net.source, (x, y)))
