"""Where windows begin, and what is read and asked for in them.

Shapes: N rows of a part, B windows, T rows that are read (option ``window``), S rows ahead (``horizon``), V variables,
K of them targets, C numbers of a calendar.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import PARTS, Arrays, Batching, Part, TaskData
from nas_rnn.tasks.forecast.clock import CYCLES, Clock

WINDOWS_AN_ITEM = 2
"""An item is a block of two neighbouring windows: what one ends with, the next begins with."""
LOOKS = 4
"""How often a value of the training part is a target in an epoch, roughly: windows a few steps apart are much alike."""


@dataclass(frozen=True)
class Shape:
    """What one window is: rows read, rows ahead, steps of a season, targets' places, cycles of the calendar.

    With ``ahead`` the calendar of the rows ahead stands below those that are read.
    """

    window: int
    horizon: int
    season: int
    targets: tuple[int, ...]
    calendar: tuple[str, ...]
    ahead: bool

    @property
    def before(self) -> int:
        """Rows that must precede the first target: to read them, or to repeat the last season."""
        return max(self.window, self.season)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that windows are cut from, with where they begin: ``starts`` are the first rows ahead of each."""

    values: NDArray[np.float64]
    known: NDArray[np.bool_]
    times: NDArray[np.int64]
    starts: NDArray[np.int64]

    def ahead(
        self, shape: Shape, starts_B: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the targets' values (S, B, K), and whether they are known."""
        rows_SB = starts_B + np.arange(shape.horizon)[:, None]
        places = rows_SB[..., None], np.array(shape.targets)
        return self.values[places], self.known[places]


def evaluated(data: TaskData, part: Part, shape: Shape) -> Rows:
    """Return the windows of an evaluated part, one horizon after the other: no value is a target twice.

    Rows that precede the part are read before its first windows, where they follow one another in time.
    """
    own = data.part(part)
    before = _before(data, part, shape)
    first = max(0, shape.before - len(before["times"]))
    joined = {name: np.concatenate([before[name], own[name]]) for name in ("values", "known", "times")}
    count = max(0, (len(own["times"]) - first) // shape.horizon)
    starts = len(before["times"]) + first + shape.horizon * np.arange(count)
    return Rows(joined["values"], joined["known"], joined["times"], starts)


def items_of(count: int) -> NDArray[np.int64]:
    """Return the item of each of so many windows."""
    return np.arange(count) // WINDOWS_AN_ITEM


def _before(data: TaskData, part: Part, shape: Shape) -> Arrays:
    """Return the rows right before a part, at most as many as its first window needs, and none of a later part."""
    names = PARTS[: PARTS.index(part)]
    if part == "test" and "test_follows" in data.meta:  # it was cut from the training part
        names = (data.meta["test_follows"],)
    clock, found = clock_of(data.meta), data.part(part)
    kept = [{name: array[:0] for name, array in found.items()}]
    missing, next_tick = shape.before, int(clock.ticks(found["times"][:1])[0])
    for name in reversed(names):
        earlier = data.parts.get(name)
        if earlier is None or not missing or int(clock.ticks(earlier["times"][-1:])[0]) != next_tick - 1:
            break
        kept.append({key: array[-missing:] for key, array in earlier.items()})
        missing -= len(kept[-1]["times"])
        next_tick = int(clock.ticks(kept[-1]["times"][:1])[0])
    return {name: np.concatenate([rows[name] for rows in reversed(kept)]) for name in kept[0]}


def clock_of(meta: Mapping[str, Any]) -> Clock:
    """Return the clock that a series' meta tells of."""
    return Clock(meta["step"], meta["months"], meta["dated"])


def training_rows(data: TaskData, shape: Shape, batching: Batching) -> Rows:
    """Return the training part with windows at random offsets, as many in every epoch and in mixed order.

    One begins in each of as many equal stretches, at a place drawn from (seed, epoch); without a seed at its start.

    Raises:
        UserError: for a part that is shorter than one window.
    """
    own = data.part("train")
    places = len(own["times"]) - shape.window - shape.horizon + 1
    if places < 1:
        raise UserError(
            f"the training part has {len(own['times']):,} rows, fewer than window={shape.window} and "
            f"horizon={shape.horizon} take; use a longer series, or a shorter window or horizon"
        )
    stretch = max(1, shape.horizon // LOOKS)
    starts = np.arange(0, places, stretch)
    if batching.seed is not None:
        random = np.random.default_rng((batching.seed, batching.epoch))
        starts = np.minimum(starts + random.integers(0, stretch, len(starts)), places - 1)
        random.shuffle(starts)
    return Rows(own["values"], own["known"], own["times"], shape.window + starts)


def batches(rows: Rows, shape: Shape, meta: Mapping[str, Any], batching: Batching) -> Iterator[Batch]:
    """Give batches of windows: inputs (T, B, V + C), and targets "values" (S, B, K) with which of them are "known"."""
    mean, deviation = scale(meta, shape.targets)
    items = items_of(len(rows.starts))
    for first in range(0, len(rows.starts), batching.batch):
        starts_B = rows.starts[first : first + batching.batch]
        values_SBK, known_SBK = rows.ahead(shape, starts_B)
        yield Batch(
            inputs=inputs_at(rows, shape, meta, starts_B),
            targets={
                "values": _tensor((values_SBK - mean) / deviation),
                "known": torch.from_numpy(known_SBK),
            },
            items=torch.from_numpy(items[first : first + batching.batch]),
        )


def inputs_at(rows: Rows, shape: Shape, meta: Mapping[str, Any], starts_B: NDArray[np.int64]) -> torch.Tensor:
    """Return what is read before each start: scaled values (T, B, V) and the calendar, (T, B, C)."""
    rows_TB = starts_B + np.arange(-shape.window, 0)[:, None]
    mean, deviation = scale(meta)
    values_TBV = (rows.values[rows_TB] - mean) / deviation
    times_TB = rows.times[rows_TB]
    if shape.ahead:  # the calendar is known beforehand, the values are not
        values_TBV = np.concatenate([values_TBV, np.zeros((shape.horizon, *values_TBV.shape[1:]))])
        times_TB = np.concatenate([times_TB, rows.times[starts_B + np.arange(shape.horizon)[:, None]]])
    return _tensor(np.concatenate([values_TBV, calendar(times_TB, shape.calendar)], axis=-1))


def calendar(times: NDArray[np.int64], cycles: Sequence[str]) -> NDArray[np.float64]:
    """Return the sine and cosine of where times stand in each cycle, (..., C)."""
    if not cycles:
        return np.zeros((*times.shape, 0))
    angles = np.stack([2 * np.pi * (times % CYCLES[name]) / CYCLES[name] for name in cycles], axis=-1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def scale(
    meta: Mapping[str, Any], places: Sequence[int] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the training part's mean and deviation of all variables, or of those at ``places``."""
    mean, deviation = np.array(meta["mean"]), np.array(meta["deviation"])
    return (mean, deviation) if places is None else (mean[list(places)], deviation[list(places)])


def _tensor(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(torch.get_default_dtype())
