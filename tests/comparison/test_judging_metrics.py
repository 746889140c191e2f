"""Judging by metrics that are no means, beside other metrics, against floors, and with items in groups."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from calibration_corpus import F1, populations

from nas_rnn.comparison import (
    Comparison,
    ContenderRow,
    Entry,
    FinalPlan,
    Measure,
    TaskChoice,
    chart,
    final_specs,
    is_decided,
    judge,
    sentence,
)
from nas_rnn.errors import NasRnnError
from nas_rnn.tasks import Mean, Metric, Perplexity, Rmse, Statistics
from nas_rnn.training import RunResult, TrainingOptions

PERPLEXITY = Perplexity("perplexity", "perplexity", "minimize", 0.01, "relative", instead="nats")
NATS = Mean("nats", "nats per token", "minimize", 0.01, "relative", of="nats", per="tokens")
INVERSE = Rmse("quality", "points", "maximize", 0.05, "relative")
ITEMS = 120


def plan_for(*names: str, seeds: int = 5) -> FinalPlan:
    entries = [
        Entry(name=n, cell="", digest=n, hidden_size=1, parameters=1, training=TrainingOptions(), tuned=True)
        for n in ("lstm", *names)
    ]
    return final_specs(entries[0], entries[1:], task=TaskChoice("text", {}), seed=0, seeds=seeds)


def result(id: str, statistics: Statistics, **other: Any) -> RunResult:
    own: dict[str, Any] = {
        "status": "finished",
        "reason": None,
        "epochs": [],
        "best_epoch": 1,
        "best_metric": 1.0,
        "parameters": 1,
        "seconds": 1.0,
        "test_statistics": {name: np.asarray(rows).tolist() for name, rows in statistics.items()},
    }
    return RunResult(id=id, **{**own, **other})


def texts(plan: FinalPlan, shifts: dict[str, float], *, spread: float = 0.002) -> dict[str, RunResult]:
    """Nats per token around 4, shifted by cell."""
    rng = np.random.default_rng(3)
    tokens, hard = rng.integers(5, 40, ITEMS), rng.normal(4, 0.3, ITEMS)
    found = {}
    for spec in plan.specs:
        rate = hard + shifts.get(spec.name, 0.0) + rng.normal(0, spread) + rng.normal(0, 0.02, ITEMS)
        found[spec.id] = result(spec.id, {"nats": rate * tokens, "tokens": tokens})
    return found


def judged(shift: float, *metrics: Metric, **how: Any) -> Comparison:
    plan = plan_for("gated")
    return judge(metrics or (PERPLEXITY,), plan, texts(plan, {"gated": shift}), item="sentence", **how)


def only(comparison: Comparison) -> ContenderRow:
    (row,) = comparison.contenders
    return row


@pytest.mark.parametrize(("shift", "verdict"), [(0.05, "worse"), (-0.05, "better"), (0.0, "equivalent")])
def test_perplexity_is_judged_by_its_ratio(shift: float, verdict: str) -> None:
    row = only(judged(shift))
    assert (row.verdict, row.covers) == (verdict, "seeds and test sentences")
    assert row.relative_difference == pytest.approx(math.expm1(shift), abs=0.005)


def test_what_is_shown_is_in_the_metrics_units_and_fits_together() -> None:
    comparison = judged(0.05)
    row, base = only(comparison), comparison.baseline
    ratios = [a / b for a, b in zip(row.standing.values, base.values, strict=True) if a and b]
    level = math.exp(np.mean(np.log([value for value in base.values if value])))
    exact = math.exp(np.mean(np.log(ratios))) - 1
    assert base.mean == pytest.approx(level) and row.standing.mean == pytest.approx(level * (1 + exact))
    assert row.relative_difference == pytest.approx(exact, rel=1e-12)
    assert row.difference == pytest.approx(level * exact)
    assert row.difference == pytest.approx((row.standing.mean or 0) - (base.mean or 0))
    assert row.seed_differences == pytest.approx([level * (ratio - 1) for ratio in ratios])
    assert row.ci95 is not None and row.ci95[0] < row.difference < row.ci95[1]
    assert f"{row.standing.mean:.2f} against {base.mean:.2f} perplexity" in sentence(comparison)
    assert chart(comparison).png


def test_perplexity_is_decided_as_its_logarithm_is() -> None:
    """log perplexity is a mean, so the two differ by what linearising a ratio of lengths changes."""
    for shift in (0.05, -0.05):
        one, other = only(judged(shift)), only(judged(shift, NATS))
        assert one.verdict == other.verdict and one.ci95 and other.ci95
        level = (one.standing.mean or 0) / (1 + (one.relative_difference or 0))
        ends = [math.log1p(end / level) for end in one.ci95]
        assert ends == pytest.approx(other.ci95, abs=0.2 * abs(other.ci95[1] - other.ci95[0]))


def test_the_margin_of_a_ratio_is_exact_at_both_ends() -> None:
    """An interval that ends just within 1 % below or above is equivalent, and just beyond is not."""
    plan = plan_for("gated", seeds=3)
    tokens = np.full(ITEMS, 20.0)
    wave = 4e-6 * np.random.default_rng(7).normal(0, 1, 16).repeat(8)[:ITEMS]

    def verdict(ratio: float, metric: Metric = PERPLEXITY) -> str:
        found = {}
        for spec in plan.specs:
            rate = 3 + (math.log(ratio) + wave if spec.name == "gated" else 0.0)
            found[spec.id] = result(spec.id, {"nats": rate * tokens, "tokens": tokens})
        return only(judge((metric,), plan, found)).verdict

    assert [verdict(ratio) for ratio in (0.98999, 0.99001, 1.00999, 1.01001)] == [
        "better",
        "equivalent",
        "equivalent",
        "worse",
    ]
    higher = replace(PERPLEXITY, direction="maximize")
    assert [verdict(ratio, higher) for ratio in (0.98999, 0.99001, 1.00999, 1.01001)] == [
        "worse",
        "equivalent",
        "equivalent",
        "better",
    ]


def test_where_more_is_better_a_ratio_is_negative_for_the_better() -> None:
    plan = plan_for("gated")
    rng = np.random.default_rng(5)
    found = {
        spec.id: result(
            spec.id,
            {
                "squares": rng.chisquare(4, ITEMS) * (1.5 if spec.name == "gated" else 1),
                "count": np.full(ITEMS, 4),
            },
        )
        for spec in plan.specs
    }
    comparison = judge((INVERSE,), plan, found)
    row = only(comparison)
    pairs = zip(row.standing.values, comparison.baseline.values, strict=True)
    ratio = math.exp(np.mean([math.log((value or 0) / (base or 0)) for value, base in pairs]))
    assert ratio == pytest.approx(1.5**0.5, abs=0.06)
    assert row.verdict == "better" and row.difference is not None and row.difference < 0
    assert row.relative_difference == pytest.approx(1 - ratio)
    assert all(value is not None and value < 0 for value in row.seed_differences)


def test_with_sentences_of_one_length_it_is_the_logarithms_comparison_to_the_last_seed() -> None:
    plan = plan_for("gated")
    found = {
        id: replace(run, test_statistics={**rows, "tokens": [20] * ITEMS})
        for id, run in texts(plan, {"gated": 0.04}, spread=0.03).items()
        if (rows := run.test_statistics)
    }
    as_ratio = replace(NATS, margin=math.log(1.01), margin_kind="absolute")
    row, mean = (only(judge((metric,), plan, found)) for metric in (PERPLEXITY, as_ratio))
    assert row.verdict == "undecided" and row.more_seeds is not None
    assert (row.more_seeds, row.more_seeds_reason) == (mean.more_seeds, mean.more_seeds_reason)
    assert row.p_value == pytest.approx(mean.p_value)


def classes(plan: FinalPlan, items: int) -> dict[str, RunResult]:
    population = next(p for p in populations() if "20%" in p.name)
    worse, base = population.draw(np.random.default_rng(6), 5, items, 0.0)
    cells = {"lstm": base, "gated": worse}
    return {
        spec.id: result(spec.id, cells[planned.entry.name][place])
        for planned in (plan.baseline, *plan.contenders)
        for place, spec in enumerate(planned.specs)
    }


def test_too_few_items_decide_nothing_and_the_sentence_says_what_can() -> None:
    plan = plan_for("gated")
    comparison = judge((F1,), plan, classes(plan, 30), item="picture")
    row = only(comparison)
    assert (row.verdict, row.ci95, row.covers) == ("undecided", None, "nothing")
    assert row.difference is not None and row.seed_differences[0] is not None
    assert is_decided(row)
    text = sentence(comparison)
    assert "too few test items for this metric (" in text and "takes 10; accuracy can decide)" in text
    assert "more seeds cannot decide it: the test part has too few pictures" in text
    assert "one seed" not in text
    assert chart(comparison).png
    assert Comparison.from_dict(json.loads(json.dumps(comparison.to_dict(), allow_nan=False))) == comparison
    enough = only(judge((F1,), plan, classes(plan, 300), item="picture"))
    assert enough.ci95 is not None and not enough.reason


def test_one_that_cannot_be_decided_counts_as_a_contender() -> None:
    """Whom Holm's method leaves out depends on nothing that the results say."""
    plan = plan_for("a", "b")
    found = texts(plan, {"a": 0.004, "b": 0.004}, spread=0.001)
    alone = only(judge((PERPLEXITY,), plan_for("a"), {i: r for i, r in found.items() if "-b-" not in i}))
    broken = {}
    for id, run in found.items():
        rows = dict(run.test_statistics or {})
        if "-b-" in id:  # one sentence makes all the difference
            rows["nats"] = [*found[id.replace("-b-", "-lstm-")].test_statistics["nats"][:-1], 900.0]  # type: ignore[index]
        broken[id] = replace(run, test_statistics=rows)
    a, b = judge((PERPLEXITY,), plan, broken).contenders
    assert "one block" in (b.reason or "") and (b.p_value, b.verdict) == (1.0, "undecided")
    assert a.p_value == alone.p_value and a.p_adjusted == pytest.approx(2 * (alone.p_value or 0))


def test_statistics_of_another_metric_are_no_result() -> None:
    plan = plan_for("gated")
    comparison = judge((F1,), plan, texts(plan, {}))
    assert only(comparison).verdict == "undecided"
    assert "macro_f1 needs other statistics than nats, tokens" in sentence(comparison)


@pytest.mark.parametrize("broken", [math.nan, math.inf, 1e9])
def test_what_is_not_finite_is_divergence(broken: float) -> None:
    plan = plan_for("gated")
    found = texts(plan, {})
    rows = dict(found["final-gated-s1"].test_statistics or {})
    found["final-gated-s1"] = replace(
        found["final-gated-s1"], test_statistics={**rows, "nats": [broken, *rows["nats"][1:]]}
    )
    assert only(judge((PERPLEXITY,), plan, found)).verdict == "worse"


def test_the_first_metric_decides_and_the_others_are_reported() -> None:
    comparison = judged(0.05, PERPLEXITY, NATS)
    assert comparison.metric == "perplexity"
    assert comparison.others == (Measure(name="nats", unit="nats per token", direction="minimize"),)
    for standing in (comparison.baseline, only(comparison).standing):
        other = standing.others["nats"]
        assert [math.exp(value or 0) for value in other.values] == pytest.approx(standing.values)
        assert other.mean == pytest.approx(np.mean([value for value in other.values if value]))
        assert other.std == pytest.approx(np.std([value for value in other.values if value], ddof=1))
    assert only(comparison).difference == only(judged(0.05)).difference
    values = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert values["contenders"][0]["others"]["nats"]["mean"] == only(comparison).standing.others["nats"].mean
    assert Comparison.from_dict(values) == comparison


def test_another_metric_that_has_no_value_is_no_divergence() -> None:
    other = Mean("hits", "hits", "maximize", 0.5, "absolute", of="hits")
    comparison = judged(0.05, PERPLEXITY, other)
    assert only(comparison).verdict == "worse"
    assert comparison.baseline.others["hits"].mean is None


def floor_of(rate: float) -> Statistics:
    rng = np.random.default_rng(3)
    tokens, hard = rng.integers(5, 40, ITEMS), rng.normal(4, 0.3, ITEMS)
    return {"nats": tokens * (hard - 4 + rate) + rng.normal(0, 0.1, ITEMS), "tokens": tokens}


@pytest.mark.parametrize("metric", [NATS, PERPLEXITY])
def test_floors_are_beaten_or_not(metric: Metric) -> None:
    floors = {"unigram": floor_of(4.5), "bigram": floor_of(4.0), "oracle": floor_of(3.0)}
    comparison = judged(0.0, metric, NATS, floors=floors)
    assert [(floor.name, floor.beaten) for floor in comparison.floors] == [
        ("unigram", True),
        ("bigram", False),
        ("oracle", False),
    ]
    first = comparison.floors[0]
    assert first.values["nats"] == pytest.approx(4.5, abs=0.05)
    assert first.difference is not None and first.difference < 0 and first.ci95 is not None
    values = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert values["floors"][0]["beaten"] is True
    assert Comparison.from_dict(values) == comparison


def test_a_floor_without_an_interval_says_why() -> None:
    plan = plan_for("gated")
    found = texts(plan, {})
    found["final-lstm-s0"] = replace(found["final-lstm-s0"], status="diverged", reason="loss is nan")
    (floor,) = judge((NATS,), plan, found, floors={"unigram": floor_of(4.5)}).floors
    assert (floor.beaten, floor.difference) == (None, None) and "loss is nan" in floor.reason
    assert floor.values["nats"] == pytest.approx(4.5, abs=0.05)
    (unknown,) = judge((NATS,), plan, {}, floors={"unigram": floor_of(4.5)}).floors
    assert unknown.beaten is None and unknown.reason == "the baseline has no test result"


def test_a_floor_of_other_items_is_an_error() -> None:
    short = {name: rows[:-1] for name, rows in floor_of(4.5).items()}
    with pytest.raises(NasRnnError, match="unigram were not measured on the same test items"):
        judged(0.0, NATS, floors={"unigram": short})


def test_files_from_before_there_were_others_and_floors_still_load() -> None:
    comparison = judged(0.05, NATS)
    values = json.loads(json.dumps(comparison.to_dict()))
    del values["others"], values["floors"], values["baseline"]["others"], values["contenders"][0]["others"]
    assert Comparison.from_dict(values) == comparison


@pytest.mark.parametrize("metric", [NATS, PERPLEXITY])
def test_items_in_groups(metric: Metric) -> None:
    """Of one speaker alone nothing is said about speakers; of a few, more is uncertain than of many sentences."""
    groups = np.arange(ITEMS) % 8
    many, few = judged(0.01, metric), judged(0.01, metric, groups=groups)
    assert only(few).difference == pytest.approx(only(many).difference)
    assert only(few).ci95 != only(many).ci95
    one = judged(0.05, metric, groups=np.zeros(ITEMS))
    assert only(one).covers == "seeds only" and "over 5 seeds only, not the test items" in sentence(one)
    with pytest.raises(NasRnnError, match="groups of 7 test items, but final-gated-s0 was measured on 120"):
        judged(0.0, metric, groups=np.zeros(7))


def test_one_seed_on_one_group_is_no_interval_and_says_so() -> None:
    plan = plan_for("gated", seeds=1)
    comparison = judge((NATS,), plan, texts(plan, {}), groups=np.zeros(ITEMS))
    assert only(comparison).ci95 is None
    assert "no interval: one seed, and one test item or one group of items" in sentence(comparison)


def test_too_few_groups_are_named() -> None:
    plan = plan_for("gated")
    found = texts(plan, {"gated": 0.02}, spread=0.0001)
    rng = np.random.default_rng(4)
    groups = np.arange(ITEMS) % 6
    own = rng.normal(0, 0.3, 6)[groups]
    for id, run in found.items():
        if "gated" in id:
            rows = dict(run.test_statistics or {})
            rows["nats"] = (np.array(rows["nats"]) + own * np.array(rows["tokens"])).tolist()
            found[id] = replace(run, test_statistics=rows)
    comparison = judge((NATS,), plan, found, item="sentence", groups=groups)
    assert "the test part has too few groups of sentences" in sentence(comparison)
