"""What can be answered without reading in order: the commonest class, and the nearest class mean of averages over time.

Shapes: N series, V variables, K known classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.classes import answer_statistics, commonest
from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.metric import Statistics


def class_floors(train: Arrays, test: Arrays, classes: int) -> dict[str, Statistics]:
    """Return what always answering the commonest class comes to, and what comes of the variables' averages alone.

    The latter answers the class whose mean is nearest, of each variable's average over the steps, in deviations of
    such averages over the training part: it knows nothing of time.
    """
    labels_N = test["labels"].astype(np.int64)
    fixed_N = np.full(len(labels_N), commonest(train["labels"]))
    return {
        "commonest class": answer_statistics(fixed_N, labels_N, classes),
        "averages over time": answer_statistics(nearest_mean(train, test), labels_N, classes),
    }


def nearest_mean(train: Arrays, test: Arrays) -> NDArray[np.int64]:
    """Return the answers (N,) of a nearest class mean, of the averages over time alone."""
    train_NV, test_NV = averages(train), averages(test)
    deviation_V = train_NV.std(0)
    deviation_V[deviation_V == 0] = 1.0
    known = np.unique(train["labels"])
    means_KV = np.stack([train_NV[train["labels"] == label].mean(0) for label in known])
    away_NK = np.stack([(((test_NV - mean_V) / deviation_V) ** 2).sum(1) for mean_V in means_KV], axis=1)
    answers_N: NDArray[np.int64] = known[away_NK.argmin(1)].astype(np.int64)
    return answers_N


def averages(part: Arrays) -> NDArray[np.float64]:
    """Return (N, V): each series' mean over its real steps."""
    means_NV: NDArray[np.float64] = part["series"].sum(1, dtype=np.float64) / part["lengths"][:, None]
    return means_NV
