"""A reference beside the baseline: judged alone; better than both takes both tests, and only after the first."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nas_rnn.comparison import Comparison, TaskChoice, final_specs, judge, sentence
from nas_rnn.comparison.testing import holm
from tests.comparison.test_judging import BITS, by_name, entry, measured, only, with_status


def judged(shifts: dict[str, float], *names: str, spread: float = 0.002, broken: str = "") -> Comparison:
    plan = final_specs(
        entry("lstm", tuned=True),
        [*map(entry, names), replace(entry("gru"), reference=True)],
        task=TaskChoice("char-lm", {}),
        seed=0,
        seeds=5,
    )
    results = measured(plan, shifts, spread=spread)
    if broken:
        with_status(results, f"final-{broken}-s1", "diverged", "loss became inf")
    return judge((BITS,), plan, results, item="block")


def test_a_reference_is_judged_by_itself_and_is_no_contender() -> None:
    comparison = judged({"x": -0.06, "gru": -0.03}, "x")
    assert [row.standing.name for row in comparison.contenders] == ["x"]
    (gru,) = comparison.references
    assert (gru.standing.name, gru.standing.reference, gru.verdict) == ("gru", True, "better")
    assert comparison.controls == ()
    assert gru.p_adjusted == gru.p_value


def test_a_reference_changes_nothing_for_the_contenders() -> None:
    without = final_specs(
        entry("lstm", tuned=True), [entry("x"), entry("y")], task=TaskChoice("char-lm", {}), seed=0, seeds=5
    )
    beside = judged({"x": -0.004, "y": 0.004}, "x", "y")
    everyone = measured(
        final_specs(
            entry("lstm", tuned=True),
            [entry("x"), entry("y"), replace(entry("gru"), reference=True)],
            task=TaskChoice("char-lm", {}),
            seed=0,
            seeds=5,
        ),
        {"x": -0.004, "y": 0.004},
    )
    alone = judge((BITS,), without, everyone, item="block")
    for name in ("x", "y"):
        assert replace(by_name(beside)[name], against=()) == by_name(alone)[name]


def test_better_than_both_takes_both_tests() -> None:
    row = only(judged({"x": -0.06, "gru": -0.03}, "x"))
    (one,) = row.against
    assert row.verdict == "better" and one.better_than_both
    assert one.difference == pytest.approx(-0.03, abs=0.004)
    assert one.ci95 is not None and one.ci95[1] < 0


def test_what_is_better_than_the_baseline_alone_is_not_better_than_both() -> None:
    row = only(judged({"x": -0.06, "gru": -0.06}, "x"))
    (one,) = row.against
    assert row.verdict == "better" and not one.better_than_both
    behind = only(judged({"x": -0.03, "gru": -0.06}, "x")).against[0]
    assert behind.difference is not None and behind.difference > 0
    assert behind.p_value is not None and behind.p_value < 0.001 and not behind.better_than_both


def test_what_is_equivalent_to_the_reference_is_not_better_than_it() -> None:
    """The word means what it means of the baseline: a difference within the margin is none, however sure."""
    comparison = judged({"x": -0.06, "gru": -0.055}, "x", spread=0.0002)
    (one,) = only(comparison).against
    assert one.ci95 is not None and one.ci95[1] < 0 and -one.ci95[0] < (comparison.margin or 0.0)
    assert only(comparison).verdict == "better" and not one.better_than_both
    assert sentence(comparison).startswith("`x` is better than the LSTM, `x` untuned: ")
    assert "not shown to be better than the GRU, from which it differs by -0.005" in sentence(comparison)
    assert "], within the margin" in sentence(comparison)


def test_it_is_asked_only_of_what_is_better_than_the_baseline() -> None:
    row = only(judged({"x": 0.0, "gru": 0.06}, "x"))
    (one,) = row.against
    assert row.verdict != "better"
    assert one.p_value is not None and one.p_value < 0.001
    assert one.difference is not None and one.difference < 0 and not one.better_than_both
    assert "the GRU" not in sentence(judged({"x": 0.0, "gru": 0.06}, "x"))


def test_the_sentence_says_whom_it_beats() -> None:
    both = sentence(judged({"x": -0.06, "gru": -0.03}, "x"))
    assert both.startswith("`x` is better than the LSTM and the GRU, `x` and the GRU untuned: ")
    assert "difference from the GRU -0.03" in both
    one = sentence(judged({"x": -0.06, "gru": -0.06}, "x"))
    assert one.startswith("`x` is better than the LSTM, `x` untuned: ")
    assert "not shown to be better than the GRU, from which it differs by " in one


@pytest.mark.parametrize(("shift", "beaten"), [(-0.03, True), (-0.06, False)])
def test_the_baseline_that_a_control_tuned_further_has_to_be_beaten_as_well(
    shift: float, beaten: bool
) -> None:
    """What was found to be better than a baseline with few settings may not be better than one with many."""
    baseline = entry("lstm", tuned=True)
    further = replace(baseline, name="LSTM tuned with all", control="60 settings")
    random = replace(entry("random"), digest="", control="random cells")
    plan = final_specs(
        baseline,
        [entry("x"), replace(entry("gru"), reference=True), random, further],
        task=TaskChoice("char-lm", {}),
        seed=0,
        seeds=5,
    )
    comparison = judge(
        (BITS,),
        plan,
        measured(plan, {"x": -0.06, "gru": -0.03, "LSTM tuned with all": shift, "random": 0.1}),
        item="block",
    )
    row = only(comparison)
    assert [(one.name, one.better_than_both) for one in row.against] == [
        ("gru", True),
        ("LSTM tuned with all", beaten),
    ]
    said = sentence(comparison)
    if beaten:
        assert said.startswith(
            "`x` is better than the LSTM and the GRU and the LSTM tuned with all, `x` and the GRU untuned: "
        )
    else:
        assert said.startswith("`x` is better than the LSTM and the GRU, `x` and the GRU untuned: ")
        assert "not shown to be better than the LSTM tuned with all, from which it differs by " in said


def test_a_limit_of_any_that_is_beaten_is_told() -> None:
    comparison = judged({"x": -0.06, "gru": -0.03}, "x")
    row = only(comparison)
    both = (replace(row.against[0], within=""), replace(row.against[0], within="within 4 epochs"))
    told = replace(comparison, contenders=(replace(row, against=both),))
    assert " within 4 epochs, `x` and the GRU untuned: " in sentence(told)


def test_a_reference_that_diverged_is_not_compared_with() -> None:
    comparison = judged({"x": -0.06}, "x", broken="gru")
    (one,) = only(comparison).against
    assert (one.difference, one.p_value, one.better_than_both) == (None, None, False)
    assert "not compared with the GRU, of which a run diverged or none has a result" in sentence(comparison)


def test_several_contenders_share_the_second_test_as_well() -> None:
    """Holm's method over the larger of each contender's two p-values: some beat the GRU only by themselves."""
    names = [f"c{number}" for number in range(10)]
    rows = judged(dict.fromkeys(names, -0.06) | {"gru": -0.03}, *names, spread=0.012).contenders
    larger = [max(row.p_value or 0.0, row.against[0].p_value or 0.0) for row in rows]
    claimed = [row.against[0].better_than_both for row in rows]
    assert claimed == [p is not None and p < 0.05 for p in holm(larger)]
    assert any(claimed)
    assert any(p < 0.05 and not claim for p, claim in zip(larger, claimed, strict=True))


def test_it_goes_to_json_and_back() -> None:
    comparison = judged({"x": -0.06, "gru": -0.03}, "x")
    assert Comparison.from_dict(json.loads(json.dumps(comparison.to_dict()))) == comparison
