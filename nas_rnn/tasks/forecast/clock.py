"""How far apart the rows of a series are, and times as people write them.

Times are whole microseconds since 1970, in UTC where a text says how far from it it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.times import SECOND

DAY = 86_400 * SECOND
CYCLES = {"day": DAY, "week": 7 * DAY, "year": 31_556_952 * SECOND}
"""What a calendar repeats, in microseconds; the year is the mean one of the Gregorian calendar."""
MOST_STEPS_A_DAY = 1440
"""More are not guessed to be a season."""


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
