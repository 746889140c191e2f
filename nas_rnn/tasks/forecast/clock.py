"""Times as texts and numbers, and how far apart the rows of a series are.

Times are whole microseconds since 1970, in UTC where a text says how far from it it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

SECOND = 1_000_000
DAY = 86_400 * SECOND
CYCLES = {"day": DAY, "week": 7 * DAY, "year": 31_556_952 * SECOND}
"""What a calendar repeats, in microseconds; the year is the mean one of the Gregorian calendar."""
MOST_STEPS_A_DAY = 1440
"""More are not guessed to be a season."""

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
                    f"before it are; {WHAT_WORKS}, or set time=none where the rows are evenly spaced"
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


def reader_for(cells: Sequence[Any], column: str, path: str, time_format: str) -> TimeReader:
    """Return what reads a time column that begins with ``cells``.

    Raises:
        UserError: for a first cell that no known way of writing times reads, or that two ways read differently.
    """
    first = cells[0]
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
            "column (option time), or set time=none where the rows are evenly spaced"
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


@dataclass(frozen=True)
class Clock:
    """How far apart rows are: ``step`` microseconds (or numbers, of a series without times), or ``months``."""

    step: int
    months: int = 0
    dated: bool = True

    def ticks(self, times_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each time among all that the clock can show; neighbours differ by 1."""
        if self.months:
            return month_numbers(times_N) // self.months
        return times_N // self.step

    def after(self, time: int, steps: int) -> int:
        """Return the time that lies some steps after another."""
        if not self.months:
            return time + steps * self.step
        start = np.datetime64(time, "us")
        month = start.astype("datetime64[M]")
        moved = month + steps * self.months
        day = start - month.astype("datetime64[us]")
        last = (moved + 1).astype("datetime64[us]") - np.timedelta64(1, "D")  # the 31st becomes the 30th
        return int(min(moved.astype("datetime64[us]") + day, last).astype(np.int64))

    @property
    def season(self) -> int:
        """Steps of the season that the spacing suggests: a day, a week or a year; 1 where it suggests none."""
        if not self.dated:
            return 1
        if self.months:
            return 12 // self.months if self.months < 12 and 12 % self.months == 0 else 1
        if self.step < DAY and DAY % self.step == 0:
            steps = DAY // self.step
            return steps if steps <= MOST_STEPS_A_DAY else 1
        return {DAY: 7, 7 * DAY: 52}.get(self.step, 1)

    def told(self) -> str:
        """Return the spacing in words."""
        return f"{self.months} months" if self.months else spoken(self.step, self.dated)


def month_numbers(times_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many months each time lies after January 1970."""
    return times_N.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def spoken(span: int, dated: bool = True) -> str:
    """Return microseconds as "1 h" or "2 days"; of undated rows, their number."""
    if not dated:
        return f"{span:,}"
    for unit, size in (("days", DAY), ("h", 3600 * SECOND), ("min", 60 * SECOND), ("s", SECOND)):
        if span % size == 0:
            return f"{span // size:,} {'day' if unit == 'days' and span == size else unit}"
    return f"{span / SECOND:,g} s"


def shown_time(time: int, dated: bool = True) -> str:
    """Return a time as people write it, without what is zero at its end."""
    if not dated:
        return f"step {time:,}"
    text = str(np.datetime64(int(time), "us")).replace("T", " ")
    text = text[:-7] if text.endswith(".000000") else text
    return text.removesuffix(":00") if text.count(":") == 2 else text
