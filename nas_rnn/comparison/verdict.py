"""Four words for a difference: where its interval lies, against zero and against the task's margin."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["better", "equivalent", "worse", "undecided"]


def verdict_of(ci95: tuple[float, float] | None, margin: float) -> Verdict:
    """Return the word for an interval of a difference signed so that negative is better.

    ``margin`` (not negative, the metric's units) is what the task holds to be no difference worth having:

    - ``equivalent``: the interval lies wholly within -margin .. margin, ends included (two one-sided tests,
      Schuirmann 1987), even where it excludes zero;
    - ``better``, ``worse``: wholly below, or above, zero, and not equivalent;
    - ``undecided``: anything else, and no interval at all.
    """
    if margin < 0:
        raise ValueError(f"a margin is not negative, got {margin}")
    if ci95 is None:
        return "undecided"
    low, high = ci95
    if -margin <= low and high <= margin:
        return "equivalent"
    if high < 0:
        return "better"
    return "worse" if low > 0 else "undecided"
