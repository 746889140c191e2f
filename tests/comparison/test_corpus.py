"""The interval of metrics that are no means: linearisation, the jackknife, and when the items are too few for both."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import calibration_corpus
from calibration_corpus import F1, Bleu, Population

from nas_rnn.comparison import paired_interval
from nas_rnn.comparison.corpus import corpus_interval, influences, pseudo_values
from nas_rnn.comparison.statistics import block_of, super_blocks
from nas_rnn.tasks import Corpus, MacroF1, Perplexity, Rmse, Statistics
from nas_rnn.tasks.metric import totals_of

Floats = NDArray[np.float64]
Runs = tuple[list[Statistics], list[Statistics]]


@dataclass(frozen=True)
class Sum(Corpus):
    """A linear function of two shares: what linearisation must leave as it is."""

    @property
    def statistics(self) -> tuple[str, ...]:
        return ("a", "b", "items")

    def value(self, totals: Statistics) -> float:
        return float((3 * totals["a"] - totals["b"] @ [1.0, 2.0]) / totals["items"])

    def gradient(self, totals: Statistics) -> dict[str, Floats]:
        slopes = {"a": np.array(3.0), "b": np.array([-1.0, -2.0]), "items": np.array(-self.value(totals))}
        return {name: slope / totals["items"] for name, slope in slopes.items()}


LINEAR = Sum("sum", "points", "minimize", 0.1, "absolute")
PERPLEXITY = Perplexity("perplexity", "perplexity", "minimize", 0.01, "relative")
RMSE = Rmse("rmse", "metres", "minimize", 0.01, "relative")
BLEU = Bleu("bleu", "BLEU", "maximize", 0.5, "absolute", instead="nats")


def drawn(
    name: str, items: int, seed: int = 0, worse: float = 0.0, seeds: int = 4
) -> tuple[Population, Runs]:
    population = next(p for p in calibration_corpus.populations() if name in p.name)
    return population, population.draw(np.random.default_rng(seed), seeds, items, worse)


def linear_runs(seed: int, items: int, seeds: int = 3) -> tuple[list[Statistics], Floats]:
    rng = np.random.default_rng(seed)
    runs = [{"a": rng.normal(0, 1, items), "b": rng.normal(0, 1, (items, 2))} for _ in range(seeds)]
    return runs, np.stack([3 * run["a"] - run["b"] @ [1.0, 2.0] for run in runs])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), items=st.integers(2, 150), grouped=st.booleans())
def test_a_linear_metric_has_the_interval_of_its_items(seed: int, items: int, grouped: bool) -> None:
    candidate, values_SN = linear_runs(seed, items)
    baseline, others_SN = linear_runs(seed + 1, items)
    groups = np.arange(items) % 17 if grouped else None
    found = corpus_interval(LINEAR, candidate, baseline, groups=groups).interval
    exact = paired_interval(values_SN, others_SN, np.ones(items), groups=groups)
    assert found is not None and found.ci95 is not None
    assert found.ci95 == pytest.approx(exact.ci95)
    assert found.difference == pytest.approx(exact.difference)
    assert found.degrees_of_freedom == pytest.approx(exact.degrees_of_freedom)


@pytest.mark.parametrize("items", [7, 40, 150])
def test_pseudo_values_of_a_linear_metric_are_its_block_means(items: int) -> None:
    runs, values_SN = linear_runs(5, items, seeds=1)
    weights_N = np.full(items, 1 / items)
    block_N = block_of(weights_N, None)
    means_SB, _ = super_blocks(values_SN, weights_N)
    assert pseudo_values(LINEAR, runs[0], block_N) == pytest.approx(means_SB[0])


@pytest.mark.parametrize(
    "name", ["perplexity", "RMSE, factor 1.5", "macro F1, a class of 20%", "BLEU, length 0.875"]
)
def test_influences_have_the_metric_as_their_mean_and_predict_what_items_change(name: str) -> None:
    population, (runs, _) = drawn(name, 200)
    metric, run = population.metric, runs[0]
    values_N = influences(metric, run)
    whole = metric.value(totals_of(run))
    scale = np.log if metric.logarithmic else np.asarray
    assert values_N.mean() == pytest.approx(float(scale(whole)))
    for item in (0, 57):
        without = {key: np.delete(np.asarray(rows), item, axis=0) for key, rows in run.items()}
        change = float(scale(metric.value(totals_of(without)))) - float(scale(whole))
        assert (values_N.mean() - values_N[item]) / 199 == pytest.approx(change, rel=0.05, abs=1e-4)


def test_bleu_by_hand_on_either_side_of_its_kink() -> None:
    totals = {
        "matches": np.array([80.0, 60.0, 45.0, 35.0]),
        "ngrams": np.array([100.0, 90.0, 80.0, 70.0]),
        "length": np.array(100.0),
        "reference": np.array(90.0),
    }
    long = BLEU.value(totals)
    assert long == pytest.approx(100 * (0.8 * 60 / 90 * 45 / 80 * 0.5) ** 0.25)
    assert BLEU.value({**totals, "reference": np.array(125.0)}) == pytest.approx(long * np.exp(-0.25))
    assert BLEU.gradient(totals)["reference"] == 0.0
    short = BLEU.gradient({**totals, "reference": np.array(125.0)})["reference"]
    assert short == pytest.approx(-long * np.exp(-0.25) / 100, rel=1e-6)


@pytest.mark.parametrize("name", ["perplexity", "macro F1, a class of 20%", "BLEU, length 1.125"])
def test_enough_items_get_an_interval(name: str) -> None:
    population, runs = drawn(name, 400)
    found = corpus_interval(population.metric, *runs)
    assert found.problem == "" and found.interval is not None and found.interval.ci95 is not None
    assert found.interval.covers == "seeds and test items"


def test_what_stands_in_a_logarithm_is_counted_30_times() -> None:
    def runs(tokens: float) -> list[Statistics]:
        rng = np.random.default_rng(3)
        return [{"nats": rng.normal(2, 0.1, 10), "tokens": np.full(10, tokens)} for _ in range(3)]

    assert (
        "tokens add up to 29.5, and it takes 30"
        in corpus_interval(PERPLEXITY, runs(2.95), runs(2.95)).problem
    )
    other = corpus_interval(PERPLEXITY, runs(3.0), list(reversed(runs(3.0))))
    assert "takes 30" not in other.problem and other.interval is not None


def classified(rarest: int, items: int = 300) -> Runs:
    rng = np.random.default_rng(4)
    class_N = np.where(np.arange(items) % (items // rarest) == 0, 0, 1 + np.arange(items) % 2)
    class_N[np.flatnonzero(class_N == 0)[rarest:]] = 1

    def run() -> Statistics:
        taken_N = np.where(rng.random(items) < 0.8, class_N, (class_N + 1) % 3)
        return calibration_corpus._counts(class_N, taken_N)

    return [run() for _ in range(4)], [run() for _ in range(4)]


def test_a_class_is_in_10_test_items() -> None:
    few, enough = (corpus_interval(F1, *classified(rarest)) for rarest in (9, 10))
    assert few.interval is None and few.problem == "9 of class 0, and it takes 10"
    assert enough.interval is not None and enough.problem == ""


def test_an_item_with_many_of_a_class_counts_once() -> None:
    candidate, baseline = classified(9)
    tenfold = [
        [{name: 10 * rows for name, rows in run.items()} for run in runs] for runs in (candidate, baseline)
    ]
    assert corpus_interval(F1, *tenfold).problem == "9 of class 0, and it takes 10"


def shifted(sizes_N: Floats) -> Runs:
    """Perplexities whose differences are of these sizes."""
    noise = np.random.default_rng(6).normal(0, 1e-4, (4, len(sizes_N)))
    tokens_N = np.full(len(sizes_N), 20.0)
    candidate = [{"nats": tokens_N * (3 + sizes_N + row), "tokens": tokens_N} for row in noise]
    return candidate, [{"nats": tokens_N * 3, "tokens": tokens_N} for _ in noise]


def test_one_block_must_not_carry_the_spread() -> None:
    alone = np.where(np.arange(60) == 17, 0.5, 0.0)
    several = np.where(np.arange(60) % 12 == 5, 0.5, 0.0)
    assert (
        "one block of them carries 90% of the spread" in corpus_interval(PERPLEXITY, *shifted(alone)).problem
    )
    assert corpus_interval(PERPLEXITY, *shifted(several)).problem == ""


def test_normal_blocks_seldom_have_one_that_is_too_large() -> None:
    rng = np.random.default_rng(8)
    told = [corpus_interval(PERPLEXITY, *shifted(rng.normal(0, 0.1, 60))).problem for _ in range(200)]
    assert sum("one block" in problem for problem in told) <= 8  # 1 % of 200, and chance


def test_without_any_spread_nothing_was_shown() -> None:
    (candidate, _) = classified(30)
    found = corpus_interval(F1, candidate, candidate)
    assert found.problem == "no spread between them was seen"


def test_a_metric_that_is_zero_has_no_logarithm() -> None:
    runs = [{"squares": np.zeros(50), "count": np.ones(50)} for _ in range(3)]
    found = corpus_interval(RMSE, runs, runs)
    assert found.interval is None and "zero" in found.problem


@dataclass(frozen=True)
class Steep(Corpus):
    """A metric whose curvature is ``power``: the jackknife sees it, linearisation does not."""

    power: float = 1.0
    logarithmic: ClassVar[bool] = False

    @property
    def statistics(self) -> tuple[str, ...]:
        return ("x", "items")

    def value(self, totals: Statistics) -> float:
        return float((totals["x"] / totals["items"]) ** self.power)


def test_where_the_jackknife_finds_another_interval_no_word_is_given() -> None:
    rng = np.random.default_rng(9)
    candidate, baseline = ([{"x": rng.normal(1, 0.6, 60) + place / 4} for _ in range(4)] for place in (0, 1))
    metric = Steep("steep", "points", "minimize", 0.1, "absolute")
    assert corpus_interval(replace(metric, power=1.2), candidate, baseline).problem == ""
    told = corpus_interval(replace(metric, power=40.0), candidate, baseline).problem
    assert "two estimates of its interval differ by" in told and "in width" in told


def test_on_a_kink_the_two_estimates_part() -> None:
    """Half of the blocks are on one side of the corner: the middle moves, whatever the width."""

    @dataclass(frozen=True)
    class Corner(Steep):
        def value(self, totals: Statistics) -> float:
            return abs(float(totals["x"] / totals["items"]))

    rng = np.random.default_rng(10)
    values = rng.normal(0, 1, (4, 60))
    values -= values.mean(axis=1, keepdims=True)
    candidate = [{"x": row} for row in values]
    baseline = [{"x": row} for row in rng.normal(5, 3, (4, 60))]  # wide enough to hide the width
    metric = Corner("corner", "points", "minimize", 0.1, "absolute")
    assert "of its standard error" in corpus_interval(metric, candidate, baseline).problem


def test_groups_are_blocks_and_one_group_leaves_the_seeds() -> None:
    population, runs = drawn("perplexity", 60)
    one = corpus_interval(population.metric, *runs, groups=np.zeros(60))
    assert one.problem == "" and one.interval is not None and one.interval.covers == "seeds only"
    some = corpus_interval(population.metric, *runs, groups=np.arange(60) % 7)
    assert some.interval is not None and some.interval.super_blocks == 7


def test_the_sign_turns_it_round() -> None:
    population, (candidate, baseline) = drawn("macro F1, a class of 20%", 300, worse=0.4)
    one, other = (corpus_interval(population.metric, candidate, baseline, sign=s).interval for s in (1, -1))
    assert one is not None and other is not None and one.ci95 is not None
    assert other.ci95 == pytest.approx((-one.ci95[1], -one.ci95[0]))


def test_a_class_that_shows_no_difference_by_chance_has_one_counted_in() -> None:
    """The two that differ in a rare class alone are called equivalent in none of 60, without it in one of ten."""
    assert calibration_corpus.alike_by_chance(1_000, 60) == 0.0
    assert calibration_corpus.alike_by_chance(1_000, 60, careful=False) > 0.1


@pytest.mark.parametrize(
    ("name", "items", "worse"),
    [("perplexity", 100, 0.2), ("macro F1, a class of 20%", 100, 0.4), ("BLEU, length 0.875", 60, 0.0)],
)
def test_the_interval_covers_the_truth_where_a_word_is_given(name: str, items: int, worse: float) -> None:
    population = next(p for p in calibration_corpus.populations() if name in p.name)
    seen = calibration_corpus.coverage(population, items, worse, seeds=4, repeats=120)
    assert seen.given > 90
    assert seen.rate[0] <= 0.05 + 3 * (0.05 * 0.95 / seen.given) ** 0.5


def test_wild_errors_get_no_word_most_of_the_time() -> None:
    """Where one item in forty has most of the squared error, no interval of a root holds."""
    population = next(p for p in calibration_corpus.populations() if "factor 4" in p.name)
    seen = calibration_corpus.coverage(population, 40, 0.0, seeds=4, repeats=80)
    assert seen.given < 0.4 * seen.drawn


def test_macro_f1_that_counts_no_unseen_item_is_otherwise_the_same() -> None:
    plain = calibration_corpus.PlainF1(**vars(F1))
    assert isinstance(plain, MacroF1)
    candidate, baseline = classified(60)
    careful, careless = (corpus_interval(m, candidate, baseline).interval for m in (F1, plain))
    assert careful is not None and careless is not None
    assert careful.difference == careless.difference and careful.variance > careless.variance
