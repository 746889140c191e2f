"""Tables for people: what there is, and what a cell costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas_rnn.cli.output import print_block, width_of
from nas_rnn.cli.wording import one_line

if TYPE_CHECKING:
    from nas_rnn.experiment.inspection import Shown

ESSENTIAL: Final = ("summary", "metric", "status", "verdict", "value")
"""Columns that a narrow terminal shows too."""

COSTS: Final[Mapping[str, str]] = {
    "parameters": "parameters of a layer",
    "products": "matrix products in the loop over time",
    "levels": "of them one after another in a step",
    "hoisted": "matrix products outside the loop",
    "elementwise": "elementwise operations",
    "reductions": "reductions over the units",
    "multiply_adds": "multiply-adds in a step",
    "state_size": "numbers carried from step to step",
}


def print_rows(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of equal keys, the names first; columns that are empty throughout are left out.

    On a terminal the table fits its width, without some columns if need be (``--json`` has them all);
    elsewhere every row is one line, whatever its length.
    """
    columns = [key for key in rows[0] if any(row.get(key) not in (None, "") for row in rows)]
    droppable = [column for column in columns[1:] if column not in ESSENTIAL]
    while droppable and width_of(console, _table(rows, columns)) > console.width:
        columns.remove(droppable.pop())
    print_block(console, _table(rows, columns))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    return table


def print_cell(console: Console, shown: Shown) -> None:
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
            console.print(Text(f"Search {key}: {_cell(value)}"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(f"{value:,}" if isinstance(value, int) else str(value))
