"""A race of a challenger against the incumbent: what ends it, and how often it is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from nas_rnn.comparison.racing import Race, first_pairs, race
from nas_rnn.errors import UserError
from nas_rnn.tasks.metric import Quantity

BITS = Quantity("bits", "bits", "minimize", 0.01, "relative")
RIGHT = Quantity("right", "share", "maximize", 0.005, "absolute")
INCUMBENT = [2.30, 2.32, 2.28, 2.30, 2.31, 2.29, 2.30, 2.30]


def raced(
    challenger: Sequence[float | None], most: int = 8, incumbent: Sequence[float | None] = INCUMBENT
) -> Race:
    """Return the end of a race that asks for one value after another."""
    found = race([], incumbent, BITS, most=most)
    while found.verdict is None:
        found = race(challenger[: found.wanted], incumbent, BITS, most=most)
    return found


def test_pairs_are_asked_for_one_by_one_and_then_by_looks() -> None:
    values = [value - 0.02 * (-1) ** number for number, value in enumerate(INCUMBENT[1:] + INCUMBENT[:1])]
    asked = [race(values[:n], INCUMBENT, BITS, most=16).wanted for n in range(4)]
    assert asked == [1, 2, 3, 4]
    assert first_pairs(16) == 4 and first_pairs(3) == 3
    # A mean that is better by a little, and not decided: to the next look.
    near = [value - step for value, step in zip(INCUMBENT, (0.1, -0.06, 0.09, -0.05), strict=False)]
    assert race(near, INCUMBENT, BITS, most=16) == Race(verdict=None, pairs=4, wanted=8)


def test_clearly_better_is_said_at_the_first_look_and_not_before() -> None:
    better = [value - 0.2 for value in INCUMBENT]
    assert all(race(better[:n], INCUMBENT, BITS, most=8).verdict is None for n in range(4))
    found = raced(better)
    assert (found.verdict, found.pairs) == ("better", 4)
    assert found.difference == pytest.approx(-0.2)
    assert found.interval is not None and found.interval[1] < 0
    assert found.level == pytest.approx(1 - 0.05 / 2.5)


def test_one_lucky_run_does_not_win() -> None:
    """However good it is: the others are as the incumbent's."""
    for lucky in (1.0, 2.0, 2.2):
        found = raced([lucky, 2.31, 2.29, 2.30, 2.32, 2.30, 2.31, 2.29])
        assert found.verdict in ("undecided", "behind")


def test_what_is_far_behind_costs_one_run() -> None:
    found = raced([3.0])
    assert (found.verdict, found.pairs, found.interval) == ("behind", 1, None)
    assert "4 seeds of the incumbent" in found.reason


def test_what_lies_within_the_margin_is_not_given_up_however_little_the_incumbent_spreads() -> None:
    still = [2.3] * 4
    assert race([2.31], still, BITS, most=8).verdict is None
    assert race([2.33], still, BITS, most=8).verdict == "behind"


def test_a_look_at_which_the_mean_is_no_better_ends_it() -> None:
    found = raced([2.33, 2.30, 2.30, 2.31])
    assert (found.verdict, found.pairs) == ("behind", 4)
    assert found.interval is not None and found.reason == "its mean is no better"


def test_equivalent_and_worse() -> None:
    assert raced([value + 0.001 for value in INCUMBENT]).verdict == "equivalent"
    wide = [2.2, 2.3, 2.4, 2.3, 2.2, 2.3, 2.4, 2.3]  # so wide that nothing is given up before the look
    assert raced([value + 0.05 for value in wide], incumbent=wide).verdict == "worse"


def test_a_run_that_diverged_loses_and_an_incumbent_that_did_shows_nothing() -> None:
    found = raced([2.1, None])
    assert (found.verdict, found.pairs, found.difference) == ("worse", 2, None)
    assert found.reason == "it diverged on seed 2"
    near = [
        value - step for value, step in zip(INCUMBENT, (0.1, -0.06, 0.09, -0.05, 0, 0, 0, 0), strict=True)
    ]
    found = raced(near, incumbent=[*INCUMBENT[:4], None, *INCUMBENT[5:]])
    assert (found.verdict, found.pairs) == ("undecided", 5)


def test_the_direction_of_the_metric_counts() -> None:
    incumbent = [0.80, 0.81, 0.79, 0.80]
    assert race([0.90, 0.91, 0.89, 0.90], incumbent, RIGHT, most=4).verdict == "better"
    assert race([0.5], incumbent, RIGHT, most=4).verdict == "behind"


def test_too_few_values_of_the_incumbent_are_refused() -> None:
    with pytest.raises(ValueError, match="an incumbent of 3 values"):
        race([], INCUMBENT[:3], BITS, most=8)
    with pytest.raises(UserError, match="at least 2 seeds"):
        race([], INCUMBENT, BITS, most=1)


@pytest.mark.parametrize("most", [4, 8])
def test_an_equal_challenger_is_called_better_in_at_most_one_of_forty(most: int) -> None:
    """And one that is better by four deviations of a seed nearly always: 120 races each."""
    rng, counts = np.random.default_rng(most), {0.0: Counter[str](), -0.16: Counter[str]()}
    for effect, count in counts.items():
        for _ in range(120):
            incumbent = (2.3 + rng.normal(0, 0.04, most)).tolist()
            challenger = (2.3 + effect + rng.normal(0, 0.04, most)).tolist()
            count[str(raced(challenger, most, incumbent).verdict)] += 1
    assert counts[0.0]["better"] <= 0.025 * 120 + 3 * (120 * 0.025) ** 0.5
    assert counts[-0.16]["better"] >= 0.75 * 120
