"""Pictures that other layers draw, as parts of the page: one for wide screens, one for narrow ones."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from nas_rnn.cells.diagram import draw
from nas_rnn.cells.difference import Difference
from nas_rnn.comparison.chart import draw_chart
from nas_rnn.report.facts import Report
from nas_rnn.report.inline import drawing, figure_svg, inline_svg


@dataclass(frozen=True)
class Picture:
    """The same picture twice: side by side, and one below the other."""

    wide: Markup
    narrow: Markup


def comparison_chart(report: Report) -> Picture | None:
    """Return every seed, the intervals and the margin; None where nothing was compared."""
    if report.comparison is None:
        return None
    told = "Every seed's result, and the differences with their intervals; the table has the same figures."
    with drawing():
        return Picture(
            figure_svg(draw_chart(report.comparison), "chart-wide", told),
            figure_svg(draw_chart(report.comparison, narrow=True), "chart-narrow", told),
        )


def flow_chart(report: Report) -> Picture | None:
    """Return how far back each model's gradient reaches; None where that was not measured."""
    if not report.flows:
        return None
    from nas_rnn.training.flow_chart import flow_figure

    told = "Gradient norm by lag, one panel a model; the table below has growth and horizon of every line."
    with drawing():
        return Picture(
            figure_svg(flow_figure(report.flows), "flow-wide", told),
            figure_svg(flow_figure(report.flows, most_columns=1), "flow-narrow", told),
        )


def cell_diagram(found: Difference, number: int) -> Markup:
    """Return the picture of a cell in which what its base has not, or not so, is framed."""
    same = found.cell.digest == found.base.digest
    legend = "" if same else f"heavy dashed frame: differs from {found.base.name}"
    picture = draw(found.cell, "svg", frozenset() if same else found.differing, legend)
    return inline_svg(picture, f"cell-{number}", f"Diagram of {found.cell.name}; its equations stand beside it.")
