"""One panel of a picture: small enough for a narrow screen, with its lines named at their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from nas_rnn.report.inline import GRID, INK, QUIET, figure_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

SIZE = (4.7, 3.3)
"""Width and height in inches: text of 10 points stays legible where a narrow screen shrinks it."""
LONGEST = 18


@dataclass(frozen=True)
class Panel:
    """A finished panel: its title, and the picture."""

    title: str
    svg: Markup


def begin(x: str, y: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Return an empty panel with names for its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)  # `figure_svg` lays it out
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def finish(figure: Figure, name: str, title: str, description: str) -> Panel:
    """Return the panel as a part of the page."""
    return Panel(title, figure_svg(figure, name, f"{title}. {description}"))


def short(name: str) -> str:
    """Return a name cut to what a panel has room for."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def whole_ticks(axes: Axes) -> None:
    """Mark whole numbers only on the horizontal axis."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))


def plain_log_ticks(axis: Axis) -> None:
    """Mark 1, 2 and 5 times the powers of ten, in plain figures."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def per_cent(axes: Axes) -> None:
    """Write the vertical axis' relative gaps in per cent, with a sign."""
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, place: f"{100 * value:+.3g} %".replace("-", "−") if value else "0 %")
    )


def name_ends(axes: Axes, ends: Sequence[tuple[float, float, str]]) -> None:
    """Write names beside the ends (x, y) of their lines, apart where they would hide each other."""
    if not ends:
        return
    axes.get_ylim()  # or the limits leave out the line that was drawn last
    up = axes.transScale + axes.transLimits
    shares = [float(up.transform((x, y))[1]) for x, y, _ in ends]
    places = _spread([min(max(share, 0.0), 1.0) for share in shares], 0.075)
    right = max(x for x, _, _ in ends)
    for (_, _, name), share in zip(ends, places, strict=True):
        axes.annotate(
            short(name),
            (right, share),
            xycoords=axes.get_xaxis_transform(),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            annotation_clip=False,
        )


def _spread(values: Sequence[float], apart: float) -> list[float]:
    """Return values moved no more than needed to lie ``apart``, in the same order."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    placed = [0.0] * len(values)
    for position, i in enumerate(order):
        placed[i] = values[i] if not position else max(values[i], placed[order[position - 1]] + apart)
    excess = placed[order[-1]] - max(values) if order else 0.0
    return [value - excess / 2 for value in placed]


def zero_line(axes: Axes, value: float, name: str) -> None:
    """Draw a reference across the panel, named at its left end."""
    axes.axhline(value, color=QUIET, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1.5)
    axes.annotate(
        name,
        (0.01, value),
        xycoords=axes.get_yaxis_transform(),
        xytext=(0, 3),
        textcoords="offset points",
        color=QUIET,
        fontsize=9,
    )
