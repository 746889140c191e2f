"""p-values of both tests, and Holm's method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_rnn.comparison import holm, p_values, paired_interval

ITEMS = np.arange(60.0)


def test_one_item_gives_students_tests_of_the_seeds() -> None:
    sample = np.array([[0.1], [0.4], [0.2], [0.3], [0.6]])
    found = p_values(paired_interval(sample, np.zeros_like(sample), [1.0]), 0.5)
    assert found is not None
    assert found.difference == pytest.approx(stats.ttest_1samp(sample[:, 0], 0.0).pvalue)
    below = stats.ttest_1samp(sample[:, 0], 0.5, alternative="less").pvalue
    above = stats.ttest_1samp(sample[:, 0], -0.5, alternative="greater").pvalue
    assert found.equivalence == pytest.approx(max(below, above))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 1), st.floats(0, 1))
def test_the_sign_of_the_difference_does_not_matter(seed: int, shift: float, margin: float) -> None:
    sample = shift + np.random.default_rng(seed).normal(size=(4, 30))
    one = p_values(paired_interval(sample, np.zeros_like(sample), np.ones(30)), margin)
    other = p_values(paired_interval(np.zeros_like(sample), sample, np.ones(30)), margin)
    assert one is not None and other is not None
    assert (one.difference, one.equivalence) == pytest.approx((other.difference, other.equivalence))


@pytest.mark.parametrize(
    ("difference", "margin", "expected"),
    [(0.0, 0.0, (1.0, 0.0)), (0.5, 0.25, (0.0, 1.0)), (-0.5, 0.6, (0.0, 0.0)), (0.0, 0.1, (1.0, 0.0))],
)
def test_without_any_spread_there_is_no_chance(
    difference: float, margin: float, expected: tuple[float, float]
) -> None:
    items = np.tile(ITEMS, (4, 1))
    found = p_values(paired_interval(items + difference, items, np.ones(60)), margin)
    assert found is not None
    assert (found.difference, found.equivalence) == pytest.approx(expected, abs=1e-12)


def test_one_number_cannot_be_tested() -> None:
    assert p_values(paired_interval([[2.0]], [[1.0]], [1.0]), 0.1) is None


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        p_values(paired_interval([[2.0, 1.0]], [[1.0, 0.0]], [1.0, 1.0]), -0.1)


def test_holms_method_as_in_the_textbook() -> None:
    """Times 4, 3, 2, 1 from the smallest on, and never below the one before."""
    assert holm([0.04, 0.01, None, 0.03, 0.005]) == pytest.approx((0.06, 0.03, None, 0.06, 0.02))


def test_one_alone_is_not_adjusted() -> None:
    assert holm([None, 0.04, None]) == (None, 0.04, None)
    assert holm([]) == ()


def test_who_is_decided_counts_as_if_it_were_not_there() -> None:
    assert holm([0.0, 0.02, 0.03])[1:] == pytest.approx(holm([0.02, 0.03]))
