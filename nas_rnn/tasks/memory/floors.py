"""What can be answered without having read anything. Shapes: N series, K answers, C classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.memory.scores import NEAR, statistics
from nas_rnn.tasks.metric import Floats


def always_the_mean(train: Arrays, test: Arrays, lengths: Sequence[int]) -> dict[str, Floats]:
    """Return what the training part's mean sum comes to: of two numbers in [0, 1) a squared error of 1/6."""
    off_N = test["answers"][:, 0].astype(np.float64) - float(train["answers"].mean(dtype=np.float64))
    squared_N: Floats = np.square(off_N)
    solved_N = np.where(np.abs(off_N) < NEAR, 100.0, 0.0)
    return statistics(solved_N, squared_N, 1, test["length"], lengths)


def commonest_answer(train: Arrays, test: Arrays, classes: int, lengths: Sequence[int]) -> dict[str, Floats]:
    """Return what the training part's commonest class comes to; its errors are those of the classes' shares.

    Every count begins at one, so that no class is impossible (Laplace's rule of succession).
    """
    counts_C = np.bincount(train["answers"][:, 0], minlength=classes) + 1.0
    labels_N = test["answers"][:, 0].astype(np.int64)
    nats_N = -np.log(counts_C / counts_C.sum())[labels_N]
    return statistics(100.0 * (labels_N == counts_C.argmax()), nats_N, 1, test["length"], lengths)


def chance(test: Arrays, classes: int, lengths: Sequence[int]) -> dict[str, Floats]:
    """Return what symbols drawn at random come to: each is right once in C times, and K have to be."""
    count, answers = test["answers"].shape
    solved_N = np.full(count, 100.0 * float(classes) ** -answers)
    return statistics(solved_N, np.full(count, answers * np.log(classes)), answers, test["length"], lengths)
