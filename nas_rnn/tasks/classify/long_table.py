"""A long table: a row a step, columns for the series, the class and each variable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.series.recordings import Recordings, is_missing, is_number, to_numbers
from nas_rnn.tasks.series.table import Columns, Table
from nas_rnn.tasks.times import finer_digits

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNEVEN = 1.5
"""Steps whose longest is so many times the usual one are told of."""


def read_long(table: Table, columns: Columns) -> Recordings:
    """Return the series in the order of their first rows, each in the order of time, or of its rows without a time.

    Raises:
        UserError: for missing cells, texts where numbers belong, two rows of one time, or a series of two classes.
    """
    table.require_even()
    values_NV = np.stack([_numbers(table, name) for name in columns.variables], axis=1)
    numbers, firsts = _numbered(table, columns.series)
    times = None if columns.time is None else _times(table, columns.time)
    order = np.lexsort((np.arange(len(numbers)) if times is None else times, numbers))
    borders = np.flatnonzero(np.diff(numbers[order])) + 1
    rows_of = np.split(order, borders)
    of_series = partial(_of_series, table, series=columns.series, numbers=numbers, firsts=firsts)
    notices = () if times is None else _uneven(table, columns, times, rows_of)
    return Recordings(
        source=table.path.name,
        variables=columns.variables,
        series=[values_NV[rows] for rows in rows_of],
        labels=of_series(columns.label),
        groups=None if columns.group is None else of_series(columns.group),
        notices=notices,
    )


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    cells = table.column(name)
    try:
        return to_numbers(cells, "")
    except UserError:
        for row, cell in enumerate(cells):
            _require_number(table, row, name, cell)
        raise


def _require_number(table: Table, row: int, name: str, cell: str) -> None:
    """Raise `UserError` for a cell that is no number, with its line and column."""
    text = not is_missing(cell) and not is_number(cell)
    try:
        to_numbers([cell], f"{table.where(row)}, column {name!r}")
    except UserError as error:
        more = ", or name the columns to read by option variables" if text else ""
        raise UserError(f"{str(error).replace(', value 1 of 1', '')}{more}") from None


def _numbered(table: Table, name: str) -> tuple[NDArray[np.int64], list[int]]:
    """Return the number of each row's series, in the order in which they begin, and their first rows."""
    known, numbers, firsts = dict[str, int](), list[int](), list[int]()
    for row, cell in enumerate(table.column(name)):
        if is_missing(cell):
            raise UserError(
                f"{table.where(row)}, column {name!r} does not say which series it is; fill it in"
            )
        if cell not in known:
            known[cell] = len(known)
            firsts.append(row)
        numbers.append(known[cell])
    return np.array(numbers, dtype=np.int64), firsts


def _of_series(
    table: Table, name: str, *, series: str, numbers: NDArray[np.int64], firsts: list[int]
) -> list[str]:
    """Return what a column says of each series, the same in all of its rows."""
    cells, ids = table.column(name), table.column(series)
    for row, (cell, number) in enumerate(zip(cells, numbers.tolist(), strict=True)):
        if is_missing(cell):
            raise UserError(
                f"{table.where(row)}, column {name!r} is missing; fill it in, the same in all rows of a series"
            )
        if cell != cells[firsts[number]]:
            raise UserError(
                f"series {shown(ids[row])[:40]!r} of {table.path} has {shown(cells[firsts[number]])[:40]!r} and "
                f"{shown(cell)[:40]!r} in column {name!r} (lines {table.rows[firsts[number]][0]} and "
                f"{table.rows[row][0]}); all rows of a series need the same"
            )
    return [cells[first] for first in firsts]


def _times(table: Table, name: str) -> NDArray[np.float64]:
    """Return times as numbers, counted from the first one: dates in seconds."""
    cells = table.column(name)
    if all(is_number(cell) for cell in cells):
        to_numbers(cells, f"column {name!r} of {table.path}")  # told of unless they are finite
        exact = [Decimal(cell) for cell in cells]
    else:
        exact = [_since_1970(table, name, row, cell) for row, cell in enumerate(cells)]
    # 64 bits of a float do not hold nanoseconds since 1970.
    return np.array([float(time - exact[0]) for time in exact])


def _since_1970(table: Table, name: str, row: int, cell: str) -> Decimal:
    """Return the seconds of a date, in UTC where it does not say how far from it it is."""
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise UserError(
            f"{table.where(row)}, column {name!r} is neither a number nor a date such as 2024-05-01 12:30:00: "
            f"{shown(cell)[:40]!r}; mend it, or name another column by option time"
        ) from None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return Decimal(since // timedelta(microseconds=1)).scaleb(-6) + Decimal(f"0.000000{finer_digits(cell)}")


def _uneven(
    table: Table, columns: Columns, times: NDArray[np.float64], rows_of: list[NDArray[Any]]
) -> tuple[str, ...]:
    """Say where steps are not equally long; raise `UserError` for two rows of one series at one time."""
    apart = list[NDArray[np.float64]]()
    for rows in rows_of:
        gaps = np.diff(times[rows])
        if (gaps == 0).any():
            first = int(np.flatnonzero(gaps == 0)[0])
            lines = sorted(table.rows[int(row)][0] for row in rows[first : first + 2])
            raise UserError(
                f"{table.path}, lines {lines[0]} and {lines[1]} have the same time in column {columns.time!r} and the "
                "same series; give each step of a series its own time"
            )
        apart.append(gaps)
    gaps = np.concatenate(apart)
    if not len(gaps) or gaps.max() < UNEVEN * np.median(gaps):
        return ()
    return (
        f"the steps of {table.path.name} are not equally long: usually {np.median(gaps):g}, at most {gaps.max():g} in "
        f"column {columns.time!r}. A recurrent net reads them as if they were; make the time since the last step a "
        "variable if it matters",
    )
