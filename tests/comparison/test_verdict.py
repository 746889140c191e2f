"""Two tests decide the word; for a single contender that is where its interval lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nas_rnn.comparison import Verdict, p_values, paired_interval, verdict_of

OPPOSITE = {"better": "worse", "worse": "better", "equivalent": "equivalent", "undecided": "undecided"}


@pytest.mark.parametrize(
    ("difference", "p_value", "p_equivalence", "verdict"),
    [
        (-0.4, 0.001, 0.9, "better"),
        (0.4, 0.001, 0.9, "worse"),
        (-0.4, 0.05, 0.9, "undecided"),
        (0.4, 0.2, 0.03, "undecided"),
        (0.0, 1.0, 0.025, "equivalent"),
        (-0.05, 0.001, 0.01, "equivalent"),
        (0.0, 1.0, 0.0, "equivalent"),
    ],
)
def test_at_five_per_cent(difference: float, p_value: float, p_equivalence: float, verdict: str) -> None:
    assert verdict_of(difference, p_value, p_equivalence, 0.05) == verdict


def test_at_a_smaller_alpha_both_tests_are_stricter() -> None:
    assert verdict_of(0.4, 0.01, 0.9, 0.05) == "worse"
    assert verdict_of(0.4, 0.01, 0.9, 0.01) == "undecided"
    assert verdict_of(0.0, 1.0, 0.01, 0.05) == "equivalent"
    assert verdict_of(0.0, 1.0, 0.01, 0.01) == "undecided"


def by_interval(ci95: tuple[float, float], margin: float) -> Verdict:
    low, high = ci95
    if -margin <= low and high <= margin:
        return "equivalent"
    return "better" if high < 0 else "worse" if low > 0 else "undecided"


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    seeds=st.integers(1, 6),
    items=st.integers(2, 60),
    shift=st.floats(-1, 1),
    margin=st.floats(0, 1),
    alpha=st.sampled_from([0.05, 0.006]),
)
def test_the_tests_of_one_contender_say_where_its_interval_lies(
    seed: int, seeds: int, items: int, shift: float, margin: float, alpha: float
) -> None:
    rng = np.random.default_rng(seed)
    sample = shift + rng.normal(size=(seeds, items))
    interval = paired_interval(sample, np.zeros_like(sample), np.ones(items), alpha=alpha)
    tests = p_values(interval, margin)
    assert interval.ci95 is not None and tests is not None
    assume(min(abs(edge - end) for edge in interval.ci95 for end in (0.0, margin, -margin)) > 1e-9)
    verdict = verdict_of(interval.difference, tests.difference, tests.equivalence, alpha)
    assert verdict == by_interval(interval.ci95, margin)
    turned = paired_interval(np.zeros_like(sample), sample, np.ones(items), alpha=alpha)
    tests = p_values(turned, margin)
    assert tests is not None
    assert verdict_of(turned.difference, tests.difference, tests.equivalence, alpha) == OPPOSITE[verdict]
