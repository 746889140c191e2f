"""Four words for a difference, by its two tests."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["better", "equivalent", "worse", "undecided"]


def verdict_of(difference: float, p_value: float, p_equivalence: float, alpha: float) -> Verdict:
    """Return the word for a difference signed so that negative is better.

    ``p_value`` is that of no difference and ``p_equivalence`` that of a difference beyond the margin (see
    `nas_rnn.comparison.testing`), both adjusted where there are several contenders:

    - ``equivalent``: ``p_equivalence`` is at most alpha / 2, even where there is a difference;
    - ``better``, ``worse``: ``p_value`` is below alpha, and not equivalent;
    - ``undecided``: anything else.

    Of a single contender this says where its interval at level 1 - alpha lies: wholly within the margin,
    wholly on one side of zero, or neither.
    """
    if p_equivalence <= alpha / 2:
        return "equivalent"
    if p_value < alpha:
        return "better" if difference < 0 else "worse"
    return "undecided"
