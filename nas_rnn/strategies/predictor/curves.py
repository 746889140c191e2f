"""What the learning curve of a candidate under way says of its end: its place among earlier ones at the same epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_CURVES = 8
"""So many earlier curves must have come as far."""
LEAST_CORRELATION = 0.3
"""Between the losses at an epoch and at the end; below it the epoch says nothing."""
NOISE = 0.3
"""How much of the variance of normal scores is taken to be noise, to weigh a foreseen score against one at the end."""


class Foreseen(NamedTuple):
    """A score, and how many times as noisy as one at the end it is."""

    score: float
    noise: float


def foresee(
    curve: Sequence[float],
    earlier: Sequence[Sequence[float]],
    losses: Sequence[float],
    scores: NDArray[np.float64],
) -> Foreseen | None:
    """Return the score to be expected at the end of ``curve``, the losses after its epochs so far, smaller is better.

    ``earlier`` are curves of candidates that ended, ``losses`` and ``scores`` what they came to. None where too few
    came as far, or what they had there says little of their end.
    """
    from scipy.stats import spearmanr

    epoch = len(curve)
    known = [place for place, other in enumerate(earlier) if len(other) >= epoch]
    if epoch == 0 or len(known) < LEAST_CURVES:
        return None
    here = np.array([min(earlier[place][:epoch]) for place in known])
    ends = np.array([losses[place] for place in known])
    if len(set(here)) < 2 or len(set(ends)) < 2:
        return None
    correlation = float(spearmanr(here, ends).statistic)
    if not correlation >= LEAST_CORRELATION:
        return None
    # Those of a similar place among the others then have similar scores at the end.
    ahead = float((here < min(curve)).mean() + 0.5 * (here == min(curve)).mean())
    place = float(np.quantile(scores[known], ahead))
    middle = float(scores[known].mean())
    return Foreseen(middle + correlation * (place - middle), 1 + (1 - correlation**2) / NOISE)
