"""Draws a layout with matplotlib, as SVG or PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from nas_rnn.cells.graph.nodes import CellGraph
from nas_rnn.cells.views.diagram.arranging import arrange
from nas_rnn.cells.views.diagram.layout import Layout, Point, Stroke
from nas_rnn.cells.views.diagram.painting import (
    CARD,
    EDGE,
    INK,
    LEGEND_HEIGHT,
    LINE,
    legend_width,
    paint_box,
    paint_frame,
    paint_legend,
    paint_mark,
)
from nas_rnn.cells.views.diagram.sketch import sketch
from nas_rnn.errors import unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("svg", "png")
PNG_DOTS_PER_INCH = 200
PNG_SIDE, PNG_AREA = 65_000, 150_000_000
"""How many dots the longer side, and the whole, of a PNG have at most: a large picture has fewer to an inch."""

CORNER, TIP = 5.0, 3.0
WIRE, BOLD = 1.1, 2.6
_SETTINGS = (
    "text.",
    "mathtext.",
    "font.",
    "svg.",
    "path.",
    "patch.",
    "lines.",
    "savefig.",
    "figure.",
    "axes.",
)


def draw(cell: CellGraph, format: str = "svg", marked: Collection[int] = (), legend: str = "") -> bytes:
    """Return a picture of ``cell``: ``format`` is ``"svg"`` or ``"png"``.

    A PNG has 200 dots an inch, fewer where it would be larger than 65,000 dots at a side, or 150 million in all.

    Parts that show a node in ``marked`` have a heavy dashed frame, and ``legend`` says below what that means.

    Time runs from left to right: old states enter at the left, next states leave at the right, the input
    comes from below. Paths that only + and ⊙ change are drawn as one bold line along the top. Boxes
    have weights: orange are gates (sigmoids of learned sums), blue are other activations of learned
    sums; grey and white parts have none. Dashed wires have one weight per unit (peepholes); a black bar
    brings together values that several boxes multiply alike. The same cell always gives the same bytes
    (with one version of matplotlib). Raises `UserError` for another format, and for more than 400 boxes and circles, or
    8,000 with the wires that pass them by.
    """
    if format not in FORMATS:
        raise unknown("picture format", str(format), FORMATS)
    return paint(arrange(sketch(cell)), format, frozenset(marked), legend)


def paint(layout: Layout, format: str, marked: frozenset[int] = frozenset(), legend: str = "") -> bytes:
    """Return the picture of ``layout``; see `draw`."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if k.startswith(_SETTINGS)}
    settings = {**defaults, "svg.hashsalt": "nas_rnn", "svg.fonttype": "path", "mathtext.fontset": "stix"}
    with matplotlib.rc_context(settings):
        width, height = layout.width, layout.height
        if legend:
            width, height = max(width, legend_width(legend) + 2 * LEGEND_HEIGHT), height + LEGEND_HEIGHT
        figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.axis("off")
        _paint_card(axes, width, height)
        _paint_all(axes, layout)
        for box in layout.boxes:
            if marked.intersection(box.part.nodes):
                paint_frame(axes, box)
        if legend:
            paint_legend(axes, legend, (16.0, layout.height + 0.3 * LEGEND_HEIGHT))
        target = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None} if format == "svg" else {"Software": None}
        figure.savefig(target, format=format, dpi=_dots_per_inch(width / 72, height / 72), metadata=metadata)
    return target.getvalue()


def _dots_per_inch(width: float, height: float) -> float:
    """Return the resolution of a PNG of so many inches."""
    return min(PNG_DOTS_PER_INCH, PNG_SIDE / max(width, height), math.sqrt(PNG_AREA / (width * height)))


def _paint_card(axes: Axes, width: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (6.5, 6.5),
            width - 13,
            height - 13,
            boxstyle="round,pad=6,rounding_size=8",
            facecolor=CARD,
            edgecolor=EDGE,
            linewidth=0.8,
            zorder=0,
        )
    )


def _paint_all(axes: Axes, layout: Layout) -> None:
    of_source: dict[int, list[Stroke]] = {}
    for stroke in layout.strokes:
        of_source.setdefault(stroke.source, []).append(stroke)
    dots: dict[int, list[Point]] = {}
    for source, centre in layout.dots:
        dots.setdefault(source, []).append(centre)
    bold = {stroke.source for stroke in layout.strokes if stroke.emphasised}
    order = sorted(of_source, key=lambda s: (s in bold, s))
    for level, source in enumerate(order):
        # boxes lie at level 3, above all wires
        _paint_net(axes, of_source[source], dots.get(source, []), 1 + level / max(100, len(order)))
    for box in layout.boxes:
        paint_box(axes, box)
    for stroke in layout.strokes:
        if stroke.link is not None and layout.sketch.links[stroke.link].mark:
            paint_mark(axes, stroke, layout.sketch.links[stroke.link].mark)


def _paint_net(axes: Axes, strokes: list[Stroke], dots: list[Point], level: float) -> None:
    """Draw the wires of one value over a white seam, so that two that cross are told apart."""
    from matplotlib.patches import Circle

    plain = [stroke for stroke in strokes if not stroke.emphasised]
    bold = [stroke for stroke in strokes if stroke.emphasised]
    _paint_strokes(axes, plain, CARD, 3.6, level)
    _paint_strokes(axes, bold, CARD, 5.0, level)
    _paint_strokes(axes, [s for s in plain if not s.dashed], INK, WIRE, level + 0.003)
    _paint_strokes(axes, [s for s in plain if s.dashed], INK, WIRE, level + 0.003, dashed=True)
    _paint_strokes(axes, bold, LINE, BOLD, level + 0.004)
    for stroke in strokes:
        if stroke.link is not None:
            _paint_head(axes, stroke, LINE if stroke.emphasised else INK, level + 0.005)
    for centre in dots:
        axes.add_patch(Circle(centre, 1.9, facecolor=INK, edgecolor="none", zorder=level + 0.006))


def _paint_strokes(
    axes: Axes, strokes: list[Stroke], colour: str, width: float, level: float, dashed: bool = False
) -> None:
    """Draw strokes as one path, so that those which run together in part do not look bolder there."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not strokes:
        return
    codes: list[int] = []
    points: list[Point] = []
    for stroke in strokes:
        more_codes, more_points = rounded(_without_tip(stroke))
        codes += more_codes
        points += more_points
    axes.add_patch(
        PathPatch(
            Path(points, codes),
            facecolor="none",
            edgecolor=colour,
            linewidth=width,
            linestyle=(0, (2.6, 2.0)) if dashed else "solid",
            capstyle="butt",
            joinstyle="round",
            snap=False,
            zorder=level,
        )
    )


def _without_tip(stroke: Stroke) -> tuple[Point, ...]:
    """Return the points of a stroke that ends within its arrow head, not at its tip."""
    (x0, y0), (x, y) = stroke.points[-2], stroke.points[-1]
    length = abs(x - x0) + abs(y - y0)
    if stroke.link is None or length <= TIP:
        return stroke.points
    return (*stroke.points[:-1], (x - TIP * (x - x0) / length, y - TIP * (y - y0) / length))


def rounded(points: tuple[Point, ...]) -> tuple[list[int], list[Point]]:
    """Return the path codes and points of a polyline whose corners are rounded."""
    move, line, curve = 1, 2, 3
    codes, path = [move], [points[0]]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        into, out = _towards(here, before), _towards(here, after)
        codes += [line, curve, curve]
        path += [into, here, out]
    return [*codes, line], [*path, points[-1]]


def _towards(here: Point, there: Point) -> Point:
    dx, dy = there[0] - here[0], there[1] - here[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    step = min(CORNER, length / 2) / length
    return here[0] + dx * step, here[1] + dy * step


def _paint_head(axes: Axes, stroke: Stroke, colour: str, level: float) -> None:
    from matplotlib.patches import Polygon

    (x0, y0), (x, y) = stroke.points[-2], stroke.points[-1]
    length, half = (7.5, 3.6) if stroke.emphasised else (5.5, 2.5)
    away = max(abs(x - x0) + abs(y - y0), 1e-9)
    dx, dy = (x - x0) / away, (y - y0) / away
    base = (x - length * dx, y - length * dy)
    corners = [(x, y), (base[0] - half * dy, base[1] + half * dx), (base[0] + half * dy, base[1] - half * dx)]
    axes.add_patch(
        Polygon(corners, closed=True, facecolor=colour, edgecolor="none", snap=False, zorder=level)
    )
