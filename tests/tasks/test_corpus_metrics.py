"""Metrics that are functions of totals: their values, their slopes, and what is read of earlier runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.tasks import Corpus, MacroF1, Mean, Perplexity, Rmse, Statistics
from nas_rnn.tasks.metric import EARLIER, ITEMS, figure_of, totals_of

PERPLEXITY = Perplexity("perplexity", "perplexity", "minimize", 0.01, "relative")
RMSE = Rmse("rmse", "metres", "minimize", 0.01, "relative")
F1 = MacroF1("macro_f1", "%", "maximize", 0.5, "absolute", instead="accuracy")


def answers(seed: int, items: int = 60, classes: int = 4) -> tuple[Statistics, list[int], list[int]]:
    """Statistics of a classifier, with what was right and what it said."""
    rng = np.random.default_rng(seed)
    right_N = rng.integers(0, classes, items)
    said_N = np.where(rng.random(items) < 0.6, right_N, rng.integers(0, classes, items))
    actual, predicted = np.eye(classes)[right_N], np.eye(classes)[said_N]
    rows = {"hits": actual * predicted, "predicted": predicted, "actual": actual}
    return rows, right_N.tolist(), said_N.tolist()


def test_values_by_hand() -> None:
    assert PERPLEXITY.value({"nats": np.array(6.0), "tokens": np.array(3.0)}) == pytest.approx(math.exp(2))
    assert RMSE.value({"squares": np.array(18.0), "count": np.array(2.0)}) == 3.0
    totals = {"hits": np.array([3.0, 1.0]), "predicted": np.array([4.0, 2.0]), "actual": np.array([4.0, 2.0])}
    assert F1.value(totals) == pytest.approx(100 * (3 / 4 + 1 / 2) / 2)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    for seed in range(5):
        rows, right, said = answers(seed, items=12, classes=6)  # some classes do not occur
        expected = 100 * f1_score(right, said, average="macro")
        assert figure_of(F1, rows) == pytest.approx(expected)


class Plain:
    """Takes a metric's own gradient away."""

    @staticmethod
    def of(metric: Corpus, totals: Statistics) -> dict[str, np.ndarray]:
        return Corpus.gradient(metric, totals)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_central_differences_are_the_gradients(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    count = rng.uniform(30, 300)
    cases: list[tuple[Corpus, Statistics]] = [
        (PERPLEXITY, {"nats": np.array(count * rng.uniform(0, 6)), "tokens": np.array(count)}),
        (RMSE, {"squares": np.array(scale * count), "count": np.array(count)}),
        (F1, totals_of(answers(seed)[0])),
    ]
    for metric, totals in cases:
        own, differences = metric.gradient(totals), Corpus.gradient(metric, totals)
        assert own.keys() == differences.keys() == set(metric.statistics)
        for name in own:
            assert own[name].shape == differences[name].shape == np.shape(totals[name])
            # A slope is right by what it moves the metric, times the total.
            size = 1e-7 * abs(metric.value(totals)) / max(1e-300, float(np.abs(totals[name]).min() or 1.0))
            assert differences[name] == pytest.approx(own[name], rel=1e-7, abs=size)


def test_a_step_is_what_another_answer_changes() -> None:
    """An answer to an item of the rarer class that goes to the largest: counted out by hand."""
    totals = {
        "hits": np.array([8.0, 30.0, 60.0]),
        "predicted": np.array([10.0, 35.0, 65.0]),
        "actual": np.array([10.0, 34.0, 66.0]),
    }
    moved = {
        "hits": totals["hits"] - [1, 0, 0],
        "predicted": totals["predicted"] + [-1, 0, 1],
        "actual": totals["actual"],
    }
    assert F1.steps(totals)[0] == pytest.approx(F1.value(totals) - F1.value(moved))


def test_two_balanced_classes_step_as_accuracy_does() -> None:
    totals = {name: np.full(2, 500.0) for name in ("hits", "predicted", "actual")}
    assert F1.steps(totals) == pytest.approx([100 / 1000, 100 / 1000], rel=0.01)


@dataclass(frozen=True)
class Share(Corpus):
    """The smallest metric of one's own: no more than its statistics and its value."""

    @property
    def statistics(self) -> tuple[str, ...]:
        return ("right", ITEMS)

    def value(self, totals: Statistics) -> float:
        return float(totals["right"] / totals[ITEMS])


def test_a_metric_of_ones_own_needs_statistics_and_a_value() -> None:
    share = Share("share", "share", "maximize", 0.01, "absolute")
    rows = {"right": np.array([1.0, 0.0, 1.0, 1.0])}
    assert figure_of(share, rows) == 0.75
    assert share.gradient(totals_of(rows))["right"] == pytest.approx(0.25)
    assert (share.counts, share.class_items, share.logarithmic, share.instead) == ((), None, False, "")


def test_a_mean_has_values_and_weights_and_no_weight_no_say() -> None:
    bits = Mean("bits", "bits", "minimize", 0.01, "relative", of="bits", per="characters")
    rows = {"bits": np.array([2.0, 9.0, math.nan]), "characters": np.array([1.0, 3.0, 0.0])}
    values, weights = bits.items(rows)
    assert values.tolist() == [2.0, 3.0, 0.0] and weights.tolist() == [1.0, 3.0, 0.0]
    plain = Mean("score", "points", "maximize", 1.0, "absolute")
    assert [array.tolist() for array in plain.items({"value": np.array([4.0, 6.0])})] == [[4, 6], [1, 1]]


def test_statistics_of_another_metric_give_no_figure() -> None:
    assert figure_of(RMSE, {"nats": np.ones(3), "tokens": np.ones(3)}) is None


def test_statistics_of_earlier_runs_give_any_mean_its_figure_and_other_metrics_none() -> None:
    rows = dict(zip(EARLIER, (np.array([2.0, 12.0]), np.array([1.0, 3.0])), strict=True))
    for mean in (
        Mean("bits", "bits", "minimize", 0.01, "relative", of="bits", per="characters"),
        Mean("accuracy", "%", "maximize", 0.5, "absolute", of="right"),
    ):
        assert figure_of(mean, rows) == 14.0 / 4.0
        assert mean.items(rows)[0].tolist() == [2.0, 4.0]
    assert figure_of(PERPLEXITY, rows) is None
