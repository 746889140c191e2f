"""The arithmetic of halving: where rungs lie, who goes on, how far a rung's ranks can be trusted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from nas_rnn.comparison import Entry
from nas_rnn.experiment.stages.halving import (
    best_of,
    loss_at,
    mean_rank_correlation,
    rungs_of,
    share_of_first,
    stopped_at,
)
from nas_rnn.experiment.stages.ranges import ranges
from nas_rnn.experiment.stages.tuning import TuneSource, _Tuned, _without_bias
from nas_rnn.strategies.settings import SettingsStudy
from nas_rnn.training import EpochRecord, RunResult, RunSpec, TrainingOptions


@pytest.mark.parametrize(
    ("epochs", "length", "rungs"),
    [
        ("auto", 90, (10, 30)),
        ("auto", 73, (9, 25)),
        ("auto", 70, (8, 24)),
        ("auto", 60, (20,)),
        ("auto", 12, (8,)),
        (30, 30, (4, 10)),
        (6, 6, (2,)),
        (3, 3, (2,)),
        (2, 2, ()),
        (1, 1, ()),
    ],
)
def test_rungs_are_a_ninth_and_a_third_of_the_baselines_length(
    epochs: int, length: int, rungs: tuple[int, ...]
) -> None:
    assert rungs_of(TrainingOptions(epochs=epochs), length) == rungs
    assert rungs_of(TrainingOptions(epochs=epochs), length, most=1) == rungs[-1:]


def test_no_rung_lies_beyond_the_most_epochs_and_none_where_the_rate_falls() -> None:
    assert rungs_of(TrainingOptions(epochs="auto", most_epochs=8), 8) == ()
    assert rungs_of(TrainingOptions(epochs=30, decay="cosine"), 30) == ()


def test_the_share_of_the_first_rung_is_that_of_its_epochs() -> None:
    # 9 candidates: 9 x 10 epochs, then 3 x 20, then 1 x 60.
    assert share_of_first((10, 30), 90) == pytest.approx(90 / (90 + 60 + 60))
    assert share_of_first((10,), 30) == pytest.approx(90 / (90 + 60))
    assert share_of_first((), 30) == 1.0


def test_the_best_are_the_least_losses_and_none_that_diverged() -> None:
    assert best_of({0: 3.0, 1: None, 2: 1.0, 3: 2.0}, 2) == [2, 3]
    assert best_of({0: None, 1: 5.0}, 2) == [1]


def test_a_stop_changes_the_epochs_alone() -> None:
    spec = RunSpec(
        id="t",
        role="candidate",
        name="c",
        cell="",
        hidden_size=3,
        task="char-lm",
        training=TrainingOptions(),
        seed=1,
        data_seed=2,
    )
    assert stopped_at(spec, None) is spec
    assert stopped_at(spec, 7).training == TrainingOptions(epochs=7)


def result(metrics: list[float], status: str = "finished") -> RunResult:
    records = [
        EpochRecord(
            epoch=number,
            train_loss=1.0,
            valid_loss=1.0,
            metric=metric,
            seconds=1.0,
            units_per_second=1.0,
            gradient_norm=1.0,
            clipped=0.0,
        )
        for number, metric in enumerate(metrics, 1)
    ]
    best = min(metrics, default=None)
    return RunResult.from_dict(
        {
            "id": "t",
            "status": status,
            "reason": None,
            "epochs": [record.to_dict() for record in records],
            "best_epoch": 1,
            "best_metric": best,
            "parameters": 1,
            "test_statistics": None,
            "seconds": 1.0,
            "backend": None,
            "fallback": None,
            "ended_because": None,
            "converged_epoch": None,
        }
    )


def test_a_loss_at_a_rung_knows_nothing_of_later_epochs() -> None:
    assert loss_at(result([3.0, 2.0, 1.0]), 1, 2) == 2.0
    assert loss_at(result([3.0, 2.0, 1.0]), 1) == 1.0
    assert loss_at(result([3.0, 2.0], "diverged"), 1, 2) == 2.0  # it diverged after the rung
    assert loss_at(result([3.0], "diverged"), 1, 2) is None
    assert loss_at(result([0.3, 0.7, 0.5]), -1, 3) == -0.7


def test_ranks_of_few_or_of_equal_losses_are_no_correlation() -> None:
    swapped = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 5.0), (5.0, 4.0)]
    assert mean_rank_correlation([swapped]) == pytest.approx(0.9)
    assert mean_rank_correlation([swapped[:4]]) is None
    assert mean_rank_correlation([[(1.0, float(end)) for end in range(5)]]) is None


def test_several_rankings_count_by_what_they_say() -> None:
    right, wrong = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)], [(1.0, 2.0), (2.0, 1.0)]
    assert mean_rank_correlation([right, wrong]) == pytest.approx((2 * 1.0 + 1 * -1.0) / 3)
    assert mean_rank_correlation([right, [(1.0, 1.0)], wrong]) == pytest.approx(1 / 3)


def test_settings_known_to_their_end_count_also_where_the_rung_left_them_behind() -> None:
    """The baseline's are trained to their end before anybody else's; what is known of it then is not forgotten."""
    source = TuneSource.__new__(TuneSource)
    source._rung, source._sign = 2, 1
    ends: list[tuple[list[float], Any]] = [
        ([3.0, 2.9, 1.0], "converged"),
        ([1.5, 1.4], "budget"),
        ([2.0, 1.8, 1.7], "cap"),
    ]
    results = {
        number: replace(result(metrics), ended_because=why) for number, (metrics, why) in enumerate(ends)
    }
    entry = Entry(name="n", cell="", digest="", hidden_size=1, parameters=1, training=TrainingOptions())
    study = SettingsStudy({}, {}, seed=0)
    tuned = _Tuned(entry, study, settings=[{}, {}, {}], results=results, promoted=[2])
    assert source._ranked(tuned) == [0, 2]
    diverged = {**results, 0: replace(results[0], status="diverged")}
    assert source._ranked(replace(tuned, results=diverged)) == [2]


@pytest.mark.parametrize(
    ("losses", "going_on"),
    [
        (
            [3.0, 2.5, 2.1, 2.9, 2.0, 2.6],
            [0, 2, 4],
        ),  # the given settings, last at the rung, go on beside the best third
        ([2.0, 2.5, 2.1, 2.9, 2.2, 2.6], [0, 2]),
        ([None, 2.5, 2.1, 2.9, 2.0, 2.6], [2, 4]),  # they diverged
    ],
)
def test_given_settings_are_trained_to_their_end(
    losses: list[float | None], going_on: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TuneSource.__new__(TuneSource)
    tuned = SimpleNamespace(settings=[{}] * 6, promoted=[])
    for name, value in {
        "_trials": 6,
        "_tuned": [tuned],
        "_told": lambda tuned: [({}, loss) for loss in losses],
        "_spec": lambda position, number, settings, to_the_end: number,
    }.items():
        monkeypatch.setattr(source, name, value, raising=False)
    assert source.promoted() == going_on == tuned.promoted


def test_the_final_has_the_two_best_settings_of_each_cell() -> None:
    source = TuneSource.__new__(TuneSource)
    source._rung, source._sign, source._trials = None, 1, 3
    cell = "@cell\ndef n(x, h):\n    return tanh(linear(x, h))\n"
    entry = Entry(name="n", cell=cell, digest="", hidden_size=1, parameters=1, training=TrainingOptions())
    source._ranges, source._listener = (
        ranges([entry]),
        SimpleNamespace(notify=SimpleNamespace(warn_once=list)),
    )
    settings: list[Any] = [{"learning_rate": rate} for rate in (0.1, 0.2, 0.3)]
    results = {number: result([loss]) for number, loss in enumerate([2.0, 1.5, 1.0])}
    tuned = _Tuned(entry, SettingsStudy({}, {}, seed=0), settings=settings, results=results)
    best = source._best(tuned)
    assert best.tuned and best.training.learning_rate == 0.3 and best.second == {"learning_rate": 0.2}
    lost = {number: replace(run, status="diverged") for number, run in results.items() if number != 2}
    alone = source._best(replace(tuned, results={**results, **lost}))
    assert alone.training.learning_rate == 0.3 and alone.second is None
    assert _without_bias({"learning_rate": 0.2, "gate_bias": 1.0}) == {"learning_rate": 0.2}
    assert _without_bias(None) is None


@pytest.mark.parametrize(("trials", "going_on"), [(2, [0, 1]), (3, [0, 1, 2])])
def test_at_least_two_settings_go_on(
    trials: int, going_on: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TuneSource.__new__(TuneSource)
    tuned = SimpleNamespace(settings=[{}] * trials, promoted=[])
    for name, value in {
        "_trials": trials,
        "_tuned": [tuned],
        "_told": lambda tuned: [({}, loss) for loss in [3.0, 2.0, 2.5][:trials]],
        "_spec": lambda position, number, settings, to_the_end: number,
    }.items():
        monkeypatch.setattr(source, name, value, raising=False)
    assert source.promoted() == going_on
