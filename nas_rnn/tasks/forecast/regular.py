"""From a table to an evenly spaced series: gaps and empty cells are named, and filled where that is asked for.

Shapes: N rows, V variables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.forecast.clock import DAY, Clock, month_numbers, shown_time, spoken
from nas_rnn.tasks.forecast.table import Table

FILLS = ("none", "linear", "last")
WAYS = "fill=last (the value before it) or fill=linear (a line between its neighbours)"


@dataclass(frozen=True, eq=False)
class Series:
    """An evenly spaced series: ``values`` (N, V), ``known`` (N, V) False where one was filled, ``times`` (N,)."""

    source: str
    names: list[str]
    clock: Clock
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    known: NDArray[np.bool_]


def regular(table: Table, fill: str) -> Series:
    """Return the table as an evenly spaced series.

    Raises:
        UserError: for times that are unsorted, doubled or of mixed spacing; and with ``fill`` "none" for the first
            gap and the first empty cell.
    """
    clock = _clock(table)
    ticks_N = clock.ticks(table.times)
    _require_even(table, clock)
    skipped = np.flatnonzero(np.diff(ticks_N) > 1)
    if len(skipped) and fill == "none":
        raise _gap(table, clock, ticks_N, int(skipped[0]), len(skipped))
    series = _with_rows_for_gaps(table, clock, ticks_N)
    if fill == "none":
        _require_filled(table, series)
    else:
        _fill(series, fill)
    return series


def _clock(table: Table) -> Clock:
    """Return the spacing that most rows have.

    Raises:
        UserError: for fewer than three rows, times that go back, and times that are doubled.
    """
    times_N = table.times
    if len(times_N) < 3:
        raise UserError(f"{table.source} has {len(times_N)} rows; a series to learn from needs some hundreds")
    steps = np.diff(times_N)

    def said(row: int) -> str:
        return f"{table.source}, {table.where(row)}: the time {shown_time(int(times_N[row]), table.dated)}"

    back, same = np.flatnonzero(steps < 0), np.flatnonzero(steps == 0)
    if len(back):
        row = int(back[0]) + 1
        raise UserError(
            f"{said(row)} comes before that of {table.where(row - 1)}, {shown_time(int(times_N[row - 1]), table.dated)}"
            f"{_others(len(back))}; sort the rows by time, the oldest first"
        )
    if len(same):
        row = int(same[0]) + 1
        raise UserError(
            f"{said(row)} stands in {table.where(row - 1)} too{_others(len(same))}; keep one row for each time "
            "(several series in one file: one file each; clocks that are set back in autumn: write UTC)"
        )
    sizes, counts = np.unique(steps, return_counts=True)
    step = int(sizes[counts.argmax()])
    months = _months(times_N) if table.dated and step >= 27 * DAY else 0
    return Clock(step, months, table.dated)


def _months(times_N: NDArray[np.int64]) -> int:
    """Return how many months apart most rows are, if all stand at one day of their months; else 0."""
    numbers_N = month_numbers(times_N)
    start_N = numbers_N.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
    end_N = (numbers_N + 1).astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
    if len(np.unique(times_N - start_N)) > 1 and len(np.unique(end_N - times_N)) > 1:
        return 0
    sizes, counts = np.unique(np.diff(numbers_N), return_counts=True)
    return int(sizes[counts.argmax()])


def _require_even(table: Table, clock: Clock) -> None:
    steps = np.diff(month_numbers(table.times) if clock.months else table.times)
    odd = np.flatnonzero(steps % (clock.months or clock.step))
    if len(odd):
        row = int(odd[0]) + 1
        apart = f"{steps[row - 1]} months" if clock.months else spoken(int(steps[row - 1]), clock.dated)
        raise UserError(
            f"{table.source}, {table.where(row)}: the time {shown_time(int(table.times[row]), clock.dated)} "
            f"lies {apart} after that of {table.where(row - 1)}, where most rows lie "
            f"{clock.told()} apart{_others(len(odd))}; bring the rows to one spacing, or set time=none to take them as "
            "evenly spaced"
        )


def _gap(table: Table, clock: Clock, ticks_N: NDArray[np.int64], row: int, gaps: int) -> UserError:
    lost = int(ticks_N[row + 1] - ticks_N[row]) - 1
    begins = shown_time(clock.after(int(table.times[row]), 1), clock.dated)
    more = f", and {gaps - 1:,} other gaps" if gaps > 1 else ""
    return UserError(
        f"{table.source}: {lost:,} {'row is' if lost == 1 else 'rows are'} missing from {begins} on, between "
        f"{table.where(row)} and {table.where(row + 1)}{more}; set {WAYS}, or time=none to take the rows as evenly "
        "spaced"
    )


def _with_rows_for_gaps(table: Table, clock: Clock, ticks_N: NDArray[np.int64]) -> Series:
    places_N = ticks_N - ticks_N[0]
    count = int(places_N[-1]) + 1
    if count == len(places_N):
        return Series(table.source, table.names, clock, table.times, table.values, ~np.isnan(table.values))
    if count > 2 * len(places_N):
        raise UserError(
            f"{table.source} has {len(places_N):,} rows in a span of {count:,} steps of {clock.told()}: more is "
            "missing than is there; give a part of it without long gaps"
        )
    values = np.full((count, table.values.shape[1]), np.nan)
    values[places_N] = table.values
    times = np.zeros(count, dtype=np.int64)
    times[places_N] = table.times
    missing = np.ones(count, dtype=np.bool_)
    missing[places_N] = False
    for place in np.flatnonzero(missing):
        times[place] = clock.after(int(times[place - 1]), 1)
    return Series(table.source, table.names, clock, times, values, ~np.isnan(values))


def _require_filled(table: Table, series: Series) -> None:
    empty = np.argwhere(~series.known)
    if len(empty):
        row, column = map(int, empty[0])
        more = f", and so are {len(empty) - 1:,} others" if len(empty) > 1 else ""
        raise UserError(
            f"{table.source}, {table.where(row)} ({shown_time(int(series.times[row]), series.clock.dated)}), column "
            f"{table.names[column]!a}: the cell is empty{more}; set {WAYS}, or leave the column out (option columns)"
        )


def _fill(series: Series, fill: str) -> None:
    """Fill unknown values in place, column by column; at the ends with the nearest known value."""
    rows_N = np.arange(len(series.values))
    for column, name in enumerate(series.names):
        known = np.flatnonzero(series.known[:, column])
        if not len(known):
            raise UserError(f"{series.source}: column {name!a} is empty; leave it out (option columns)")
        if len(known) == len(rows_N):
            continue
        own = series.values[:, column]
        if fill == "linear":
            own[:] = np.interp(rows_N, known, own[known])
        else:
            own[:] = own[known[np.maximum(np.searchsorted(known, rows_N, side="right") - 1, 0)]]


def _others(count: int) -> str:
    return f" (and so do {count - 1:,} others)" if count > 1 else ""
