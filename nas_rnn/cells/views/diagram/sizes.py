"""How large the parts of a picture are, in points, reckoned without drawing anything."""

from __future__ import annotations

from nas_rnn.cells.views.diagram.parts import Part

LABEL_SIZE = 12.0
NAME_SIZE = 10.5
RADIUS = 10.0
PIN_GAP = 12.0
"""Between two wires that end at the same box, or run side by side."""

_NARROW, _WIDE = set("ijlt1I.,()[]|· "), set("mwMWQOG@%—…÷×")


def text_width(text: str, size: float) -> float:
    """Return about how wide ``text`` is in points; rather too much than too little."""
    widths = (0.38 if c in _NARROW else 0.92 if c in _WIDE or ord(c) > 0x2E7F else 0.64 for c in text)
    return size * sum(widths)


def part_size(part: Part, inputs: int) -> tuple[float, float]:
    """Return the width and height of a part that ``inputs`` wires enter."""
    label, name = text_width(part.label, LABEL_SIZE), text_width(part.name, NAME_SIZE)
    pins = PIN_GAP * max(inputs - 1, 0)
    match part.kind:
        case "circle":
            return 2 * RADIUS, 2 * RADIUS
        case "function":
            return max(label + 14, 30.0), max(22.0, pins + 12)
        case "join":
            return 4.0, pins + 10
        case "state" | "next" | "input":
            return text_width(part.label, LABEL_SIZE) + (14 if part.kind == "next" else 22), 12.0
    return max(label + 14, name + 12, 36.0), max(36.0 if part.name else 24.0, pins + 14)
