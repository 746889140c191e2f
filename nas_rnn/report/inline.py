"""Pictures as part of a page: matplotlib's SVG without what is its own, in colours that the page's style sets."""

from __future__ import annotations

import contextlib
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, QUIET, PAPER, GRID, SHADE = "#1a1a1a", "#6b6b6b", "#ffffff", "#eeeeee", "#e3e3e3"
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's palette (2008); markers, dashes and words say the same without colour."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DASHES: Final[tuple[object, ...]] = (
    "solid",
    (0, (5, 2)),
    (0, (1.5, 1.5)),
    (0, (5, 2, 1.5, 2)),
    (0, (8, 3)),
    (0, (3, 1)),
)

VARIABLES: Final = {
    INK: "ink",
    QUIET: "quiet",
    PAPER: "card",
    GRID: "grid",
    SHADE: "shade",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, start=1)},
    # of the pictures that other layers draw
    "#000000": "ink",
    "#2b2f36": "ink",
    "#d0d0d0": "grid",
    "#d5dae1": "grid",
    "#0b6b5d": "path",
    "#fde8c4": "gate",
    "#c27803": "gate-edge",
    "#d3e6f8": "candidate",
    "#2469a6": "candidate-edge",
    "#e6e0f4": "learned",
    "#6a51a3": "learned-edge",
    "#f4f5f7": "function",
    "#5b6470": "function-edge",
}
"""What each colour of a picture is called in the page's style, which has a light and a dark value for each name."""

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FONT = re.compile(r"font-family:[^;]*(;|$)")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_POINTS_TO_PIXELS = 4 / 3
POINTS = 72
"""An inch in the units of an SVG file."""


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Have what is drawn inside keep its words as text, in the page's font; names may hold dollar signs."""
    import matplotlib

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "nas_rnn",
        "font.size": 10.5,
        "text.parse_math": False,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
    }
    with matplotlib.rc_context(settings):
        yield


def figure_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return ``figure``, made within `drawing`, as `inline_svg` does."""
    _lay_out(figure)
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    return inline_svg(target.getvalue(), name, description)


def _lay_out(figure: Figure) -> None:
    """Find a place for the parts of a ``figure`` that has no layout engine.

    With one, `savefig` would draw the whole figure once more for that, and nothing of it would be kept.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if figure.get_layout_engine() is None:
        FigureCanvasSVG(figure)  # of whose fonts the engine takes the measures
        figure.dpi = POINTS
        ConstrainedLayoutEngine().execute(figure)


def inline_svg(svg: bytes, name: str, description: str) -> Markup:
    """Return a picture of matplotlib's as an element of a page.

    Its ids begin with ``name``, which must be its own on the page; ``description`` is what it says to those who do
    not see it; it takes the width available, up to that at which it was drawn.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        element.attrib = {
            key.replace(f"{{{_LINK}}}", "xlink:"): _value(key, value, name) for key, value in element.items()
        }
    width = float(root.attrib.pop("width", "400").removesuffix("pt")) * _POINTS_TO_PIXELS
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    root.attrib |= {"role": "img", "aria-label": description, "style": f"--drawn: {width:.0f}px"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _value(key: str, value: str, name: str) -> str:
    """Return an attribute's value with its ids made the page's, its colours named, its numbers short."""
    if key == "id":
        return f"{name}-{value}"
    if key.endswith("href"):
        return f"#{name}-{value[1:]}" if value.startswith("#") else ""
    value = _REFERENCE.sub(rf"url(#{name}-\1)", value)
    if key in ("d", "x", "y", "points"):
        return _LONG.sub(lambda found: f"{float(found[0]):.2f}", value)
    if key in ("style", "fill", "stroke"):
        value = _FONT.sub("", value)
        return _COLOUR.sub(lambda found: _variable(found[0]), value)
    return value


def _variable(colour: str) -> str:
    name = VARIABLES.get(colour.lower())
    return colour if name is None else f"var(--{name})"
