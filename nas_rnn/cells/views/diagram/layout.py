"""The finished layout of a picture: where every part stands and how every wire runs, as plain values.

Lengths are points, x grows to the right and y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nas_rnn.cells.views.diagram.parts import Part, Sketch

Point = tuple[float, float]
Side = Literal["left", "top", "bottom"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where a part stands: its centre and its size."""

    part: Part
    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box, gap: float = 0.0) -> bool:
        """Whether the two boxes are nearer to each other than ``gap``."""
        apart_x = abs(self.x - other.x) >= (self.width + other.width) / 2 + gap
        apart_y = abs(self.y - other.y) >= (self.height + other.height) / 2 + gap
        return not (apart_x or apart_y)


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A piece of the wire that leaves part ``source``; ``link`` where it ends with that link's arrow head."""

    source: int
    points: tuple[Point, ...]
    link: int | None = None
    emphasised: bool = False
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Layout:
    """``boxes[i]`` is where ``sketch.parts[i]`` stands; ``dots`` are where wires branch."""

    sketch: Sketch
    width: float
    height: float
    boxes: tuple[Box, ...]
    strokes: tuple[Stroke, ...]
    dots: tuple[tuple[int, Point], ...]
