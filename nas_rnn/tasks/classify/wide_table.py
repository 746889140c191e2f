"""A wide table: a row a series of one variable, with its class in one of the columns."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.series.recordings import Recordings, is_missing, to_numbers
from nas_rnn.tasks.series.table import Table


def read_wide(
    table: Table, *, label: str, group: str | None, left_out: Collection[str], short_rows: bool
) -> Recordings:
    """Return a series a row: all columns but those of class and group and those ``left_out``.

    With ``short_rows`` empty cells at a row's end, or missing ones, mean that its series ends there.

    Raises:
        UserError: for rows of unequal length without ``short_rows``, missing cells, or texts where numbers belong.
    """
    if not short_rows:
        table.require_even(hint=", or set option short_rows=true if series may end early")
    aside = {table.place(name) for name in (label, group, *left_out) if name is not None}
    if len(aside) == len(table.names):
        raise UserError(f"{table.path} has no column of values beside the class; give one for each step")
    series = [_values(table, row, aside, short_rows) for row in range(len(table.rows))]
    return Recordings(
        source=table.path.name,
        variables=("value",),
        series=[values[:, None] for values in series],
        labels=[_name(table, row, label) for row in range(len(table.rows))],
        groups=[_name(table, row, group) for row in range(len(table.rows))] if group is not None else None,
    )


def _values(table: Table, row: int, aside: Collection[int], short_rows: bool) -> NDArray[np.float64]:
    cells = [cell for place, cell in enumerate(table.rows[row][1]) if place not in aside]
    end = len(cells)
    while end and is_missing(cells[end - 1]):
        end -= 1
    if short_rows and end == 0:
        raise UserError(f"{table.where(row)} has no values; give the series at least one step")
    if not short_rows and 0 < end < len(cells) and not any(map(is_missing, cells[:end])):
        raise UserError(
            f"{table.where(row)} ends after {end} of {len(cells)} values; series of unequal length need option "
            "short_rows=true, or a long table with a row a step"
        )
    return to_numbers(cells[:end] if short_rows else cells, table.where(row))


def _name(table: Table, row: int, column: str) -> str:
    cells, place = table.rows[row][1], table.place(column)
    if place >= len(cells) or is_missing(cells[place]):
        raise UserError(f"{table.where(row)} has nothing in column {column!r}; fill it in")
    return cells[place].strip()
