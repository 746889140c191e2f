"""Where an interval lies decides the word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_rnn.comparison import verdict_of

OPPOSITE = {"better": "worse", "worse": "better", "equivalent": "equivalent", "undecided": "undecided"}


@pytest.mark.parametrize(
    ("ci95", "verdict"),
    [
        ((-0.5, -0.3), "better"),
        ((-0.5, -0.05), "better"),
        ((-0.5, 0.05), "undecided"),
        ((-0.5, 0.0), "undecided"),
        ((-0.09, -0.01), "equivalent"),
        ((-0.1, 0.1), "equivalent"),
        ((0.0, 0.0), "equivalent"),
        ((-0.11, 0.1), "undecided"),
        ((0.05, 0.5), "worse"),
        ((0.3, 0.5), "worse"),
        (None, "undecided"),
    ],
)
def test_with_a_margin_of_a_tenth(ci95: tuple[float, float] | None, verdict: str) -> None:
    assert verdict_of(ci95, 0.1) == verdict


def test_without_a_margin_only_sameness_itself_is_equivalent() -> None:
    assert verdict_of((0.0, 0.0), 0.0) == "equivalent"
    assert verdict_of((-1e-9, 1e-9), 0.0) == "undecided"


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0, 3))
def test_turning_the_interval_round_turns_the_verdict_round(low: float, width: float, margin: float) -> None:
    high = low + width
    assert verdict_of((-high, -low), margin) == OPPOSITE[verdict_of((low, high), margin)]


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        verdict_of((0.0, 1.0), -0.1)
