"""What tasks have in common that name one class for an item: orders, a few of each, what answers count. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.metric import Statistics


def mixed_order(labels_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a fixed random order (N,) in which every stretch has its share of every class."""
    random = np.random.default_rng(0)
    place_N = np.empty(len(labels_N))
    for label in np.unique(labels_N):
        members = random.permutation(np.flatnonzero(labels_N == label))
        place_N[members] = (np.arange(len(members)) + random.random(len(members))) / len(members)
    return np.argsort(place_N, kind="stable")


def some_of_each(labels_N: NDArray[Any], most: int) -> list[int]:
    """Return the places of up to ``most`` items, in turn one of every class, in the order of the data."""
    taken = sorted(
        (rank, int(place))
        for label in np.unique(labels_N)
        for rank, place in enumerate(np.flatnonzero(labels_N == label)[:most])
    )
    return sorted(place for _, place in taken[:most])


def commonest(labels_N: NDArray[Any]) -> int:
    """Return the commonest class; of several the first."""
    return int(np.bincount(labels_N).argmax())


def answer_statistics(answers_N: NDArray[Any], labels_N: NDArray[Any], classes: int) -> Statistics:
    """Return what fixed answers count: ``correct`` (N,), 0 or 100, and the three of `MacroF1`, (N, classes)."""
    right_N = answers_N == labels_N
    known_KK = np.eye(classes)
    return {
        "correct": right_N * 100.0,
        "hits": known_KK[labels_N] * right_N[:, None],
        "predicted": known_KK[answers_N],
        "actual": known_KK[labels_N],
    }
