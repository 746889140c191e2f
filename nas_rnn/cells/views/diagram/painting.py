"""Draws the parts of a picture with matplotlib: outlines, labels and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas_rnn.cells.views.diagram.layout import Box, Point, Stroke
from nas_rnn.cells.views.diagram.sizes import LABEL_SIZE, NAME_SIZE, text_width
from nas_rnn.cells.views.equations.notation import GREEK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND_HEIGHT, FRAME_GAP, _SAMPLE = 24.0, 2.8, 26.0
"""The room below a picture for a legend; frames stand so far outside; the width of the legend's sample."""
INK, CARD, EDGE, LINE = "#2b2f36", "#ffffff", "#d5dae1", "#0b6b5d"
FILLS = {
    "gate": ("#fde8c4", "#c27803"),
    "candidate": ("#d3e6f8", "#2469a6"),
    "learned": ("#e6e0f4", "#6a51a3"),
    "function": ("#f4f5f7", "#5b6470"),
    "circle": ("#ffffff", "#2b2f36"),
}


def paint_mark(axes: Axes, stroke: Stroke, mark: str) -> None:
    (x0, _), (x, y) = stroke.points[-2], stroke.points[-1]
    upright = x0 == x
    place = (x + 6, y + (5 if stroke.points[-2][1] > y else -5)) if upright else (x - 6, y - 6)
    axes.text(*place, mark, fontsize=8, color=INK, ha="center", va="center", zorder=4)


def paint_box(axes: Axes, box: Box) -> None:
    """Draw a part: its outline, its label and its name."""
    from matplotlib.patches import Circle, Rectangle

    part = box.part
    if part.kind in ("state", "next", "input"):
        _paint_port(axes, box)
    elif part.kind == "join":
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        axes.add_patch(Rectangle(corner, box.width, box.height, facecolor=INK, edgecolor="none", zorder=3))
    elif part.kind == "circle":
        fill, edge = FILLS[part.kind]
        outline = Circle(
            (box.x, box.y), box.width / 2, facecolor=fill, edgecolor=edge, linewidth=1.2, zorder=3
        )
        axes.add_patch(outline)
        _paint_operator(axes, box)
        _paint_text(axes, (box.x + 8, box.y - 9), italic(part.name), NAME_SIZE, beside=True)
    else:
        _paint_labelled(axes, box)


def paint_frame(axes: Axes, box: Box) -> None:
    """Draw a heavy dashed frame round a part."""
    _frame(axes, (box.x - box.width / 2, box.y - box.height / 2), box.width, box.height)


def legend_width(text: str) -> float:
    """Return how wide a legend of ``text`` is, in points."""
    return _SAMPLE + 8 + text_width(text, NAME_SIZE)


def paint_legend(axes: Axes, text: str, corner: Point) -> None:
    """Say with a sample at ``corner`` (top left) what the frames mean."""
    _frame(axes, (corner[0] + FRAME_GAP, corner[1] - 5), _SAMPLE - 2 * FRAME_GAP, 10)
    axes.text(
        corner[0] + _SAMPLE + 8,
        corner[1],
        text,
        fontsize=NAME_SIZE,
        color=INK,
        va="center_baseline",
        zorder=4,
        parse_math=False,
    )


def _frame(axes: Axes, corner: Point, width: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            corner,
            width,
            height,
            boxstyle=f"round,pad={FRAME_GAP},rounding_size=5",
            facecolor="none",
            edgecolor=INK,
            linewidth=2.4,
            linestyle=(0, (2.4, 1.4)),
            zorder=5,
        )
    )


def _paint_labelled(axes: Axes, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    part = box.part
    fill, edge = FILLS[part.kind]
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    radius = min(box.height / 2, 11) if part.kind == "function" else 4
    style = f"round,pad=0,rounding_size={radius}"
    outline = FancyBboxPatch(
        corner, box.width, box.height, boxstyle=style, facecolor=fill, edgecolor=edge, linewidth=1.2, zorder=3
    )
    axes.add_patch(outline)
    if part.kind == "function":
        _paint_text(axes, (box.x, box.y), part.label, LABEL_SIZE)
        beside = (box.x + box.width / 2 - 6, box.y - box.height / 2)
        _paint_text(axes, beside, italic(part.name), NAME_SIZE, beside=True)
        return
    _paint_text(axes, (box.x, box.y - (7 if part.name else 0)), part.label, LABEL_SIZE)
    _paint_text(axes, (box.x, box.y + 9), italic(part.name), NAME_SIZE + 1, colour=edge)


def _paint_text(
    axes: Axes, place: Point, text: str, size: float, colour: str = INK, beside: bool = False
) -> None:
    """Write ``text`` with its middle at ``place``, or ``beside`` it: above and to the right."""
    if text:
        across, upright = ("left", "bottom") if beside else ("center", "center_baseline")
        axes.text(*place, text, fontsize=size, color=colour, ha=across, va=upright, zorder=4)


def _paint_operator(axes: Axes, box: Box) -> None:
    """Draw + × − as strokes, so that they sit exactly in the middle of their circle."""
    reach = 4.6
    strokes: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {
        "+": [((-1, 0), (1, 0)), ((0, -1), (0, 1))],
        "−": [((-1, 0), (1, 0))],
        "×": [((-0.75, -0.75), (0.75, 0.75)), ((-0.75, 0.75), (0.75, -0.75))],
        "÷": [((-1, 0), (1, 0)), ((0, -0.8), (0, -0.75)), ((0, 0.75), (0, 0.8))],
    }
    for (x0, y0), (x1, y1) in strokes[box.part.label]:
        axes.plot(
            [box.x + reach * x0, box.x + reach * x1],
            [box.y + reach * y0, box.y + reach * y1],
            color=INK,
            linewidth=1.4,
            solid_capstyle="round",
            snap=False,
            zorder=4,
        )


def _paint_port(axes: Axes, box: Box) -> None:
    time = "t-1" if box.part.kind == "state" else "t"
    side = {"state": "right", "next": "left", "input": "center"}[box.part.kind]
    x = {"state": box.x + box.width / 2 - 3, "next": box.x - box.width / 2 + 3, "input": box.x}[box.part.kind]
    text = italic(box.part.label, time)
    axes.text(x, box.y, text, fontsize=LABEL_SIZE + 2, color=INK, ha=side, va="center", zorder=4)


def italic(name: str, time: str = "") -> str:
    """Return matplotlib's mathematical text for a user's name, with a time index where one is given."""
    if not name:
        return ""
    letter = GREEK.get(name, name).replace("_", r"\_")
    return rf"$\mathit{{{letter}}}_{{{time}}}$" if time else rf"$\mathit{{{letter}}}$"
