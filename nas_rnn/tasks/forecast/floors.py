"""Forecasts without learning: the last value, a line, the last season, the mean season.

Shapes: B windows, S rows ahead, K targets, N rows. Hyndman & Athanasopoulos, *Forecasting: Principles and Practice*
(3rd edition, 2021), 5.2, has the first three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.forecast.windows import Rows, Shape, clock_of, items_of

Floats = NDArray[np.float64]

SEASONAL = "seasonal naive"


def forecasts(rows: Rows, shape: Shape, meta: Mapping[str, Any], train: Arrays) -> dict[str, Floats]:
    """Return each floor's forecast, (S, B, K); those of seasons where the series has one of several steps."""
    targets = list(shape.targets)
    ahead_S11 = np.arange(1, shape.horizon + 1)[:, None, None]
    last_BK = rows.values[rows.starts - 1][:, targets]
    first_BK = rows.values[rows.starts - shape.window][:, targets]
    slope_BK = (last_BK - first_BK) / max(1, shape.window - 1)
    found = {
        "last value": np.broadcast_to(last_BK, (shape.horizon, *last_BK.shape)),
        "drift": last_BK + ahead_S11 * slope_BK,
    }
    if shape.season > 1:
        found[SEASONAL] = seasonal_naive(rows, shape)
        found["mean season"] = _mean_season(rows, shape, meta, train)
    return found


def seasonal_naive(rows: Rows, shape: Shape) -> Floats:
    """Return what was one season before, (S, B, K): of a longer horizon, its last season again and again."""
    ahead_S1 = np.arange(shape.horizon)[:, None] % shape.season - shape.season
    return np.asarray(rows.values[(rows.starts + ahead_S1)[..., None], list(shape.targets)])


def _mean_season(rows: Rows, shape: Shape, meta: Mapping[str, Any], train: Arrays) -> Floats:
    """Return the training part's mean at the same step of the season; its whole mean where it has none there."""
    clock = clock_of(meta)
    phase_N = clock.ticks(train["times"]) % shape.season
    phase_SB = clock.ticks(rows.times)[rows.starts + np.arange(shape.horizon)[:, None]] % shape.season
    columns = list[Floats]()
    for place in shape.targets:
        known_N = train["known"][:, place]
        values, phases = train["values"][known_N, place], phase_N[known_N]
        counts = np.bincount(phases, minlength=shape.season)
        sums = np.bincount(phases, weights=values, minlength=shape.season)
        columns.append(np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())[phase_SB])
    return np.stack(columns, axis=-1)


def statistics(
    said_SBK: Floats,
    rows: Rows,
    shape: Shape,
    units: Sequence[float],
    naive: Sequence[float],
    deviation_K: Floats,
) -> dict[str, Floats]:
    """Return the sums of a forecast's errors over each item, as a model's (`nas_rnn.tasks.forecast.model`)."""
    values_SBK, known_SBK = rows.ahead(shape, rows.starts)
    error_SBK = np.where(known_SBK, said_SBK - values_SBK, 0.0) / deviation_K
    own_SBK = error_SBK * np.array(units)
    by_window = {
        "absolute": np.abs(own_SBK).sum((0, 2)),
        "squares": np.square(own_SBK).sum((0, 2)),
        "scaled": (np.abs(error_SBK) / np.array(naive)).sum((0, 2)),
        "count": known_SBK.sum((0, 2)),
    }
    items = items_of(len(rows.starts))
    return {name: np.bincount(items, weights=sums).astype(np.float64) for name, sums in by_window.items()}


def naive_error(values_N: Floats, known_N: NDArray[np.bool_], season: int) -> float:
    """Return what MASE divides by: the mean absolute difference of known training values one season apart.

    Hyndman & Koehler (2006), "Another look at measures of forecast accuracy", equation for seasonal series. Where it is
    0, as of an exact repetition, that of neighbours takes its place; 0 for a series that never changes.
    """
    for step in (season, 1):
        both = known_N[step:] & known_N[:-step]
        error = float(np.abs(values_N[step:] - values_N[:-step])[both].mean()) if both.any() else 0.0
        if error > 0.0:
            return error
    return 0.0
