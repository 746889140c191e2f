"""Times as texts and numbers. Knows no torch.

Times are whole microseconds since 1970, in UTC where a text says how far from it it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
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
            UserError: for the first cell that is no time, or is finer than a microsecond.
        """
        return self._read(cells, rows, row, "microsecond", 0)[0]

    def read_finely(
        self, cells: Sequence[Any], rows: Sequence[int], row: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Return the times of cells that stand in these ``rows``, and their nanoseconds behind the microsecond.

        Raises:
            UserError: for the first cell that is no time, or is finer than a nanosecond.
        """
        return self._read(cells, rows, row, "nanosecond", 3)

    def _read(
        self, cells: Sequence[Any], rows: Sequence[int], row: str, held: str, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        times_N, finer_N = np.empty(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=np.int16)
        for place, cell in enumerate(cells):
            if digits := finer_digits(cell):
                if len(digits) > most:
                    raise UserError(
                        f"{self.path}, {row} {rows[place]:,}, column {self.column!a}: {cell!a:.60} is finer than a "
                        f"{held}, and times are held in {held}s; round them, or {self.otherwise}"
                    )
                finer_N[place] = int(digits.ljust(most, "0"))
            try:
                times_N[place] = self._one(cell)
            except (ValueError, TypeError, OverflowError):
                raise UserError(
                    f"{self.path}, {row} {rows[place]:,}, column {self.column!a}: {cell!a:.60} is no time as those "
                    f"before it are; {WHAT_WORKS}, or "
                    f"{self.otherwise}"
                ) from None
        return times_N, finer_N

    def _one(self, cell: Any) -> int:
        if self.factor:
            return _whole(cell) * self.factor
        if not isinstance(cell, datetime):
            dated = isinstance(cell, date)
            text = str(cell).strip() if dated or isinstance(cell, str) else str(_whole(cell))
            iso = dated or not self.form
            cell = datetime.fromisoformat(text) if iso else datetime.strptime(text, self.form)
        if cell.tzinfo is not None:
            cell = cell.astimezone(UTC).replace(tzinfo=None)
        return int((cell - _EPOCH) // timedelta(microseconds=1))


_FINER = re.compile(r"\d[.,]\d{6}(\d*[1-9])")


def finer_digits(cell: Any) -> str:
    """Return what a time has behind its microseconds, which Python's datetime cuts off, as digits; "" where it is 0."""
    if isinstance(cell, str):
        found = _FINER.search(cell)
        return "" if found is None else found[1]
    nanoseconds = getattr(
        cell, "nanosecond", 0
    )  # of pandas, as which pyarrow gives what a datetime cannot hold
    return f"{nanoseconds:03}".rstrip("0") if nanoseconds else ""


def reader_for(
    cells: Sequence[Any], column: str, path: str, time_format: str, *, otherwise: str
) -> TimeReader:
    """Return what reads a time column that begins with ``cells``.

    ``otherwise`` is what a message says that may be done beside; `TimeReader.dated` says whether numbers are times.

    Raises:
        UserError: for a first cell that no known way of writing times reads, or that two ways read differently; and for
            a ``time_format`` that strptime does not take.
    """
    reader = _reader_for(cells, column, path, time_format, otherwise)
    return replace(reader, otherwise=otherwise)


def _reader_for(cells: Sequence[Any], column: str, path: str, time_format: str, otherwise: str) -> TimeReader:
    if time_format:
        _check_format(time_format)
        return TimeReader(column, path, time_format)
    if _is_whole(cells[0]):
        return _numbered([_whole(cell) for cell in cells if _is_whole(cell)], column, path)
    if isinstance(cells[0], date):
        return TimeReader(column, path, "")
    first = str(cells[0])
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


def _check_format(time_format: str) -> None:
    example = datetime(2024, 3, 31, tzinfo=UTC)
    try:
        datetime.strptime(example.strftime(time_format), time_format)
    except (ValueError, re.error) as error:
        reason = "a directive stands there twice" if isinstance(error, re.error) else error
        raise UserError(
            f"time_format {time_format!a} cannot be used: {reason}; write it as for Python's strptime, such as "
            "time_format='%d/%m/%Y %H:%M'"
        ) from None


_WHOLE = re.compile(r"\s*[+-]?\d{1,19}(\.0*)?\s*")


def _is_whole(cell: Any) -> bool:
    """Whether a cell is a whole number, or a text of one; 1700000000.0 is."""
    if isinstance(cell, str):
        return _WHOLE.fullmatch(cell) is not None
    return type(cell) is int or (isinstance(cell, float) and cell.is_integer())


def _whole(cell: Any) -> int:
    if not _is_whole(cell):
        raise ValueError(f"{cell!r} is no whole number")
    return int(cell.partition(".")[0]) if isinstance(cell, str) else int(cell)


def _numbered(numbers: Sequence[int], column: str, path: str) -> TimeReader:
    """Return the reader of whole numbers: the first kind of times that all of ``numbers`` can be, or else steps.

    Known are seconds, milliseconds and microseconds since 1970, years, and days as 20240331.
    """
    low, high = min(numbers), max(numbers)
    for begins, factor in ((10**8, SECOND), (10**11, SECOND // 1000), (10**14, 1)):
        if begins <= low and high < begins * 1000:
            return TimeReader(column, path, "", factor=factor)
    if low >= 1900_01_01 and high <= 2999_12_31 and all(map(_is_day, set(numbers))):
        return TimeReader(column, path, "%Y%m%d")
    if low >= 1000 and high <= 2999:
        return TimeReader(column, path, "%Y")
    return TimeReader(column, path, "", factor=1, dated=False)


def _is_day(number: int) -> bool:
    year, day = divmod(number, 10_000)
    try:
        date(year, *divmod(day, 100))
    except ValueError:
        return False
    return True
