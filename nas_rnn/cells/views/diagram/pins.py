"""Decides where on each part its wires arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_rnn.cells.views.diagram.columns import Columns, Item
from nas_rnn.cells.views.diagram.layout import Side
from nas_rnn.cells.views.diagram.parts import Sketch
from nas_rnn.cells.views.diagram.rows import pin_offset
from nas_rnn.cells.views.diagram.sizes import RADIUS
from nas_rnn.cells.views.diagram.wires import NEAR

STUB, TURN = RADIUS + 8, 3.0
"""How far from a circle's middle wires to its top and bottom at least run, and the step of other tries."""


@dataclass(frozen=True)
class Pin:
    """Where a link ends: the height at which its wire arrives, and the side at which it enters."""

    y: float
    side: Side


class Placing:
    """Knows how high everything stands, and places the pins: ``pin[link]``.

    ``height_of`` gives the height of every item by its column, ``links_of`` the links that end at each part,
    ``bottom`` the height from which the input's wire comes.
    """

    def __init__(
        self,
        sketch: Sketch,
        columns: Columns,
        height_of: dict[tuple[int, Item], float],
        links_of: Sequence[list[int]],
        sizes: Sequence[tuple[float, float]],
        bottom: float,
    ) -> None:
        self.sketch = sketch
        self.columns = columns
        self.height_of = height_of
        self.links_of = links_of
        self.sizes = sizes
        self.bottom = bottom
        self.emphasised = {number for line in sketch.lines for number in line}
        self.turning = {
            part: self._turning(part) for part in range(len(sketch.parts)) if self._is_turned(part)
        }
        self.pin = {
            number: pin for part in range(len(sketch.parts)) for number, pin in self._place_pins(part)
        }

    def part_y(self, part: int) -> float:
        return self.height_of[self.columns.column[part], Item(part, part)]

    def entry(self, k: int, source: int) -> float | None:
        """Return the height at which the wire of ``source`` leaves column k; None: it comes from below."""
        if self.sketch.parts[source].kind == "input" and k == 0:
            return None
        item = Item(source, source) if self.columns.column[source] == k else Item(source, None)
        return self.height_of[k, item]

    def _is_turned(self, part: int) -> bool:
        return self.sketch.parts[part].kind == "circle" and len(self.links_of[part]) > 1

    def _place_pins(self, part: int) -> list[tuple[int, Pin]]:
        links = self.links_of[part]
        if not self._is_turned(part):
            middle = self.part_y(part) if self.sketch.parts[part].kind != "input" else 0.0
            return [
                (number, Pin(middle + pin_offset(position, len(links)), "left"))
                for position, number in enumerate(links)
            ]
        return self._circle_pins(part, links)

    def _circle_pins(self, part: int, links: list[int]) -> list[tuple[int, Pin]]:
        """Return the pins of a circle: the straightest wire enters at the left, the other above or below."""
        turning, side, wanted = self.turning[part]
        straight = next(number for number in links if number != turning)
        height = self._approach(part, self.sketch.links[turning].source, side, wanted)
        return [(straight, Pin(self.part_y(part), "left")), (turning, Pin(height, side))]

    def _turning(self, part: int) -> tuple[int, Side, float]:
        """Return which link enters a circle from above or below, at which of them, and whence it comes."""
        links, middle, k = self.links_of[part], self.part_y(part), self.columns.column[part]
        heights = {number: self.entry(k - 1, self.sketch.links[number].source) for number in links}
        entries = {number: self.bottom if y is None else y for number, y in heights.items()}
        straight = min(
            links, key=lambda n: (n not in self.emphasised, abs(entries[n] - middle), links.index(n))
        )
        turning = next(number for number in links if number != straight)
        above = entries[turning] <= middle - NEAR and straight not in self.emphasised
        # the input's wire rises in the channel: it turns off right below the circle
        wanted = middle if heights[turning] is None else entries[turning]
        return turning, "top" if above else "bottom", wanted

    def _approach(self, part: int, source: int, side: Side, wanted: float) -> float:
        """Return the height at which a wire reaches a circle's middle, to go straight up or down from there.

        It is the one nearest to ``wanted`` at which no part stands in the way and no other value's wire runs.
        """
        k, middle = self.columns.column[part], self.part_y(part)
        sign = 1 if side == "bottom" else -1
        room = self._room(part, side)
        passing = [
            self.height_of[k, item]
            for item in self.columns.items[k]
            if item.part is None and item.source != source
        ]
        entering = [
            self.height_of[k - 1, item] for item in self.columns.items[k - 1] if item.source != source
        ]
        steps = range(min(int((room - STUB) // TURN), 12) + 1)
        tries = [middle + sign * min(max(sign * (wanted - middle), STUB), room)]
        tries += [middle + sign * (STUB + TURN * step) for step in steps]

        def cost(y: float) -> tuple[bool, bool, float]:
            return _is_near(y, passing), _is_near(y, entering), abs(y - wanted)

        return min(tries, key=cost)

    def _room(self, part: int, side: Side) -> float:
        """Return how far from a circle's middle a wire may run that reaches it from ``side``."""
        k, middle = self.columns.column[part], self.part_y(part)
        sign = 1 if side == "bottom" else -1
        room = 1e6
        for other in (item.part for item in self.columns.items[k] if item.part is not None):
            away = sign * (self.part_y(other) - middle)
            if away > 0:
                # where another circle is reached from in between too, each gets its half
                shared = other in self.turning and self.turning[other][1] != side
                room = min(
                    room, away / 2 - NEAR / 2 if shared else away - self.sizes[other][1] / 2 - NEAR - 2
                )
        return max(room, STUB)


def _is_near(y: float, others: Sequence[float]) -> bool:
    return any(abs(y - other) < NEAR for other in others)
