"""From results to the verdict, the sentence, JSON and the picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import repeat

import numpy as np
import pytest

from nas_rnn.comparison import (
    Comparison,
    ContenderRow,
    Cost,
    Entry,
    FinalPlan,
    TaskChoice,
    answer_lines,
    chart,
    cost_of,
    cost_sentence,
    final_specs,
    judge,
    sentence,
)
from nas_rnn.comparison.chart import draw_chart
from nas_rnn.errors import NasRnnError
from nas_rnn.tasks import Mean, Metric
from nas_rnn.training import EpochRecord, RunResult, TrainingOptions

BITS = Mean("bits_per_char", "bits per character", "minimize", 0.005, "relative", of="value", per="weight")
ACCURACY = Mean("accuracy", "share", "maximize", 0.01, "absolute", of="value", per="weight")
ITEMS = 80


def entry(name: str, *, tuned: bool = False) -> Entry:
    return Entry(
        name=name,
        cell="",
        digest=f"d-{name}",
        hidden_size=64,
        parameters=123_456,
        training=TrainingOptions(),
        mismatch=0.002,
        tuned=tuned,
    )


def statistics(values: Iterable[float], weights: Iterable[float] = repeat(64.0)) -> dict[str, list[float]]:
    """Items of these values and weights, as a run has them."""
    pairs = list(zip(values, weights, strict=False))
    return {"value": [float(v * w) for v, w in pairs], "weight": [float(w) for _, w in pairs]}


def measured(plan: FinalPlan, shifts: dict[str, float], *, spread: float = 0.002) -> dict[str, RunResult]:
    """Results around 2.25 in which each cell is shifted."""
    rng = np.random.default_rng(3)
    difficulty = rng.normal(2.25, 0.3, ITEMS)
    results = {}
    for spec in plan.specs:
        noise = rng.normal(0, spread) + rng.normal(0, spread, ITEMS)
        values = difficulty + shifts.get(spec.name, 0.0) + noise
        results[spec.id] = RunResult(
            id=spec.id,
            status="finished",
            reason=None,
            epochs=[],
            best_epoch=1,
            best_metric=2.2,
            parameters=123_456,
            test_statistics=statistics(values),
            seconds=2.0,
        )
    return results


def plan_for(*names: str, seeds: int = 5) -> FinalPlan:
    contenders = [entry(name) for name in names]
    return final_specs(
        entry("lstm", tuned=True), contenders, task=TaskChoice("char-lm", {}), seed=0, seeds=seeds
    )


def compared(
    *names: str, shifts: dict[str, float], metric: Metric = BITS, seeds: int = 5, spread: float = 0.002
) -> Comparison:
    plan = plan_for(*names, seeds=seeds)
    return judge(
        (metric,),
        plan,
        measured(plan, shifts, spread=spread),
        item="block",
        costs=[Cost(part="search", runs=25, seconds=100.0)],
    )


def by_name(comparison: Comparison) -> dict[str, ContenderRow]:
    return {row.standing.name: row for row in comparison.rows}


def with_status(results: dict[str, RunResult], id: str, status: str, reason: str | None = None) -> None:
    results[id] = replace(results[id], status=status, reason=reason, test_statistics=None)  # type: ignore[arg-type]


def only(comparison: Comparison) -> ContenderRow:
    (row,) = comparison.contenders
    return row


@pytest.mark.parametrize(("shift", "verdict"), [(0.06, "worse"), (-0.06, "better"), (0.0, "equivalent")])
def test_the_verdict_follows_the_difference(shift: float, verdict: str) -> None:
    row = only(compared("gated", shifts={"gated": shift}))
    assert row.verdict == verdict
    assert row.difference == pytest.approx(shift, abs=0.008)
    assert row.relative_difference == pytest.approx((row.difference or 0) / 2.25, rel=0.05)
    assert row.covers == "seeds and test blocks"
    assert row.pairs == 5


def test_too_much_spread_leaves_it_undecided() -> None:
    comparison = compared("gated", shifts={"gated": 0.01}, spread=0.1)
    assert only(comparison).verdict == "undecided"
    assert sentence(comparison).startswith(
        "It is undecided whether `gated` beats the LSTM, `gated` untuned: "
    )


def test_where_more_is_better_the_difference_is_still_negative_for_the_better() -> None:
    row = only(compared("gated", shifts={"gated": 0.06}, metric=ACCURACY))
    assert row.verdict == "better"
    assert row.difference == pytest.approx(-0.06, abs=0.008)
    assert row.relative_difference is not None and row.relative_difference < 0
    assert all(difference is not None and difference < 0 for difference in row.seed_differences)


def test_standings_hold_the_figures() -> None:
    comparison = compared("gated", shifts={"gated": 0.06})
    baseline = comparison.baseline
    assert baseline.mean == pytest.approx(np.mean([value for value in baseline.values if value is not None]))
    assert baseline.std == pytest.approx(
        np.std([value for value in baseline.values if value is not None], ddof=1)
    )
    assert comparison.margin == pytest.approx(0.005 * (baseline.mean or 0))
    assert comparison.costs == (
        Cost(part="search", runs=25, seconds=100.0),
        Cost(part="final", runs=10, seconds=20.0),
    )
    assert comparison.seconds == 120.0
    assert not only(comparison).standing.tuned and baseline.tuned


def test_items_count_by_their_weights() -> None:
    plan = plan_for("gated", seeds=1)
    results = measured(plan, {})
    weights = [1.0] * 79 + [1000.0]
    results = {
        id: replace(result, test_statistics=statistics([9.0] * 79 + [2.0], weights))
        for id, result in results.items()
    }
    assert judge((BITS,), plan, results).baseline.mean == pytest.approx((79 * 9 + 2000) / 1079)


def test_one_seed_covers_the_test_items_only_and_the_sentence_says_so() -> None:
    comparison = compared("gated", shifts={"gated": 0.06}, seeds=1)
    row = only(comparison)
    assert row.covers == "test blocks only"
    assert row.standing.std is None
    assert "test blocks only" in sentence(comparison) and "one seed" in sentence(comparison)


def test_a_contender_that_diverged_is_worse() -> None:
    plan = plan_for("gated")
    results = measured(plan, {"gated": -1.0})
    with_status(results, "final-gated-s3", "diverged", "loss is nan")
    row = only(judge((BITS,), plan, results))
    assert (row.verdict, row.difference, row.ci95, row.standing.mean) == ("worse", None, None, None)
    assert row.standing.diverged == 1
    assert row.reason is not None and "1 of 5" in row.reason and "loss is nan" in row.reason


def test_test_values_that_are_not_finite_are_divergence() -> None:
    plan = plan_for("gated")
    results = measured(plan, {})
    id = "final-gated-s0"
    results[id] = replace(results[id], test_statistics=statistics([float("inf")] + [2.0] * (ITEMS - 1)))
    assert only(judge((BITS,), plan, results)).verdict == "worse"


def test_where_the_baseline_diverged_nothing_is_claimed() -> None:
    plan = plan_for("gated")
    results = measured(plan, {"gated": -1.0})
    with_status(results, "final-lstm-s1", "diverged")
    comparison = judge((BITS,), plan, results)
    row = only(comparison)
    assert row.verdict == "undecided" and comparison.margin is None
    assert row.reason is not None and "baseline itself diverged" in row.reason
    with_status(results, "final-gated-s1", "diverged")
    assert only(judge((BITS,), plan, results)).verdict == "undecided"


def test_pairs_with_a_run_that_failed_are_left_out_and_named() -> None:
    plan = plan_for("gated")
    results = measured(plan, {"gated": 0.06})
    with_status(results, "final-gated-s1", "failed", "worker was lost")
    del results["final-lstm-s2"]
    row = only(judge((BITS,), plan, results))
    assert (row.verdict, row.pairs) == ("worse", 3)
    assert [difference is None for difference in row.seed_differences] == [False, True, True, False, False]
    assert (
        row.reason is not None and "2 of 5 pairs left out" in row.reason and "worker was lost" in row.reason
    )


def test_without_any_result_it_is_undecided() -> None:
    comparison = judge((BITS,), plan_for("gated"), {})
    assert only(comparison).verdict == "undecided"
    assert "did not run" in sentence(comparison)
    assert chart(comparison).png


def test_other_test_items_are_an_error() -> None:
    plan = plan_for("gated")
    results = measured(plan, {})
    id = "final-gated-s2"
    results[id] = replace(results[id], test_statistics=statistics([2.0] * 10))
    with pytest.raises(NasRnnError, match="final-gated-s2"):
        judge((BITS,), plan, results)


def broken() -> Comparison:
    plan = plan_for("gated", "$mgu", "diverger")
    results = measured(plan, {"gated": 0.06})
    with_status(results, "final-diverger-s0", "diverged")
    return judge((BITS,), plan, results, item="block")


def test_it_goes_to_strict_json_and_back() -> None:
    for comparison in (
        broken(),
        compared("gated", shifts={}, seeds=1),
        judge((BITS,), plan_for("gated"), {}),
    ):
        text = json.dumps(comparison.to_dict(), allow_nan=False)
        assert Comparison.from_dict(json.loads(text)) == comparison


def test_the_dictionary_has_what_others_rely_on() -> None:
    values = compared("gated", shifts={}).to_dict()
    assert {"name", "mean", "std", "seeds"} <= set(values["baseline"])
    assert {"name", "mean", "std", "difference", "ci95", "verdict", "tuned"} <= set(values["contenders"][0])


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (0.06, "`gated` is worse than the LSTM, `gated` untuned: "),
        (-0.06, "`gated` is better than the LSTM, `gated` untuned: "),
        (0.0, "`gated` is equivalent to the LSTM, `gated` untuned: "),
    ],
)
def test_the_sentence_says_it(shift: float, words: str) -> None:
    text = sentence(compared("gated", shifts={"gated": shift}))
    assert text.startswith(words)
    assert "bits per character" in text
    assert "95 %, over 5 seeds and the test blocks" in text
    assert ("within the margin" in text) == (shift == 0.0)


@pytest.mark.parametrize(
    ("own", "baselines", "told"),
    [
        (8, 8, ""),
        (0, 0, ""),
        (3, 8, ", `gated` tuned with 3 settings only"),
        (8, 3, ", the LSTM tuned with 3 settings only"),
        (3, 3, ", both tuned with 3 settings only"),
        (3, 7, ", `gated` tuned with 3 settings only, the LSTM tuned with 7 settings only"),
        (None, None, ", both untuned"),
        (None, 7, ", `gated` untuned, the LSTM tuned with 7 settings only"),
    ],
)
def test_it_is_told_whose_settings_are_few(own: int | None, baselines: int | None, told: str) -> None:
    found = compared("gated", shifts={"gated": 0.06})
    row, base = only(found), found.baseline
    row = replace(row, standing=replace(row.standing, tuned=own is not None, tried=own or 0))
    base = replace(base, tuned=baselines is not None, tried=baselines or 0)
    text = sentence(replace(found, baseline=base, contenders=(row,)))
    assert text.startswith(f"`gated` is worse than the LSTM{told}: ")


def test_the_sentence_explains_the_sign_where_more_is_better() -> None:
    assert "negative is better" in sentence(compared("gated", shifts={"gated": 0.06}, metric=ACCURACY))
    assert "negative is better" not in sentence(compared("gated", shifts={"gated": 0.06}))


def test_the_sentence_of_one_that_diverged_gives_the_reason() -> None:
    assert "`diverger` is worse than the LSTM, `diverger` untuned: diverged in 1 of 5 runs" in sentence(
        broken()
    )


def test_the_chart_is_a_picture_in_two_formats_and_the_same_every_time() -> None:
    picture = chart(broken())
    assert picture.png.startswith(b"\x89PNG\r\n")
    assert picture.svg.lstrip().startswith(b"<?xml") and b"</svg>" in picture.svg
    assert chart(broken()) == picture


def test_the_chart_draws_single_seeds_and_no_difference_at_all() -> None:
    plan = plan_for("gated", seeds=1)
    same = [2.0 + item / ITEMS for item in range(ITEMS)]
    results = {
        id: replace(result, test_statistics=statistics(same)) for id, result in measured(plan, {}).items()
    }
    comparison = judge((BITS,), plan, results)
    assert only(comparison).verdict == "equivalent"
    assert chart(comparison).png


def far_out(comparison: Comparison, name: str) -> Comparison:
    """Return the comparison with one seed of a cell a hundred times as far from the baseline as all others."""

    def moved(row: ContenderRow) -> ContenderRow:
        if row.standing.name != name:
            return row
        values = (100.0, *row.standing.values[1:])
        return replace(
            row,
            standing=replace(row.standing, values=values, mean=27.0, std=49.0),
            seed_differences=(98.0, *row.seed_differences[1:]),
            difference=25.0,
            ci95=(-50.0, 100.0),
        )

    return replace(
        comparison,
        contenders=tuple(map(moved, comparison.contenders)),
        controls=tuple(map(moved, comparison.controls)),
    )


def test_only_a_control_may_be_drawn_as_far_out() -> None:
    """A control that nearly diverged flattens nothing; what is judged is always drawn where it is."""
    comparison = close_ones(controls=("b",))
    measured_axes, differences = draw_chart(far_out(comparison, "b")).axes
    assert measured_axes.get_xlim()[1] < 4 and differences.get_xlim()[1] < 1
    measured_axes, differences = draw_chart(far_out(comparison, "a")).axes
    assert measured_axes.get_xlim()[1] > 100
    assert differences.get_xlim()[0] < -50 and differences.get_xlim()[1] > 100


def test_the_interval_of_seeds_that_lie_close_together_is_drawn_whole() -> None:
    comparison = close_ones(names=("a",))
    (row,) = comparison.contenders
    wide = replace(comparison, contenders=(replace(row, ci95=(-1.0, 1.0)),))
    low, high = draw_chart(wide).axes[1].get_xlim()
    assert low < -1.0 and high > 1.0


def close_ones(*, controls: tuple[str, ...] = (), names: tuple[str, ...] = ("a", "b", "c")) -> Comparison:
    """Contenders of which each by itself would be called worse, but not all of them together."""
    plan = final_specs(
        entry("lstm"),
        [replace(entry(name), control="for scale" if name in controls else "") for name in names],
        task=TaskChoice("char-lm", {}),
        seed=0,
        seeds=4,
    )
    step = {"lstm": 0.0, "a": 0.023, "b": 0.0225, "c": 0.0235}
    noise = np.array([-0.012, 0.012, -0.004, 0.004])
    ramp = np.linspace(2.0, 2.5, ITEMS)
    results = measured(plan, {})
    for run in range(4):
        for planned in (plan.baseline, *plan.contenders):
            name = planned.entry.name
            values = ramp + step[name] + (noise[run] if name != "lstm" else 0.0)
            id = planned.specs[run].id
            results[id] = replace(results[id], test_statistics=statistics(values))
    return judge((BITS,), plan, results, item="block")


def test_several_contenders_are_several_chances_to_be_wrong() -> None:
    """By itself each has p < 0.05; Holm's method takes three times the smallest."""
    rows = by_name(close_ones())
    values = [rows[name].p_value or 0.0 for name in "abc"]
    assert all(0.05 / 3 < value < 0.05 for value in values)
    assert rows["c"].p_adjusted == pytest.approx(3 * min(values))
    assert {row.verdict for row in rows.values()} == {"undecided"}
    alone = only(close_ones(names=("a",)))
    assert (alone.verdict, alone.p_adjusted) == ("worse", alone.p_value)


def test_the_sentence_says_where_holms_method_mattered() -> None:
    text = sentence(close_ones())
    assert text.count("worse on its own, but not after Holm's correction for 3 contenders") == 3
    assert "Holm" not in sentence(close_ones(names=("a",)))


def test_controls_are_judged_but_are_not_among_the_contenders() -> None:
    comparison = close_ones(controls=("b", "c"))
    assert [row.standing.name for row in comparison.contenders] == ["a"]
    assert [row.standing.name for row in comparison.controls] == ["b", "c"]
    assert {row.verdict for row in comparison.rows} == {"worse"}
    assert all(row.p_adjusted == row.p_value for row in comparison.rows)
    assert [row.standing.control for row in comparison.rows] == ["", "for scale", "for scale"]
    assert chart(comparison) != chart(close_ones(names=("a",)))


def test_one_that_diverged_leaves_the_others_as_they_would_be_without_it() -> None:
    plan = plan_for("gated", "other", "diverger")
    results = measured(plan, {"gated": 0.003, "other": 0.004})
    with_status(results, "final-diverger-s0", "diverged")
    rows = by_name(judge((BITS,), plan, results))
    fewer = plan_for("gated", "other")
    others = by_name(judge((BITS,), fewer, {spec.id: results[spec.id] for spec in fewer.specs}))
    assert rows["diverger"].verdict == "worse" and rows["diverger"].p_value is None
    assert {name: rows[name] for name in others} == others


def test_an_undecided_one_says_how_many_more_seeds_settle_it() -> None:
    comparison = compared("gated", shifts={"gated": 0.06}, spread=0.05)
    row = only(comparison)
    assert row.verdict == "undecided" and row.more_seeds is not None and row.more_seeds > 0
    assert f"{row.more_seeds} more seeds per cell would decide it" in sentence(comparison)
    decided = only(compared("gated", shifts={"gated": 0.06}))
    assert decided.more_seeds is None and "more seed" not in sentence(compared("gated", shifts={}))


def test_equal_answers_to_a_few_questions_decide_nothing_and_seeds_do_not_help() -> None:
    plan = plan_for("gated")
    right = {
        id: replace(result, test_statistics=statistics([1.0] * ITEMS))
        for id, result in measured(plan, {}).items()
    }
    comparison = judge((ACCURACY,), plan, right, item="picture")
    row = only(comparison)
    assert (row.verdict, row.difference, row.p_value) == ("undecided", 0.0, 1.0)
    assert row.ci95 is not None and 0.01 < row.ci95[1] < 0.03
    assert "more seeds cannot decide it: the test part has too few pictures" in sentence(comparison)


def test_the_interval_has_the_level_that_was_asked_for() -> None:
    plan = plan_for("gated")
    results = measured(plan, {"gated": 0.06})
    usual, strict = judge((BITS,), plan, results), judge((BITS,), plan, results, alpha=0.01)
    assert (usual.level, strict.level) == (0.95, 0.99)
    narrow, wide = only(usual).ci95, only(strict).ci95
    assert narrow is not None and wide is not None and wide[0] < narrow[0] < narrow[1] < wide[1]
    assert "95 % whenever the comparison ends, 99 % at this look, over 5 seeds" in sentence(strict)


def test_standings_hold_the_settings_that_tuning_may_choose() -> None:
    plan = plan_for("gated")
    tuned = replace(plan.baseline.entry, gate_bias=1.5)
    plan = replace(plan, baseline=replace(plan.baseline, entry=tuned))
    comparison = judge((BITS,), plan, measured(plan, {}))
    training = TrainingOptions()
    expected = {
        name: getattr(training, name) for name in ("learning_rate", "variational_dropout", "weight_decay")
    }
    assert comparison.baseline.training == {**expected, "gate_bias": 1.5}
    assert only(comparison).standing.training == expected


def test_standings_hold_what_was_tuned_besides_as_whole_numbers() -> None:
    plan = plan_for("gated")
    tuned = replace(plan.baseline.entry, tuned_over=("learning_rate", "batch")).with_settings(
        {"learning_rate": 0.02, "batch": 48.0}
    )
    plan = replace(plan, baseline=replace(plan.baseline, entry=tuned))
    shown = judge((BITS,), plan, measured(plan, {})).baseline.training
    assert shown == {"learning_rate": 0.02, "batch": 48} and type(shown["batch"]) is int


def test_costs_are_threads_times_seconds_and_the_targets_of_every_epoch() -> None:
    plan = plan_for("gated")
    results = measured(plan, {})
    epoch = EpochRecord(
        epoch=1,
        train_loss=1.0,
        valid_loss=1.0,
        metric=1.0,
        seconds=1.0,
        units_per_second=1.0,
        gradient_norm=1.0,
        clipped=0.0,
    )
    gated = {spec.id for spec in plan.specs if spec.name == "gated"}
    results = {
        id: replace(result, epochs=[replace(epoch, targets=100 if id in gated else 10)] * 2)
        for id, result in results.items()
    }
    two_threads = [
        replace(spec, training=replace(spec.training, threads=2)) if spec.name == "gated" else spec
        for spec in plan.specs[:4]
    ]
    cost = cost_of("tuning", two_threads, results)
    assert cost == Cost(part="tuning", runs=4, seconds=2 * 4.0 + 2 * 2.0, units=2 * 200 + 2 * 20)
    assert cost_of("tuning", plan.specs, {}) == Cost(part="tuning", runs=0, seconds=0.0, units=0)


def test_the_cost_in_a_sentence() -> None:
    costs = (
        Cost(part="search", runs=25, seconds=500.0, units=30_000_000),
        Cost(part="tuning", runs=0, seconds=0.0),
        Cost(part="selection", runs=1, seconds=38.0, units=1_200_000),
        Cost(part="final", runs=1_000, seconds=200.0, units=10_000_000),
    )
    comparison = replace(compared("gated", shifts={}), costs=costs, counted="characters")
    assert cost_sentence(comparison) == (
        "Cost: 25 search, 1 selection and 1,000 final runs: 12.3 core-minutes, 41.2 million characters."
    )
    assert cost_sentence(replace(comparison, costs=costs[2:3])) == (
        "Cost: 1 selection run: 38.0 core-seconds, 1.2 million characters."
    )
    assert cost_sentence(replace(comparison, costs=())) == ""


def test_files_from_before_there_were_p_values_and_costs_still_load() -> None:
    comparison = compared("gated", shifts={"gated": 0.06})
    values = json.loads(json.dumps(comparison.to_dict()))
    for key in ("level", "controls", "costs", "counted"):
        del values[key]
    values["spent"] = {"search": 100.0, "final": 20.0}
    for key in ("level", "p_value", "p_adjusted", "p_equivalence", "p_equivalence_adjusted"):
        del values["contenders"][0][key]
    for row in (values["baseline"], *values["contenders"]):
        del row["training"], row["control"]
    old = Comparison.from_dict(values)
    assert old.seconds == 120.0 and [cost.part for cost in old.costs] == ["search", "final"]
    assert only(old).verdict == "worse" and only(old).p_value is None
    assert cost_sentence(old) == "Cost: 2.0 core-minutes."
    assert sentence(old) == sentence(comparison)
    assert Comparison.from_dict(json.loads(json.dumps(old.to_dict()))) == old


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            ("first",),
            "The test part is read for the 2nd time (before: first), so what was learned from it may",
        ),
        (("a", "b"), "for the 3rd time (before: a, b), so"),
        (tuple("abcdefghij"), "for the 11th time (before: a, b, c and 7 more), so"),
        (tuple("abcdefghijklmnopqrst"), "for the 21st time (before: a, b, c and 17 more), so"),
    ],
)
def test_a_test_part_that_was_read_before_is_told_first(before: tuple[str, ...], said: str) -> None:
    new = compared("gated", shifts={"gated": 0.06})
    old = Comparison.from_dict(json.loads(json.dumps(replace(new, read_before=before).to_dict())))
    assert old.read_before == before
    first, *others = answer_lines(old, sentence(old))
    assert said in first and first.endswith("`--fresh-test 0.1` begins anew with one that nothing has read.")
    assert others == answer_lines(new, sentence(new)) == [sentence(new)]
    assert "read_before" in new.to_dict() and "The test part is read" not in sentence(new)


def test_where_nothing_was_compared_nothing_was_read_again() -> None:
    alone = replace(compared("gated", shifts={}), contenders=(), read_before=("first",))
    assert sentence(alone) == "Nothing was compared."
