"""A comparison is wrong in at most 5 % of repeats, and finds what is there as often as promised.

Real runs of one LSTM (tests/comparison/runs) are compared with each other on test parts drawn from the real one;
where the truth must be known of unlike cells, accuracies are simulated. benchmarks/calibration.py draws both, and
prints more of it: docs/statistics.md has the figures.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import calibration
from calibration import Pool, Sample

from nas_rnn.comparison import (
    Comparison,
    Entry,
    TaskChoice,
    final_specs,
    judge,
)
from nas_rnn.comparison.power import PROMISED
from nas_rnn.tasks import Metric
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.tasks.metric import EARLIER
from nas_rnn.training import RunResult, TrainingOptions

TASKS = ("char-lm", "glimpses")
METRICS: dict[str, Metric] = {"char-lm": CharLM.metrics[0], "glimpses": Glimpses.metrics[0]}


def at_most_five_per_cent(repeats: int) -> float:
    """Three standard errors above 5 %: what chance alone may give in so many repeats."""
    return 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)


def margin(pool: Pool) -> float:
    return METRICS[pool.task].margin_at(float(np.average(pool.lstm.mean(axis=0), weights=pool.weights)))


@pytest.mark.parametrize("seeds", [3, 5, 8])
@pytest.mark.parametrize("task", TASKS)
def test_an_lstm_entered_twice_is_seldom_called_better_or_worse(task: str, seeds: int) -> None:
    pool = Pool.read(task)
    rate = calibration.called(calibration.lstm_twice(pool), seeds, 800, margin=margin(pool))
    assert rate <= at_most_five_per_cent(800)


@pytest.mark.parametrize("task", TASKS)
def test_none_of_several_equal_ones_is_called_better_or_worse_thanks_to_holm(task: str) -> None:
    pool = Pool.read(task)
    draw = calibration.lstm_twice(pool, contenders=4)
    together = calibration.called(draw, 5, 250, margin=margin(pool))
    assert together <= at_most_five_per_cent(250)
    assert calibration.called(draw, 5, 250, margin=margin(pool), together=False) > together


@pytest.mark.parametrize("seeds", [3, 5])
def test_cells_that_are_alike_on_average_are_not_called_better_or_worse(seeds: int) -> None:
    rate, _ = calibration.wrong(calibration.lstm_and_gru(Pool.read("glimpses")), seeds, 400)
    assert rate <= at_most_five_per_cent(400)


@pytest.mark.parametrize(("items", "repeats"), [(40, 800), (100, 600), (1000, 400), (10_000, 100)])
def test_accuracies_on_any_number_of_items(items: int, repeats: int) -> None:
    for seeds in (3, 8):
        rate, _ = calibration.wrong(calibration.accuracies(items), seeds, repeats)
        assert rate <= at_most_five_per_cent(repeats)


def test_an_interval_over_the_seeds_alone_would_fail_here() -> None:
    """On 40 items it is wrong three times as often as it says."""
    draw = calibration.accuracies(40)
    rate, _ = calibration.wrong(draw, 5, 800, calibration.seeds_only)
    assert rate > 0.12 > at_most_five_per_cent(800)


def test_a_bootstrap_over_seeds_and_blocks_would_fail_here() -> None:
    """Three seeds drawn anew from three are less unlike than three seeds are."""
    rate, _ = calibration.wrong(calibration.lstm_twice(Pool.read("char-lm")), 3, 300, calibration.bootstrap)
    assert rate > 0.12 > at_most_five_per_cent(300)


@pytest.mark.parametrize("task", TASKS)
def test_adding_seeds_until_it_is_settled_is_wrong_no_more_often(task: str) -> None:
    pool = Pool.read(task)
    rate, _ = calibration.called_in_looks(calibration.lstm_twice(pool), 16, 300, margin=margin(pool))
    assert rate <= at_most_five_per_cent(300)


def test_adding_seeds_without_shares_of_alpha_would_fail_here() -> None:
    """Four looks at five per cent each, of simulated seeds: one in ten or more is wrong."""
    draw = normal_seeds()
    careless, _ = calibration.called_in_looks(draw, 32, 600, careless=True)
    careful, _ = calibration.called_in_looks(draw, 32, 600)
    assert careless > 0.09 > at_most_five_per_cent(600) >= careful


def normal_seeds() -> calibration.Draw:
    def draw(rng: np.random.Generator, seeds: int) -> Sample:
        cells = [rng.normal(0, 1, (seeds, 1)) + rng.normal(0, 1, (seeds, 48)) for _ in range(2)]
        return Sample(tuple(cells), np.ones(48))

    return draw


@pytest.mark.parametrize("task", TASKS)
def test_a_known_effect_is_found_as_often_as_promised(task: str) -> None:
    """Four in five comparisons of five seeds find what the spread of all runs says they do."""
    pool = Pool.read(task)
    draw = calibration.lstm_twice(pool, shift=calibration.effect_for(pool, 5), same_items=True)
    assert calibration.called(draw, 5, 600) == pytest.approx(PROMISED, abs=0.06)


def comparison(pool: Pool, rng: np.random.Generator, shift: float) -> Comparison:
    """Judge drawn runs as a search does: from their results."""
    entries = [
        Entry(name=name, cell="", digest=name, hidden_size=1, parameters=1, training=TrainingOptions())
        for name in ("lstm", "lstm_2", "lstm_3")
    ]
    plan = final_specs(entries[0], entries[1:], task=TaskChoice(pool.task, {}), seed=0, seeds=5)
    sample = calibration.lstm_twice(pool, contenders=2, shift=shift)(rng, 5)
    results = {}
    for planned, cell in zip((plan.baseline, *plan.contenders), sample.cells, strict=True):
        for spec, values in zip(planned.specs, cell, strict=True):
            results[spec.id] = RunResult(
                id=spec.id,
                status="finished",
                reason=None,
                epochs=[],
                best_epoch=1,
                best_metric=1.0,
                parameters=1,
                test_statistics=dict(
                    zip(EARLIER, ((values * sample.weights).tolist(), sample.weights.tolist()), strict=True)
                ),
                seconds=1.0,
            )
    return judge((METRICS[pool.task],), plan, results)


@calibration.old_objects_left_alone()
def test_judging_results_of_runs_is_as_well_calibrated() -> None:
    rng, repeats = np.random.default_rng(8), 100
    pool = Pool.read("char-lm")
    found = [comparison(pool, rng, 0.0) for _ in range(repeats)]
    wrong = sum(any(row.verdict in ("better", "worse") for row in each.contenders) for each in found)
    assert wrong / repeats <= at_most_five_per_cent(repeats)
    shifted = comparison(pool, rng, 0.5)
    assert [row.verdict for row in shifted.contenders] == ["worse", "worse"]
