"""The order in which parts are told, and the sentence about them."""

from __future__ import annotations

from dataclasses import replace

from nas_rnn.comparison import ranked_rows, ranking_sentence
from tests.cli.conftest import comparison, contender

WORST = replace(
    contender("a"),
    difference=None,
    ci95=None,
    verdict="worse",
    standing=replace(contender("a").standing, diverged=2),
)
WORSE = replace(contender("b"), difference=0.31, ci95=(0.2, 0.42), verdict="worse")
SAME = replace(contender("c"), difference=0.001, ci95=(-0.02, 0.022), verdict="equivalent")
BETTER = replace(contender("d"), difference=-0.05, ci95=(-0.08, -0.02), verdict="better")
OPEN = replace(contender("e"), difference=0.1, ci95=(-0.3, 0.5), verdict="undecided")
UNKNOWN = replace(contender("f"), difference=None, ci95=None, verdict="undecided")


def test_the_greatest_loss_comes_first_and_the_unknown_last() -> None:
    found = ranked_rows(comparison(UNKNOWN, BETTER, OPEN, WORST, SAME, WORSE))
    assert [row.standing.name for row in found] == ["a", "b", "e", "c", "d", "f"]


def test_the_sentence_says_what_carries_the_gain() -> None:
    said = ranking_sentence(
        comparison(SAME, WORSE, BETTER, OPEN, WORST), {"a": "no gate", "b": "no tanh", "d": "no path"}
    )
    assert said == (
        "Worse: no gate (diverged); no tanh (+0.31 [+0.20, +0.42]). Better: no path (-0.050 [-0.080, -0.020]). "
        "No difference: c (+0.001 [-0.020, +0.022]). Undecided: 1 of 5. Nothing was tuned."
    )


def test_who_was_not_tuned_is_named_where_others_were() -> None:
    """Tuning leaves a variant as it was where all of its runs diverged."""
    tuned = replace(SAME, standing=replace(SAME.standing, tuned=True))
    base = comparison(tuned, WORSE)
    base = replace(base, baseline=replace(base.baseline, tuned=True))
    assert ranking_sentence(base, {}).endswith(" Not tuned: `b`.")
    assert "tuned" not in ranking_sentence(replace(base, contenders=(tuned,)), {})


def test_a_test_part_that_was_read_before_is_told_first() -> None:
    again = replace(comparison(SAME), read_before=("first",))
    assert ranking_sentence(again, {}).startswith(
        "The test part is read for the 2nd time (before: first), so"
    )


def test_a_huge_difference_is_told_in_three_digits() -> None:
    huge = replace(WORSE, difference=16136.53, ci95=(-23.94, 1740235102433586.75))
    assert "(+16136.53 [-23.94, +1.74e+15])" in ranking_sentence(comparison(huge), {})
