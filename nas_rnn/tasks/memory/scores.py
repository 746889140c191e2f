"""What is measured of a probe, in all and by length. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas_rnn.tasks.memory.series import Ints
from nas_rnn.tasks.metric import Floats, Mean, Metric
from nas_rnn.tasks.task import Measures

NEAR = 0.04
"""A sum that is off by less is solved (Hochreiter & Schmidhuber 1997, 5.4)."""
EXACT_SUM = 4e-5
"""A squared error that is less by this takes solved sums from 99 to 99.5 %, of errors that are normally distributed."""
SURE = 0.005
"""So many nats of a single answer come to half a per cent of all answers."""

SOLVED = Mean("solved", "% solved", "maximize", 0.5, "absolute", of="solved")
SQUARED = Mean("squared_error", "squared error", "minimize", 0.01, "relative", of="error", per="answers")
NATS = Mean("cross_entropy", "nats per answer", "minimize", 0.01, "relative", of="error", per="answers")


def measures_of(meta: Mapping[str, Any], answers: int) -> Measures:
    """Return the share that is solved, the loss, and where there are several lengths the share of each.

    The margin of the monitor is about what half a per cent of solved series takes: a loss can fall by the same share
    for ever while all answers stay the same.
    """
    numbers, lengths = not meta["classes"], meta["lengths"]
    each = [
        Mean(f"solved_{length}", f"% of length {length}", "maximize", 0.5, "absolute", of=of, per=per)
        for length, of, per in named(lengths)
    ]
    metrics: tuple[Metric, ...] = (SOLVED, SQUARED if numbers else NATS, *each)
    unit, margin = ("squared error", EXACT_SUM) if numbers else ("nats", SURE / answers)
    monitor = Mean("loss", unit, "minimize", margin, "absolute", of="loss", per="targets")
    return Measures(metrics, monitor)


def named(lengths: Sequence[int]) -> list[tuple[int, str, str]]:
    """Return each length with its statistics: what is solved of it, and how many there are; none for a single one."""
    return [(length, f"solved {length}", f"of {length}") for length in lengths] if len(lengths) > 1 else []


def statistics(
    solved_N: Floats, error_N: Floats, answers: int, length_N: Ints, lengths: Sequence[int]
) -> dict[str, Floats]:
    """Return each item's statistics, (N,) each: ``solved_N`` are 0 to 100, ``error_N`` sums over the answers."""
    found = {"solved": solved_N, "error": error_N, "answers": np.full(len(solved_N), float(answers))}
    for length, of, per in named(lengths):
        is_it_N = (length_N == length).astype(np.float64)
        found |= {of: solved_N * is_it_N, per: is_it_N}
    return found
