"""Cells as the page shows them: picture, equations, and their differences from the baseline."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.views.difference import difference
from nas_rnn.errors import UserError
from nas_rnn.report.facts import Report
from nas_rnn.report.pictures import cell_diagram

MOST_CARDS = 4
MARKS = {" ": "the same", "~": "differs", "+": "only here", "-": "only there"}

Lines = tuple[tuple[str, str, str], ...]
"""(mark, what it means, equation)."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One cell; ``sentences`` and ``base_lines`` are empty where it is compared with nothing."""

    name: str
    doc: str
    base: str
    diagram: Markup
    lines: Lines
    base_lines: Lines
    sentences: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    text: str
    latex: str


def cards(report: Report) -> list[Card]:
    """Return the cells worth a card: the contenders, of an ablation the whole cell; none without a comparison."""
    if not report.cells:
        return []
    cells = list(zip(report.cells, report.standings, strict=False))
    chosen = cells[:1] if report.kind == "ablate" else cells[1 : MOST_CARDS + 1]
    return [
        _card(cell, report.cells[0], standing.hidden_size, number)
        for number, (cell, standing) in enumerate(chosen)
    ]


def _card(cell: Cell, base: Cell, hidden_size: int, number: int) -> Card:
    try:
        found, told = difference(cell, base), tuple[str, ...]()
    except UserError as error:  # too large to be compared: shown by itself, with the reason
        found, told, base = difference(cell, cell), (str(error),), cell
    alone = cell.digest == base.digest
    return Card(
        name=cell.name,
        doc=cell.doc.strip(),
        base=base.name,
        diagram=cell_diagram(found, number),
        lines=tuple((mark, MARKS[mark], text) for mark, text in found.lines),
        base_lines=() if alone else tuple((mark, MARKS[mark], text) for mark, text in found.base_lines),
        sentences=told or found.sentences,
        figures=_figures(cell, hidden_size),
        text=cell.to_text(),
        latex=cell.latex(),
    )


def _figures(cell: Cell, hidden_size: int) -> tuple[tuple[str, str], ...]:
    """Return what a step costs at the size that was trained."""
    found = costs(cell, hidden_size, hidden_size)
    return (
        ("hidden size", f"{hidden_size:,}"),
        ("matrix products in the loop over time", str(found.products)),
        ("longest chain of these products", str(found.levels)),
        ("elementwise operations per step", str(found.elementwise)),
        ("numbers carried from step to step", f"{found.state_size:,}"),
    )
