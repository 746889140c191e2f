"""The rule of ending: what it promises of curves whose future is known, and that it knows no length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.training.ending import LEAST_EPOCHS, SHORTEST, End, end_of

MARGIN = 0.01


def margin_at(loss: float) -> float:
    return MARGIN * abs(loss)


def power_law(epochs: int, exponent: float, size: float = 2.0) -> list[float]:
    return [1.0 + size * epoch**-exponent for epoch in range(1, epochs + 1)]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.9, 2.0), st.floats(0.5, 2.0), st.integers(0, 2**31))
def test_twice_the_training_gains_less_than_half_the_margin(exponent: float, size: float, seed: int) -> None:
    clean = power_law(4000, exponent, size)
    noise = np.random.default_rng(seed).normal(0.0, 0.001, 2000)
    end = end_of(list(np.asarray(clean[:2000]) + noise), margin_at)
    assert end is not None and end.why == "converged"
    gained = clean[end.epoch - 1] - clean[2 * end.epoch - 1]
    assert gained < MARGIN / 2 * clean[end.epoch - 1] * 1.05


@pytest.mark.parametrize("exponent", [0.2, 0.3, 0.5])
def test_slow_curves_go_on_as_long_as_they_gain(exponent: float) -> None:
    assert end_of(power_law(200, exponent), margin_at) is None


def test_no_curve_is_expected_to_fall_faster_than_the_inverse_root() -> None:
    """By its own ratio, 2^-1.5, this one would be level from epoch 45 on; it is taken for 2^-0.5, and goes on."""
    end = end_of(power_law(400, 1.5), margin_at)
    level = (2 * (2**1.5 - 1) * 2**-0.5 / (MARGIN / 2)) ** (
        1 / 1.5
    )  # where the last doubling gains so little
    assert end is not None and end.epoch > 2 * level


def test_a_curve_that_is_stretched_ends_later_by_as_much() -> None:
    short = end_of(power_law(1000, 1.0, 1.0), margin_at)
    stretched = end_of([1.0 + (epoch / 4) ** -1.0 for epoch in range(1, 2001)], margin_at)
    assert short is not None and stretched is not None
    assert stretched.epoch == pytest.approx(4 * short.epoch, rel=0.05)


def test_a_curve_that_turns_up_has_overfitted() -> None:
    falling = [3.0 - 0.1 * epoch for epoch in range(15)]
    end = end_of([*falling, *(falling[-1] + 0.05 * epoch for epoch in range(20))], margin_at)
    assert end is not None and end.why == "overfitted"
    assert 15 < end.epoch < 30


def test_the_shortest_run_is_one_that_loses_as_soon_as_it_is_judged() -> None:
    rising = [1.0 + 0.1 * epoch for epoch in range(40)]
    assert end_of(rising, margin_at) == End(SHORTEST, "overfitted")


def test_one_bad_epoch_is_no_end() -> None:
    curve = power_law(60, 0.5)
    curve[40] += 1.0
    assert end_of(curve, margin_at) is None


@pytest.mark.parametrize("where", range(1, 8))
def test_a_leap_in_the_first_epochs_is_no_end(where: int) -> None:
    """The curve of a found cell that left its start in a leap, and had 0.13 bits per character yet to gain."""
    curve = [6.089, 5.5, 5.021, 4.201, 3.625, 3.354, 3.199, 3.106, 3.048, 3.009, 2.985, 2.969, 2.956, 2.945]
    curve[where] += 320.0
    assert end_of(curve, margin_at) is None


def test_a_curve_that_stands_still_before_it_falls_goes_on() -> None:
    """A language model learns first how frequent its symbols are, and stays there for a while."""
    curve = [
        6.2,
        5.1,
        4.75,
        4.72,
        4.71,
        4.70,
        4.70,
        4.69,
        4.69,
        4.68,
        4.66,
        4.6,
        4.5,
        4.4,
        4.3,
        4.2,
        4.1,
        4.0,
    ]
    assert end_of(curve, margin_at) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_noise_of_few_validation_items_is_no_overfitting(seed: int) -> None:
    """Accuracies of 180 pictures near 98 %: one picture is more than the margin of half a point."""
    right = np.random.default_rng(seed).binomial(180, 0.98, 200)
    curve = [-20.0, -70.0, -90.0, *(-100.0 * right / 180)]
    end = end_of(curve, lambda loss: 0.5)
    assert end is not None and end.why == "converged"


def test_a_level_curve_ends_when_it_has_been_level_for_half_of_its_epochs() -> None:
    at_last = 2 * (LEAST_EPOCHS - 1)  # it is judged from LEAST_EPOCHS on
    assert end_of([2.5, *[2.0] * 40], margin_at) == End(at_last, "converged")
    assert end_of([2.5, *[0.0] * 40], margin_at) == End(at_last, "converged")


def test_a_curve_that_stands_still_for_a_while_and_falls_again_goes_on() -> None:
    """An LSTM at a high rate: level from its 15th to its 26th epoch, and 0.2 bits better in the end."""
    curve = [4.57, 4.13, 3.72, 3.52, 3.42, 3.35, 3.31, 3.27, 3.23, 3.22, 3.21, 3.21, 3.20, 3.20, 3.19]
    curve += [3.18, 3.18, 3.18, 3.19, 3.18, 3.18, 3.18, 3.18, 3.18, 3.18, 3.18]
    assert end_of(curve, margin_at) is None


def test_a_curve_that_still_falls_by_margins_goes_on() -> None:
    """Of a found cell: its first epochs gained so much that what it gains now looks like nothing beside it."""
    curve = [4.29, 3.66, 3.37, 3.21, 3.08, 2.99, 2.95, 2.90, 2.87, 2.87, 2.85, 2.84, 2.84, 2.84, 2.84, 2.84]
    curve += [2.84, 2.83, 2.82, 2.81, 2.81, 2.80, 2.79]
    assert end_of(curve, margin_at) is None


def test_what_has_not_begun_to_fall_may_do_so_yet() -> None:
    waiting = [2.3] * 30
    assert end_of(waiting, margin_at) is None
    assert end_of([*waiting, *(2.3 - 0.1 * epoch for epoch in range(1, 15))], margin_at) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.5, 3.0), min_size=1, max_size=60))
def test_what_comes_later_changes_no_end(curve: list[float]) -> None:
    end = end_of(curve, margin_at)
    if end is not None:
        assert end_of(curve[: end.epoch], margin_at) == end
        assert end_of(curve[: end.epoch - 1], margin_at) is None
