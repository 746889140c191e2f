"""A table of a time column and numbers, read piece by piece from CSV or parquet.

Shapes: N rows, V variables. What is held at a time beside the numbers is one piece of rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.columns import Format, Piece, Source, unnamed_column
from nas_rnn.tasks.options import require_unset
from nas_rnn.tasks.times import TimeReader, reader_for

WHAT_WORKS = "give a CSV or parquet file with a column of times and one or several of numbers"
MOST_NUMBERS = 1 << 28
"""More numbers than these, 2 GiB, are a mistake rather than data that fit into every worker's memory."""
LONGEST_NUMBER = 64
LARGEST = 1e30
"""Numbers beyond it are not told apart from infinity in 32 bits once they are scaled or squared."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?", "#n/a"})
CORRECT = "correct or empty the cell, or leave the column out (option columns names those to read)"
TIME_NAMES = ("time", "date", "datetime", "timestamp", "ds")
NONE = "none"
"""As the name of the time column: the rows are evenly spaced, and have no times."""


@dataclass(frozen=True, kw_only=True)
class Reading(Format):
    """How a file is read: the task's options of these names."""

    what_works: ClassVar[str] = WHAT_WORKS

    time: str = ""
    time_format: str = ""
    columns: str = ""
    decimal: str = "point"
    rows: int = 0


@dataclass(frozen=True, eq=False)
class Table:
    """``values`` (N, V), NaN where a cell is empty; ``times`` (N,) microseconds since 1970, or numbers of steps.

    ``where`` says of a row's number where it stands in the file, ``dated`` whether times are times.
    """

    source: str
    names: list[str]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    dated: bool
    where: Callable[[int], str]


def read_table(source: Source, reading: Reading) -> Table:
    """Return the wanted columns of a file, with its time column as times.

    Raises:
        UserError: for columns that are not there, a cell that is neither a number nor empty, a time that cannot be
            read, or more than fits.
    """
    pieces = source.pieces
    first = next(pieces, None)
    if first is None:
        raise UserError(f"{source.path} has no row below its names of columns; give a file with data")
    time_at = _time_column(source, first, reading)
    wanted = _wanted(source, time_at, reading.columns)
    times_read: TimeReader | None = None
    if time_at is not None:
        times_read = reader_for(
            first.columns[time_at],
            source.names[time_at],
            str(source.path),
            reading.time_format,
            otherwise="set time=none where the rows are evenly spaced",
        )
    numbers, times, values, count = list[NDArray[Any]](), list[NDArray[Any]](), list[NDArray[Any]](), 0
    piece: Piece | None = first
    while piece is not None:
        keep = len(piece.numbers) if not reading.rows else min(len(piece.numbers), reading.rows - count)
        own = piece.numbers[:keep]
        numbers.append(np.array(own, dtype=np.int64))
        if times_read is not None and time_at is not None:
            times.append(times_read.read(piece.columns[time_at][:keep], own, source.row))
        values.append(
            np.stack(
                [
                    _numbers(piece.columns[place][:keep], own, source, place, reading.decimal)
                    for place in wanted
                ],
                1,
            )
        )
        count += keep
        if count * len(wanted) > MOST_NUMBERS:
            raise UserError(
                f"{source.path} has more than {MOST_NUMBERS:,} numbers; read fewer columns (option columns), or fewer "
                "rows (option rows)"
            )
        piece = None if reading.rows and count >= reading.rows else next(pieces, None)
    number_N = np.concatenate(numbers)
    return Table(
        source=source.path.name,
        names=[source.names[place] for place in wanted],
        times=np.concatenate(times) if times else np.arange(count, dtype=np.int64),
        values=np.concatenate(values),
        dated=times_read is not None and times_read.dated,
        where=lambda row: f"{source.row} {number_N[row]:,}",
    )


def _time_column(source: Source, first: Piece, reading: Reading) -> int | None:
    """Return the place of the time column: that which was named, or whose name or first cell says so."""
    if reading.time == NONE:
        require_unset(
            reading, ("time_format",), "is for times, and with time=none none are read; leave it out"
        )
        return None
    if reading.time:
        return _place(source, reading.time, "time")
    lower = [name.strip().lower() for name in source.names]
    for name in TIME_NAMES:
        if name in lower:
            return lower.index(name)
    for place, cells in enumerate(first.columns):
        cell = cells[0]
        if not isinstance(cell, str):
            if not isinstance(cell, int | float | None):
                return place
        elif re.match(r"\s*(\d{4}[-/]\d|\d{1,2}[./]\d{1,2}[./]\d{4})", cell):
            return place
    raise UserError(
        f"no column of {source.path} looks like times; its columns are {', '.join(source.names)}: name the one that "
        "has them (option time), or set time=none where the rows are evenly spaced"
    )


def _wanted(source: Source, time_at: int | None, columns: str) -> list[int]:
    if columns:
        places = [_place(source, name, "columns") for name in listed(columns, source.names)]
    else:
        places = list(range(len(source.names)))
        for place in sorted(source.unnamed - {time_at}):
            raise unnamed_column(
                source.path,
                place,
                "give it a name, take it out, or name the columns to read (option columns)",
            )
    places = [place for place in dict.fromkeys(places) if place != time_at]
    if not places:
        raise UserError(f"{source.path} has no column beside its time; give one with at least one variable")
    return places


def listed(names: str, known: Sequence[str]) -> list[str]:
    """Return names separated by commas; a name that holds a comma itself is taken where it stands alone."""
    return [names] if names in known else [name.strip() for name in names.split(",")]


def _place(source: Source, name: str, option: str) -> int:
    if name not in source.names:
        raise UserError(
            f"{source.path} has no column {name!a} (option {option}); its columns are: {', '.join(source.names)}"
        )
    return source.names.index(name)


def _numbers(
    cells: Sequence[Any], rows: Sequence[int], source: Source, place: int, decimal: str
) -> NDArray[np.float64]:
    """Return cells as numbers, NaN where they are empty."""
    values_N = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            value = _number(cell, decimal)
        except (ValueError, TypeError, OverflowError):
            raise _refused(
                cell, rows[row], source, place, f"is no number; {_advice(cell, decimal)}"
            ) from None
        if abs(value) > LARGEST:
            raise _refused(cell, rows[row], source, place, f"lies beyond {LARGEST:g}; {CORRECT}")
        values_N[row] = value
    return values_N


def _refused(cell: Any, row: int, source: Source, place: int, why: str) -> UserError:
    return UserError(
        f"{source.path}, {source.row} {row:,}, column {source.names[place]!a}: {cell!a:.60} {why}"
    )


def _number(cell: Any, decimal: str) -> float:
    if isinstance(cell, str):
        if decimal == "comma":
            if "." in cell:
                raise ValueError
            cell = cell.replace(",", ".", 1)
        if cell.strip().lower() in MISSING:
            return math.nan
        if len(cell) > LONGEST_NUMBER or "_" in cell:
            raise ValueError
    elif cell is None:
        return math.nan
    value = float(cell)
    if math.isinf(value):
        raise ValueError
    return value


def _advice(cell: Any, decimal: str) -> str:
    if isinstance(cell, str) and decimal == "point" and re.fullmatch(r"\s*[+-]?\d*,\d+\s*", cell):
        return "if commas mark decimals, set decimal=comma"
    if isinstance(cell, str) and decimal == "comma" and "." in cell:
        return "with decimal=comma no cell may have a point: leave the option out, or take out marks of thousands"
    return CORRECT
