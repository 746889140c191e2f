"""Pictures that other layers draw, as parts of the page: one for wide screens, one for narrow ones."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from nas_rnn.cells.views.diagram import draw
from nas_rnn.cells.views.difference import Difference
from nas_rnn.comparison.chart import draw_chart
from nas_rnn.errors import UserError
from nas_rnn.report.charts.panel import SIZE, Panel, begin, finish
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


def flow_panels(report: Report) -> list[Panel]:
    """Return how far back each model's gradient reaches, a panel each at one scale; none where it was not measured."""
    from nas_rnn.training.flow_chart import draw_panel, set_scale

    every = [path for _, flows in report.flows for flow in flows for path in flow.paths]
    panels = []
    for number, (title, flows) in enumerate(report.flows):
        lines = sum(len(flow.paths) for flow in flows)
        figure, axes = begin(
            "lag: steps back from the loss", "gradient norm, lag 0 is 1", (SIZE[0], 3.5 + 0.19 * lines)
        )
        draw_panel(axes, "", flows)
        set_scale(axes, every)
        axes.legend(
            loc="upper left", bbox_to_anchor=(-0.14, -0.17), fontsize=9.5, frameon=False, handlelength=3.2
        )
        told = "The table below has growth and horizon of every line."
        panels.append(finish(figure, f"flow-{number}", title, told))
    return panels


def cell_diagram(found: Difference, number: int) -> Markup:
    """Return the picture of a cell in which the differences from its base are framed; of a cell that is too large,
    the reason."""
    same = found.is_empty
    legend = "" if same else f"heavy dashed frame: differs from {found.base.name}"
    try:
        picture = draw(found.cell, "svg", frozenset() if same else found.differing, legend)
    except UserError as error:
        return Markup("<p>{}</p>").format(str(error))
    return inline_svg(
        picture, f"cell-{number}", f"Diagram of {found.cell.name}; its equations are beside it."
    )
