"""From recordings to the arrays of three parts: who is in which, padding, and the scale of each variable.

Shapes: N series, T steps, V variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.classes import mixed_order
from nas_rnn.tasks.data import Arrays, symbol_dtype
from nas_rnn.tasks.series.recordings import Recordings

Places = NDArray[np.int64]

COARSE = 1e-4
"""More than this share of a variable's deviation lost by rounding is too much."""


def split(recordings: Recordings, labels_N: NDArray[np.int64], share: float) -> tuple[Places, Places]:
    """Return the places of those that stay and of a ``share`` that is cut off, both mixed.

    Of each class the same share, at least one, is cut off, at least one stays; or whole groups are cut off until the
    share is reached, in an order of their own.

    Raises:
        UserError: where there is a single group.
    """
    cut_N = _cut_groups(recordings, share) if recordings.groups else _cut_classes(labels_N, share)
    order = mixed_order(labels_N)
    return order[~cut_N[order]], order[cut_N[order]]


def _cut_classes(labels_N: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    cut_N = np.zeros(len(labels_N), dtype=np.bool_)
    order = mixed_order(labels_N)
    for label in np.unique(labels_N):
        members = order[labels_N[order] == label]
        count = min(len(members) - 1, max(1, round(len(members) * share)))
        cut_N[members[len(members) - count :]] = True
    return cut_N


def _cut_groups(recordings: Recordings, share: float) -> NDArray[np.bool_]:
    names, numbers_N = np.unique(np.array(recordings.groups), return_inverse=True)
    if len(names) < 2:
        raise UserError(
            f"all {recordings.called} of {recordings.source} left to cut belong to one group, {str(names[0])!r}, and a "
            "group stays in one part; give at least three groups, two beside a test part, or set option "
            f"{recordings.ungrouped}"
        )
    sizes = np.bincount(numbers_N)
    cut_N, wanted = np.zeros(len(numbers_N), dtype=np.bool_), share * len(numbers_N)
    for group in np.random.default_rng(0).permutation(len(names))[1:]:  # the first one stays in any case
        taken = int(cut_N.sum())
        if taken and abs(taken + sizes[group] - wanted) >= abs(taken - wanted):
            continue
        cut_N |= numbers_N == group
    return cut_N


def arrays(recordings: Recordings, labels_N: NDArray[np.int64], classes: int) -> Arrays:
    """Return what `padded` does, and ``labels`` (N,) of a part."""
    return {**padded(recordings), "labels": labels_N.astype(symbol_dtype(classes))}


def padded(recordings: Recordings) -> Arrays:
    """Return ``series`` (N, T, V), 0 behind their ``lengths`` (N,); in 64 bits where 32 lose too much."""
    lengths_N = np.array([len(series) for series in recordings.series], dtype=np.int32)
    shape = (len(lengths_N), int(lengths_N.max()), len(recordings.variables))
    series_NTV = np.zeros(shape, dtype=np.float64 if _too_fine(recordings.series) else np.float32)
    for row, series in zip(series_NTV, recordings.series, strict=True):
        row[: len(series)] = series
    return {"series": series_NTV, "lengths": lengths_N}


def _too_fine(series: Sequence[NDArray[Any]]) -> bool:
    """Return whether 32 bits would move a variable by more than `COARSE` of its deviation."""
    if all(one.dtype == np.float32 for one in series):
        return False
    steps = sum(map(len, series))
    moved_V = np.max([np.abs(one - one.astype(np.float32)).max(0) for one in series], axis=0)
    mean_V = np.sum([one.sum(0) for one in series], axis=0) / steps
    square_V = np.sum([np.square(one - mean_V).sum(0) for one in series], axis=0) / steps
    low_V, high_V = (
        np.min([one.min(0) for one in series], axis=0),
        np.max([one.max(0) for one in series], axis=0),
    )
    return bool(((low_V < high_V) & (moved_V > COARSE * np.sqrt(square_V))).any())


def scale(train: Arrays) -> dict[str, list[float]]:
    """Return the ``mean`` and ``deviation`` of each variable over all real steps of a training part.

    A variable that never changes has the deviation 1: it is then 0 everywhere.

    Raises:
        UserError: where none ever changes.
    """
    values_SV = real_values(train)
    mean_V = values_SV.mean(0, dtype=np.float64)
    deviation_V = np.sqrt(np.mean((values_SV - mean_V) ** 2, axis=0))
    even_V = values_SV.min(0) == values_SV.max(0)
    if even_V.all():
        raise UserError(
            "all values of the training part are the same, so there is nothing to learn; give others"
        )
    return {
        "mean": np.where(even_V, values_SV[0], mean_V).tolist(),
        "deviation": np.where(even_V, 1.0, deviation_V).tolist(),
    }


def real_values(part: Arrays) -> NDArray[Any]:
    """Return (S, V): what stands at the S real steps of all series of a part."""
    series_NTV = part["series"]
    real_NT = np.arange(series_NTV.shape[1]) < part["lengths"][:, None]
    values_SV: NDArray[Any] = series_NTV[real_NT]
    return values_SV
