"""What a search had found after so many candidates, and what so many random draws find on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOW, HIGH = 0.1, 0.9
"""The quantiles of `expected_best`'s band."""


@dataclass(frozen=True, kw_only=True)
class BestOf:
    """The best of ``draws`` random candidates: its expectation, and the band of `LOW` .. `HIGH`."""

    draws: int
    expected: float
    low: float
    high: float


def best_so_far(losses: Sequence[float | None]) -> list[float | None]:
    """Return the smallest of the losses up to each one; None as long as there was none."""
    best: float | None = None
    found: list[float | None] = []
    for loss in losses:
        if loss is not None and math.isfinite(loss) and (best is None or loss < best):
            best = loss
        found.append(best)
    return found


def expected_best(losses: Sequence[float | None]) -> list[BestOf]:
    """Return the best of 1 .. N draws from N random candidates, from the losses that those came to.

    The expected performance as a function of the budget (Dodge et al. 2019, "Show Your Work"), for draws without
    replacement, which is exact and without bias (Tang et al. 2020, "Showing Your Work Doesn't Always Work"): the
    chance that the best of k draws is not among the i best of N is C(N - i, k) / C(N, k). A candidate without a loss
    (it diverged) counts as the worst that was measured. Empty where none was measured.
    """
    known = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    if not known:
        return []
    worst = max(known)
    sorted_N = np.sort([worst if loss is None or not math.isfinite(loss) else loss for loss in losses])
    count = len(sorted_N)
    rank_N = np.arange(1, count + 1)
    beyond_N = np.ones(count)  # chance that all draws so far lie beyond rank i
    found = []
    for k in range(1, count + 1):
        beyond_N = beyond_N * np.maximum(count - rank_N - (k - 1), 0) / (count - (k - 1))
        chance_N = -np.diff(beyond_N, prepend=1.0)
        within_N = 1.0 - beyond_N + 1e-12
        found.append(
            BestOf(
                draws=k,
                expected=float(chance_N @ sorted_N),
                low=float(sorted_N[np.argmax(within_N >= LOW)]),
                high=float(sorted_N[np.argmax(within_N >= HIGH)]),
            )
        )
    return found
