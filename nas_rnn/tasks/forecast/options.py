"""The options of `forecast`, and what they are by default on a series: parts, window and season."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.columns import SEPARATORS
from nas_rnn.tasks.data import Part
from nas_rnn.tasks.forecast.clock import CYCLES, Clock
from nas_rnn.tasks.forecast.regular import FILLS
from nas_rnn.tasks.notices import SAID
from nas_rnn.tasks.options import option

SHORTEST_WINDOW, LONGEST_WINDOW = 32, 168
"""A window is two seasons unless it is told, and within these."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `forecast`."""

    horizon: int = option(24, "how many steps ahead are forecast", low=1, high=10_000)
    window: int = option(0, "how many steps are read; 0: two seasons, 32 to 168", low=0, high=100_000)
    season: int = option(0, "steps of a season; 0: by the spacing, 24 for hours", low=0, high=100_000)
    target: str = option("", "columns to forecast, separated by commas; all, last, or empty: all of a file's")
    columns: str = option("", "columns to read beside the time, separated by commas; empty: all")
    time: str = option("", "the column of times; none: rows are evenly spaced; empty: it is found")
    time_format: str = option("", "how times are written, as for strptime; empty: ISO 8601 and the like")
    fill: str = option("none", "what stands for missing rows and empty cells", choices=FILLS)
    separator: str = option("auto", "what stands between cells of a CSV file", choices=("auto", *SEPARATORS))
    decimal: str = option("point", "what marks decimals", choices=("point", "comma"))
    encoding: str = option("utf-8", "how a CSV file is encoded, such as cp1252")
    rows: int = option(0, "how many rows to use, from the beginning; 0: all", low=0)
    valid: float = option(
        0.1, "share of the rows that validates; from 1 on, their number", low=0.001, high=2**31
    )
    test: float = option(0.2, "share of the rows that tests; from 1 on, their number", low=0.001, high=2**31)
    decoding: str = option(
        "direct", "all steps ahead at once, or one after the other", choices=("direct", "recursive")
    )
    anchor: str = option(
        "last", "values count from the window's last one, or from the mean", choices=("last", "none")
    )
    calendar: bool = option(True, "whether the model knows the time of day, week and year")
    standardised: str = option(
        "auto",
        "errors in deviations of the training part; auto: of several targets",
        choices=("auto", "yes", "no"),
    )


def parts_of(rows: int, own: Options, source: str) -> dict[Part, slice]:
    """Return the rows of each part: train, valid and test one after the other.

    Raises:
        UserError: for an evaluated part without a whole horizon, or nothing left to train on.
    """
    test, valid = (round(share * rows) if share < 1 else round(share) for share in (own.test, own.valid))
    wanted: tuple[tuple[Part, int, float], ...] = (("valid", valid, own.valid), ("test", test, own.test))
    for part, count, share in wanted:
        if count < own.horizon:
            raise UserError(
                f"the {SAID[part]} part of {source} would have {count:,} of {rows:,} rows ({part}={share:g}), "
                f"fewer than horizon={own.horizon}; use a longer series, a larger share, or a shorter horizon"
            )
    train = rows - valid - test
    if train < 2 * own.horizon + 2:
        raise UserError(
            f"{source} has {rows:,} rows, of which {max(0, train):,} are left to train on beside "
            f"valid={own.valid:g} and test={own.test:g}: too few for "
            f"horizon={own.horizon}; use a longer series, smaller parts, or a shorter horizon"
        )
    return {"train": slice(train), "valid": slice(train, train + valid), "test": slice(train + valid, rows)}


def season_of(clock: Clock, own: Options, train: int) -> int:
    """Return the steps of a season: as told, or as the spacing suggests and the training part holds twice.

    Raises:
        UserError: for a season that is told and longer than half of the training part.
    """
    if own.season > train // 2:
        raise UserError(
            f"season={own.season} is more than half of the {train:,} rows of the training part; use a shorter one, or "
            "season=1 for none"
        )
    guessed = clock.season if clock.season <= train // 2 else 1
    return own.season or guessed


def window_of(season: int, own: Options, train: int, source: str) -> int:
    """Return how many steps are read: as told, or two seasons, within bounds and half of what there is.

    Raises:
        UserError: for a window that is told and leaves nothing to train on.
    """
    most = train - own.horizon
    if own.window > most:
        raise UserError(
            f"window={own.window} and horizon={own.horizon} take more than the {train:,} rows that {source} has to "
            f"train on; use a window of at most {most}"
        )
    return own.window or max(1, min(max(2 * season, SHORTEST_WINDOW), LONGEST_WINDOW, most // 2))


def cycles_of(clock: Clock, own: Options, train: int) -> list[str]:
    """Return the cycles whose phase the model knows: those that rows divide, and that the training part holds twice."""
    if not (own.calendar and clock.dated):
        return []
    step = clock.step if not clock.months else clock.months * CYCLES["year"] // 12
    return [name for name, span in CYCLES.items() if 2 * step < span and 2 * span <= train * step + step]


def moments(values: np.ndarray, known: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each variable's known values, (V,) and (V,); a deviation of zero is one.

    Each needs one known value at least.
    """
    mean, deviation = list[float](), list[float]()
    for column in range(values.shape[1]):
        own = values[known[:, column], column]
        mean.append(float(own.mean()))
        spread = float(own.std())
        deviation.append(spread if np.isfinite(spread) and spread > 0.0 else 1.0)
    return mean, deviation
