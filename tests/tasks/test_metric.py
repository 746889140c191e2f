"""Which of two results is better, by how much, and how much does not matter."""

import math

import pytest

from nas_rnn.tasks import Mean, Metric

BITS = Mean("bits_per_char", "bits per character", "minimize", 0.01, "relative")
ACCURACY = Mean("accuracy", "percentage points", "maximize", 0.5, "absolute")


def test_better_follows_the_direction_and_is_strict() -> None:
    assert BITS.better(1.9, 2.0)
    assert not BITS.better(2.0, 1.9)
    assert ACCURACY.better(91.0, 90.0)
    assert not ACCURACY.better(90.0, 91.0)
    assert not BITS.better(2.0, 2.0)
    assert not ACCURACY.better(90.0, 90.0)


@pytest.mark.parametrize("metric", [BITS, ACCURACY])
def test_nan_is_worse_than_every_number(metric: Metric) -> None:
    assert metric.better(1e9, math.nan)
    assert metric.better(-1e9, math.nan)
    assert not metric.better(math.nan, 1e9)
    assert not metric.better(math.nan, math.nan)


def test_margin_is_a_share_of_the_baseline_or_a_number_of_units() -> None:
    assert BITS.margin_at(2.0) == pytest.approx(0.02)
    assert BITS.margin_at(-2.0) == pytest.approx(0.02)
    assert ACCURACY.margin_at(90.0) == 0.5
    assert ACCURACY.margin_at(0.0) == 0.5


def test_gap_is_relative_and_negative_for_the_better_whatever_the_direction() -> None:
    assert BITS.gap(1.9, 2.0) == pytest.approx(-0.05)
    assert BITS.gap(2.1, 2.0) == pytest.approx(0.05)
    assert ACCURACY.gap(99.0, 90.0) == pytest.approx(-0.1)
    assert ACCURACY.gap(81.0, 90.0) == pytest.approx(0.1)
    assert BITS.gap(-1.0, -2.0) == pytest.approx(0.5)


def test_gap_to_a_baseline_of_zero() -> None:
    assert BITS.gap(0.0, 0.0) == 0.0
    assert BITS.gap(0.5, 0.0) == math.inf
    assert ACCURACY.gap(0.5, 0.0) == -math.inf
