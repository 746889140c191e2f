"""Small series as CSV text, written where a test may write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

HOUR = timedelta(hours=1)


def hours(count: int, step: timedelta = HOUR) -> list[str]:
    """Return so many times, an hour apart unless told otherwise."""
    return [str(datetime(2024, 1, 1) + step * number) for number in range(count)]


def waves(count: int, seed: int = 0) -> np.ndarray:
    """Return two columns (count, 2): a daily wave with noise, and another with a slope."""
    random = np.random.default_rng(seed)
    steps = np.arange(count)
    first = 10 + 3 * np.sin(2 * np.pi * steps / 24) + 0.3 * random.normal(size=count)
    second = 0.01 * steps + np.cos(2 * np.pi * steps / 24) + 0.3 * random.normal(size=count)
    return np.stack([first, second], axis=1).round(3)


def lines(count: int = 400, step: timedelta = HOUR) -> list[list[str]]:
    """Return the cells of a sound series, the names of columns first."""
    rows = [[time, *map(str, row)] for time, row in zip(hours(count, step), waves(count), strict=True)]
    return [["date", "load", "oil"], *rows]


def write(path: Path, rows: Sequence[Sequence[str]], separator: str = ",", encoding: str = "utf-8") -> Path:
    """Write cells as a CSV file and return where."""
    path.write_bytes("".join(separator.join(row) + "\n" for row in rows).encode(encoding))
    return path
