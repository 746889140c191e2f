"""Times as texts and numbers. Knows no torch.

Times are whole microseconds since 1970, in UTC where a text says how far from it it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

SECOND = 1_000_000

_EPOCH = datetime(1970, 1, 1)
_SLASHES = re.compile(r"\s*\d{1,2}/\d{1,2}/\d{4}")
_PATTERNS = tuple(
    (re.compile(rf"\s*{shape}\s*"), form)
    for shape, form in (
        (r"\d{4}-\d{1,2}", "%Y-%m"),
        (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
        (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}", "%Y/%m/%d %H:%M"),
        (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S"),
        (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
        (r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}", "%d.%m.%Y %H:%M"),
        (r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}:\d{2}", "%d.%m.%Y %H:%M:%S"),
    )
)
WHAT_WORKS = (
    "write times as 2024-03-31 23:00:00, or say how they are written, such as time_format='%d/%m/%Y %H:%M'"
)


@dataclass(frozen=True)
class TimeReader:
    """Reads the cells of a time column: by a ``form`` of strptime, as ISO 8601 without one, or as whole numbers.

    ``factor`` makes microseconds of whole numbers; 0: they are texts. Numbers that are no times count steps.
    """

    column: str
    path: str
    form: str
    factor: int = 0
    dated: bool = True
    otherwise: str = ""

    def read(self, cells: Sequence[Any], rows: Sequence[int], row: str) -> NDArray[np.int64]:
        """Return the times of cells that stand in these ``rows``.

        Raises:
            UserError: for the first cell that is no time.
        """
        times_N = np.empty(len(cells), dtype=np.int64)
        for place, cell in enumerate(cells):
            try:
                times_N[place] = self._one(cell)
            except (ValueError, TypeError, OverflowError):
                raise UserError(
                    f"{self.path}, {row} {rows[place]:,}, column {self.column!a}: {cell!a:.60} is no time as those "
                    f"before it are; {WHAT_WORKS}, or "
                    f"{self.otherwise}"
                ) from None
        return times_N

    def _one(self, cell: Any) -> int:
        if self.factor:
            return int(cell) * self.factor
        if isinstance(cell, str):
            text = cell.strip()
            cell = datetime.strptime(text, self.form) if self.form else datetime.fromisoformat(text)
        elif not isinstance(cell, datetime):
            cell = datetime.fromisoformat(str(cell))  # a date
        if cell.tzinfo is not None:
            cell = cell.astimezone(UTC).replace(tzinfo=None)
        return int((cell - _EPOCH) // timedelta(microseconds=1))


def reader_for(
    cells: Sequence[Any], column: str, path: str, time_format: str, *, otherwise: str
) -> TimeReader:
    """Return what reads a time column that begins with ``cells``.

    ``otherwise`` is what a message says that may be done beside; `TimeReader.dated` says whether numbers are times.

    Raises:
        UserError: for a first cell that no known way of writing times reads, or that two ways read differently.
    """
    reader = _reader_for(cells[0], column, path, time_format, otherwise)
    return replace(reader, otherwise=otherwise)


def _reader_for(first: Any, column: str, path: str, time_format: str, otherwise: str) -> TimeReader:
    if time_format:
        return TimeReader(column, path, time_format)
    if isinstance(first, int) or (isinstance(first, str) and re.fullmatch(r"\s*\d{1,15}\s*", first)):
        return _numbered(int(first), column, path)
    if not isinstance(first, str):
        return TimeReader(column, path, "")
    for shape, form in _PATTERNS:
        if shape.fullmatch(first):
            return TimeReader(column, path, form)
    if _SLASHES.match(first):
        raise UserError(
            f"{path}, column {column!a}: {first!a:.60} may begin with the day or the month; say which by "
            "time_format='%d/%m/%Y' or time_format='%m/%d/%Y', followed by ' %H:%M' where there is a time of day"
        )
    try:
        datetime.fromisoformat(first.strip())
    except ValueError:
        raise UserError(
            f"{path}, column {column!a}: {first!a:.60} is no time that is known here; {WHAT_WORKS}, name another "
            f"column (option time), or {otherwise}"
        ) from None
    return TimeReader(column, path, "")


def _numbered(first: int, column: str, path: str) -> TimeReader:
    """Return the reader of whole numbers: seconds or milliseconds since 1970, years, days as 20240331, or steps."""
    if 10**8 <= first < 10**11:
        return TimeReader(column, path, "", factor=SECOND)
    if 10**11 <= first < 10**14:
        return TimeReader(column, path, "", factor=SECOND // 1000)
    if 1900_01_01 <= first <= 2999_12_31:
        return TimeReader(column, path, "%Y%m%d")
    if 1000 <= first <= 2999:
        return TimeReader(column, path, "%Y")
    return TimeReader(column, path, "", factor=1, dated=False)
