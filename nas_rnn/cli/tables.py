"""Tables for people: what there is, and what a cell costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas_rnn.cli.output import print_block, width_of
from nas_rnn.cli.phrases import one_line

if TYPE_CHECKING:
    from nas_rnn.catalogue.describe import CellDescription
    from nas_rnn.cells.views.difference import Difference

TEXTS: Final = ("summary", "value", "answer")
"""Columns of sentences, which a narrow terminal breaks, down to `SHORTEST`, before it leaves one out."""

SHORTEST: Final = 30
GAP: Final = 2
SCREENFUL: Final = 24
"""In a table of more rows a sentence is cut, so that a row stays one line."""

MARK_STYLES: Final[Mapping[str, str]] = {" ": "dim", "~": "yellow", "+": "green", "-": "red"}
COSTS: Final[Mapping[str, str]] = {
    "parameters": "parameters of a layer",
    "products": "matrix products in the loop over time",
    "levels": "longest chain of these products in a step",
    "hoisted": "matrix products outside the loop",
    "elementwise": "elementwise operations",
    "reductions": "reductions over the units",
    "multiply_adds": "multiply-adds in a step",
    "state_size": "numbers carried from step to step",
}


def print_rows(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of equal keys, the most important first; columns that are empty throughout are left out.

    On a terminal the table fits its width, without the last columns if need be (``--json`` has them all);
    elsewhere every row is one line, whatever its length.
    """
    columns = [key for key in rows[0] if any(row.get(key) not in (None, "") for row in rows)]
    room: int | None = None
    while len(columns) > 1 and width_of(console, _table(rows, columns)) > console.width:
        room = console.width - width_of(console, _table(rows, columns[:-1])) - GAP
        if columns[-1] in TEXTS and room >= SHORTEST:
            break
        columns.pop()
        room = None
    print_block(console, _table(rows, columns, room))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], room: int | None = None) -> Table:
    """Return the table, its last column no wider than ``room``."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for column in columns:
        squeezed = room is not None and column == columns[-1]
        cut = squeezed and len(rows) > SCREENFUL
        table.add_column(
            column, overflow="ellipsis" if cut else "fold", no_wrap=cut, max_width=room if squeezed else None
        )
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    return table


def print_cell(console: Console, shown: CellDescription) -> None:
    """Print a cell: its name and description, equations, costs, and where it comes from."""
    console.print(Text(one_line(shown.name), style="bold"))
    if shown.doc:
        console.print(Text(shown.doc.strip()))
    console.print()
    console.print(Text(shown.equations.rstrip("\n")))
    console.print(f"\nCosts at input size {shown.input_size}, hidden size {shown.hidden_size}:")
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    for key, meaning in COSTS.items():
        table.add_row(f"{getattr(shown.costs, key):,}", meaning)
    print_block(console, table)
    console.print(f"\nDigest: {shown.digest}", soft_wrap=True)
    console.print(f"From:   {one_line(shown.source)}", soft_wrap=True)
    for key, value in (shown.search or {}).items():
        if value not in (None, ""):
            console.print(Text(f"Search {key.replace('_', ' ')}: {_cell(value)}"))


def print_difference(console: Console, found: Difference) -> None:
    """Print both cells' equations, those that differ marked, and what differs in words."""
    name, base = one_line(found.cell.name), one_line(found.base.name)
    if found.is_empty:
        console.print(Text(f"{name} and {base} are the same cell, apart from names and order."))
        return
    for title, lines in ((base, found.base_lines), (name, found.lines)):
        console.print(Text(title, style="bold"))
        for mark, text in lines:
            console.print(Text(f"  {mark} {text}", style=MARK_STYLES[mark]), soft_wrap=True)
        console.print()
    console.print(f"~ differs, + only in {name}, - only in {base}\n", markup=False)
    console.print(Text(f"{name}, compared with {base}:", style="bold"))
    for sentence in found.sentences:
        console.print(Text(f"  {sentence}"), soft_wrap=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(f"{value:,}" if isinstance(value, int) else str(value))
