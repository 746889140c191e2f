"""Which of two results is better, by how much, and how much does not matter."""

import math

import numpy as np
import pytest

from nas_rnn.errors import UserError
from nas_rnn.tasks import LOSS, Mean, Metric
from nas_rnn.tasks.metric import totals_of

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


def test_a_mean_is_a_sum_by_a_sum_and_without_one_by_items() -> None:
    statistics = {"bits": np.array([3.0, 1.0, 8.0]), "characters": np.array([2.0, 1.0, 3.0])}
    totals = totals_of(statistics)
    assert Mean("b", "bits", "minimize", 0.01, "relative", of="bits", per="characters").value(totals) == 2.0
    assert Mean("b", "bits", "minimize", 0.01, "relative", of="bits").value(totals) == 4.0
    assert LOSS.statistics == ("loss", "targets")
    assert ACCURACY.statistics == ("value",)


def test_a_mean_of_nothing_is_no_number() -> None:
    nothing = {"value": np.zeros(0)}
    assert math.isnan(ACCURACY.value(totals_of(nothing)))
    assert math.isnan(LOSS.value({"loss": np.float64(1.0), "targets": np.float64(0.0)}))  # type: ignore[dict-item]


def test_statistics_add_up_over_items_number_by_number() -> None:
    totals = totals_of({"matches": np.array([[1.0, 2.0], [3.0, 5.0]]), "length": np.array([4.0, 6.0])})
    assert totals["matches"].tolist() == [4.0, 7.0]
    assert totals["length"].tolist() == 10.0
    assert totals["items"].tolist() == 2.0
    assert totals_of({})["items"].tolist() == 0.0


def test_a_plain_metric_is_of_the_interface_before_and_is_told_what_there_is_now() -> None:
    with pytest.raises(
        UserError, match=r"a metric is a Mean\(\.\.\.\) or a subclass of Metric; .*docs/plugins\.md"
    ):
        Metric("accuracy", "%", "maximize", 0.5, "absolute")  # type: ignore[abstract]
