"""One family of tests over tasks, and the mean of the gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nas_rnn.comparison import Comparison, judge, sentence
from nas_rnn.comparison.statistics import CAREFUL_QUANTILE, paired_interval
from nas_rnn.comparison.suite import SuiteComparison, judge_suite, mean_of_gaps, suite_lines
from nas_rnn.tasks import Mean
from tests.comparison.test_judging import ACCURACY, BITS, measured, plan_for, statistics


def comparison(
    shifts: dict[str, float], *, metric: Mean = BITS, spread: float = 0.002, seeds: int = 5
) -> Comparison:
    plan = plan_for(*shifts, seeds=seeds)
    return judge([metric], plan, measured(plan, shifts, spread=spread))


def words(found: SuiteComparison, cell: int = 0) -> list[str]:
    return [one.contenders[cell].verdict for one in found.comparisons.values()]


def test_a_difference_that_is_one_alone_may_be_none_among_many() -> None:
    few = comparison({"new": -0.03}, spread=0.01)
    p = few.contenders[0].p_value
    assert few.contenders[0].verdict == "better" and p is not None
    many = {f"task {n}": few for n in range(int(0.05 / p) + 2)}
    found = judge_suite(many)
    assert set(words(found)) == {"undecided"}
    assert judge_suite({"one": few}).comparisons["one"].contenders[0].verdict == "better"


def test_the_mean_is_that_of_gaps_in_margins_and_its_interval_that_of_independent_ones() -> None:
    one, other = comparison({"new": -0.05}), comparison({"new": +0.03}, spread=0.004)
    rows = [each.contenders[0].in_margins for each in (one, other)]
    found = judge_suite({"a": one, "b": other}).gaps[0]
    assert rows[0] is not None and rows[1] is not None and found.mean is not None and found.ci95 is not None
    assert rows[0].difference == pytest.approx(
        (one.contenders[0].difference or 0) / (one.margin or 1), rel=1e-6
    )
    assert found.mean == pytest.approx((rows[0].difference + rows[1].difference) / 2)
    assert found.ci95[0] < found.mean < found.ci95[1]
    error = np.hypot(rows[0].error, rows[1].error) / 2
    assert 1.96 * error < found.ci95[1] - found.mean < 13 * error
    assert found.counts == {"better": 1, "equivalent": 0, "worse": 1, "undecided": 0}


def test_words_and_means_are_those_of_a_computation_from_the_definitions() -> None:
    shifts = ({"new": -0.012, "other": 0.02}, {"new": -0.05, "other": 0.001}, {"new": 0.004, "other": -0.03})
    many = {f"task {n}": comparison(own, spread=0.01) for n, own in enumerate(shifts)}
    found = judge_suite(many)
    judged = [row for one in found.comparisons.values() for row in one.contenders]
    for before, after in (("p_value", "p_adjusted"), ("p_equivalence", "p_equivalence_adjusted")):
        p_R = np.array([getattr(row, before) for one in many.values() for row in one.contenders])
        order = np.argsort(p_R)
        expected_R = np.empty(6)
        expected_R[order] = np.maximum.accumulate(p_R[order] * np.arange(6, 0, -1)).clip(max=1)
        assert [getattr(row, after) for row in judged] == pytest.approx(expected_R)
    for place, gap in enumerate(found.gaps):
        rows = [one.contenders[place] for one in many.values()]
        gaps = [
            (row.difference or 0) / (one.margin or 1) for row, one in zip(rows, many.values(), strict=True)
        ]
        assert gap.mean == pytest.approx(np.mean(gaps))
        own = [row.in_margins for row in rows if row.in_margins is not None]
        errors_N, freedoms_N = (
            np.array(part) for part in zip(*((g.error, g.degrees_of_freedom) for g in own), strict=True)
        )
        bounds_N = errors_N**2 * freedoms_N / stats.chi2.ppf(CAREFUL_QUANTILE, freedoms_N)
        freedom = bounds_N.sum() ** 2 / (bounds_N**2 / freedoms_N).sum()
        half = stats.t.ppf(0.975, freedom) * np.sqrt((errors_N**2).sum()) / 3
        assert gap.ci95 == pytest.approx((gap.mean - half, gap.mean + half))


def test_of_one_task_the_mean_is_its_own_difference() -> None:
    one = comparison({"new": -0.05})
    row, found = one.contenders[0], judge_suite({"a": one}).gaps[0]
    assert found.mean is not None and found.ci95 is not None and row.ci95 is not None and one.margin
    assert found.mean * one.margin == pytest.approx(row.difference)
    # The same interval, but for the careful degrees of freedom of a sum.
    assert (found.ci95[1] - found.mean) * one.margin == pytest.approx(
        (row.ci95[1] - row.ci95[0]) / 2, rel=0.05
    )


def test_the_interval_covers_what_it_says() -> None:
    rng, hits, true = np.random.default_rng(0), 0, (0.01, -0.02)
    for _ in range(1000):
        gaps = []
        for shift in true:
            values_SN = (
                shift + rng.normal(0, 0.01, (3, 1)) + rng.normal(0, 0.05, 80) + rng.normal(0, 0.02, (3, 80))
            )
            found = paired_interval(values_SN, np.zeros((3, 80)), np.ones(80))
            gaps.append((found.difference, found.variance**0.5, found.degrees_of_freedom))
        mean, half = mean_of_gaps(gaps)
        hits += abs(mean - sum(true) / 2) <= half
    assert hits >= 950


def test_a_cell_that_diverges_on_a_task_is_worse_there_and_has_no_mean() -> None:
    fine, broken = comparison({"new": -0.05, "other": 0.0}), comparison({"new": -0.05, "other": 0.0})
    row = broken.contenders[0]
    gone = replace(
        row, difference=None, ci95=None, p_value=None, p_equivalence=None, in_margins=None, verdict="worse"
    )
    found = judge_suite({"a": fine, "b": replace(broken, contenders=(gone, broken.contenders[1]))})
    assert words(found) == ["better", "worse"]
    assert found.gaps[0].mean is None and "no interval on b" in found.gaps[0].reason
    assert found.gaps[1].mean is not None
    assert "no interval on b" in " ".join(suite_lines(found))


def test_a_weak_baseline_is_not_beaten_in_a_suite_either() -> None:
    plan = plan_for("new")
    floor = {"table": statistics(np.full(80, 1.9))}
    weak = judge([BITS], plan, measured(plan, {"lstm": 0.0, "new": -0.05}), floors=floor)
    assert weak.contenders[0].weak_baseline
    # Any name of a trivial one makes a sentence: "always the mean", "what most often came next".
    assert "it is no better than a trivial one, table; " in sentence(weak)
    found = judge_suite({"a": weak}).comparisons["a"].contenders[0]
    assert found.verdict == "undecided" and found.weak_baseline == weak.contenders[0].weak_baseline


def test_metrics_of_different_directions_have_the_same_sign_of_gap() -> None:
    up = comparison({"new": +0.05}, metric=ACCURACY)
    found = judge_suite({"bits": comparison({"new": -0.05}), "accuracy": up})
    assert words(found) == ["better", "better"]
    rows = [one.contenders[0].in_margins for one in found.comparisons.values()]
    assert all(row is not None and row.difference < 0 for row in rows)


def test_the_answer_goes_to_json_and_says_what_it_does_not_speak_of() -> None:
    one = comparison({"new": -0.05})
    assert Comparison.from_dict(one.to_dict()) == one
    found = judge_suite({"a": one, "b": comparison({"new": 0.0})})
    lines = suite_lines(found)
    assert lines[0].startswith("`new` against the LSTM, on 2 tasks: better on 1, equivalent on 1")
    assert lines[-1].endswith("Nothing is said of other tasks.")
    assert "; untuned." in lines[0]
    (row,) = one.contenders
    cut = replace(row, standing=replace(row.standing, converged=(False,) * 5, epochs=(7,) * 5))
    base = replace(one.baseline, converged=(False,) * 5, epochs=(9,) * 5)
    told = suite_lines(judge_suite({"a": replace(one, baseline=base, contenders=(cut,)), "b": one}))
    assert "; untuned; within 9 epochs, still improving on a." in told[0]
