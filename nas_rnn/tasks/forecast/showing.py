"""Validation windows that stay with a saved model, and forecasts of them as lines of a table.

Shapes: T rows read, S rows ahead, E examples, V variables, K targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.forecast.clock import shown_time
from nas_rnn.tasks.forecast.floors import SEASONAL, seasonal_naive
from nas_rnn.tasks.forecast.windows import Rows, Shape, clock_of

MOST_EXAMPLES, MOST_NUMBERS = 3, 12_000
"""How many validation windows stay with a saved model, and how many numbers they may have together."""
MOST_BARS = 48
"""Values side by side in a line; of more, neighbours are averaged."""
BARS = "▁▂▃▄▅▆▇█"

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Example:
    """One target in one window: ``history`` (T,), ``truth``, ``forecast`` and ``naive`` (S,), in its own units."""

    target: str
    begins: int
    history: Floats
    truth: Floats
    forecast: Floats
    naive: Floats

    @property
    def off(self) -> float:
        """The mean absolute error of the forecast."""
        return float(np.abs(self.forecast - self.truth).mean())


def kept_examples(rows: Rows, shape: Shape) -> dict[str, Any]:
    """Return a few windows, from the beginning to the end of a part, as plain numbers of six digits."""
    variables = rows.values.shape[1]
    size = (shape.before + shape.horizon) * variables
    count = min(MOST_EXAMPLES, MOST_NUMBERS // size, len(rows.starts))
    chosen = np.linspace(0, len(rows.starts) - 1, count + 2)[1:-1].round().astype(np.int64)
    return {
        "begin": [int(rows.times[rows.starts[place]]) for place in chosen],
        "values": [
            [
                [float(f"{value:.6g}") for value in row]
                for row in rows.values[rows.starts[place] - shape.before : rows.starts[place] + shape.horizon]
            ]
            for place in chosen
        ],
    }


def example_rows(meta: Mapping[str, Any], shape: Shape) -> Rows:
    """Return the kept windows as rows, one window after the other."""
    kept, clock = meta["examples"], clock_of(meta)
    span = shape.before + shape.horizon
    times = [
        clock.after(begin, step) for begin in kept["begin"] for step in range(-shape.before, shape.horizon)
    ]
    values = np.array(kept["values"], dtype=np.float64).reshape(-1, len(meta["variables"]))
    starts = np.arange(len(kept["begin"])) * span + shape.before
    return Rows(values, np.ones(values.shape, dtype=np.bool_), np.array(times, dtype=np.int64), starts)


def examples_of(
    rows: Rows, shape: Shape, meta: Mapping[str, Any], said_SEK: Floats, target: int
) -> list[Example]:
    """Return target number ``target`` in each window, with what was said of it."""
    truth_SEK, _ = rows.ahead(shape, rows.starts)
    naive_SEK = seasonal_naive(rows, shape)
    place = shape.targets[target]
    return [
        Example(
            target=meta["variables"][place],
            begins=int(rows.times[start]),
            history=rows.values[start - shape.window : start, place],
            truth=truth_SEK[:, number, target],
            forecast=said_SEK[:, number, target],
            naive=naive_SEK[:, number, target],
        )
        for number, start in enumerate(rows.starts)
    ]


def table(examples: list[Example], meta: Mapping[str, Any], naive: str) -> str:
    """Return the examples as lines of bars: what was read, what came, what was said, and the seasonal naive."""
    return "\n\n".join(_lines(example, meta, naive) for example in examples)


def _lines(example: Example, meta: Mapping[str, Any], naive: str) -> str:
    clock = clock_of(meta)
    shown = [example.history[-len(example.truth) * 2 :], example.truth, example.forecast, example.naive]
    low, high = min(map(np.min, shown)), max(map(np.max, shown))
    head = (
        f"{example.target} from {shown_time(example.begins, clock.dated)} on, {len(example.truth):,} "
        f"{'row' if len(example.truth) == 1 else 'rows'}, {clock.told()} apart; bars from {low:.4g} to {high:.4g}"
    )
    naive_off = float(np.abs(example.naive - example.truth).mean())
    rows = [
        ("read before", bars(shown[0], low, high), ""),
        ("truth", bars(shown[1], low, high), ""),
        ("forecast", bars(shown[2], low, high), f"  off by {example.off:.4g}"),
        (naive, bars(shown[3], low, high), f"  off by {naive_off:.4g}"),
    ]
    return "\n".join([head, *(f"  {name:<15} {line}{off}" for name, line, off in rows)])


def bars(values: Floats, low: float, high: float) -> str:
    """Return values as a line of bars between ``low`` and ``high``."""
    if len(values) > MOST_BARS:
        values = np.array([part.mean() for part in np.array_split(values, MOST_BARS)])
    span = high - low or 1.0
    levels = np.clip((values - low) / span * len(BARS), 0, len(BARS) - 1).astype(int)
    return "".join(BARS[level] for level in levels)


def naive_name(shape: Shape) -> str:
    """Return what the seasonal naive forecast is called; with one step a season it is the last value."""
    return SEASONAL if shape.season > 1 else "last value"
