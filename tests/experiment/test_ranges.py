"""Over which ranges settings are tuned, and what is said of a best value that has none beyond it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.comparison import Entry
from nas_rnn.errors import UserError
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.ranges import edge_words, fits_in, given_settings, ranges
from nas_rnn.plugins import load_cell
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, read_config
from nas_rnn.strategies.settings import Choice, Range
from nas_rnn.training import TrainingOptions
from nas_rnn.training.options import TUNED, TUNED_IF_ASKED
from tests.experiment_runs import write_text

EVERYTHING = (*TUNED, *TUNED_IF_ASKED)


def entry(cell: str = "lstm", over: tuple[str, ...] = TUNED, **training: Any) -> Entry:
    found = load_cell(cell)
    return Entry(
        name=cell, cell=found.to_text(), digest=found.digest, hidden_size=8, parameters=1,
        training=TrainingOptions(**training), tuned_over=over,
    )  # fmt: skip


def test_what_is_tuned_unless_more_is_asked_for() -> None:
    found = ranges([entry(), entry("gru")])
    assert list(found) == ["learning_rate", "weight_decay", "gate_bias", "variational_dropout"]
    assert (found["learning_rate"].low, found["learning_rate"].high) == (0.01 / 30, 0.1)
    assert (found["variational_dropout"].low, found["variational_dropout"].high) == (0.0, 0.5)
    assert found["weight_decay"] == Range(low=1e-6, high=0.1, log=True, zero=True)
    assert (found["gate_bias"].low, found["gate_bias"].high, found["gate_bias"].near) == (0.0, 3.0, 1.0)
    assert "gate_bias" not in given_settings(entry("gru"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"learning_rate": 3.0, "variational_dropout": 0.9, "weight_decay": 0.5, "clip": 100.0},
        {"weight_decay": 1e-9, "clip": 0.01, "batch": 1, "length": 1, "dropout": 0.7, "weight_drop": 0.6},
    ],
)
def test_what_was_given_lies_within_and_every_value_may_be_trained_with(given: dict[str, Any]) -> None:
    found = ranges([entry(over=EVERYTHING, **given)])
    assert set(found) == {*EVERYTHING, "gate_bias"}
    first = given_settings(entry(over=EVERYTHING, **given))
    for name, range in found.items():
        assert range.within(first[name]) == first[name]
        for end in (0.0, 1.0):
            entry().with_settings({name: range.value_at(end)})  # raises for one that may not be


def test_batch_and_length_are_whole_numbers_that_the_data_can_fill() -> None:
    asked = entry(over=("learning_rate", "weight_decay", "batch", "length"), batch=32, length=20)
    found = ranges([asked])
    assert (found["batch"].low, found["batch"].high, found["length"].low, found["length"].high) == (
        8,
        128,
        5,
        80,
    )
    small = ranges([asked], lambda batch, length: batch * length <= 64 * 40)
    assert (small["batch"].high, small["length"].high) == (64, 40)
    none = ranges([asked], lambda batch, length: False)
    assert (none["batch"].high, none["length"].high) == (32, 20)
    settings = asked.with_settings({"batch": 48.0, "length": 7})
    assert (settings.training.batch, settings.training.length) == (48, 7)
    assert type(settings.training.batch) is int


def test_what_fits_is_asked_of_the_task(tmp_path: Path) -> None:
    write_text(tmp_path / "text.txt", words=600)
    config = read_config(
        CompareConfig, {"cells": ["rnn"], "data": tmp_path / "text.txt", "batch": 4, "length": 8}
    )
    fits = fits_in(Models.prepare(config, ["batch", "length"])[1])
    assert fits(4, 8) and fits(8, 16) and not fits(4000, 4000)


@pytest.mark.parametrize(
    ("name", "best", "tried", "told"),
    [
        ("learning_rate", 0.03, [0.01, 0.02], "0.03, is the highest that was tried"),
        ("learning_rate", 0.01, [0.02, 0.03], "0.01, is the lowest that was tried"),
        ("learning_rate", 0.02, [0.01, 0.03], None),
        ("learning_rate", 0.02, [0.02], None),
        ("variational_dropout", 0.49, [0.0], "0.49, lies at the end of its range, 0.5;"),
        ("variational_dropout", 0.0, [0.3], None),
        ("variational_dropout", 0.3, [0.1], None),
        ("weight_decay", 0.0, [0.1], None),
        ("weight_decay", 0.09, [0.0], r"\(--weight-decay 0.09 tries values around it\)"),
        ("gate_bias", 3.0, [1.0], "the best gate bias, 3, lies at .*, 3; one beyond it may be better$"),
        ("batch", 128, [32], r"128, lies at .* \(--batch 128 tries"),
        ("batch", 8, [32], "8, lies at the end of its range, 8;"),
    ],
)  # fmt: skip
def test_what_is_told_of_an_edge(name: str, best: float, tried: list[float], told: str | None) -> None:
    where = ranges([entry(over=EVERYTHING)])[name]
    found = edge_words(name, {name: best}, [{name: value} for value in [*tried, best]], where)
    if told is None:
        assert found is None
    else:
        assert found is not None and re.search(told, found)


@pytest.mark.parametrize("given", ["batch,clip", ["batch", "clip"], ["clip, batch", "clip"]])
def test_options_to_tune_are_a_list_or_a_text_with_commas(given: object) -> None:
    config = read_config(CompareConfig, {"cells": ["rnn"], "tune_over": given})
    assert config.tune_over == ("batch", "clip")
    assert config.tuned_over() == (*TUNED, "batch", "clip")
    assert read_config(CompareConfig, {"cells": ["rnn"], "tune_over": "weight-drop"}).tune_over == (
        "weight_drop",
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tune_over": "batches"}, "batch, length, .*, init can be tuned besides .*, not 'batches'"),
        ({"tune_over": "learning_rate"}, r"what always is \(learning_rate, .*gate_bias\), not 'learning_rate'"),
        ({"tune_over": ""}, "not ''"),
        ({"tune_over": 3}, "a list of options is needed"),
        ({"tune_over": ["batch"], "tune": 0}, "tune_over batch needs trials of tuning, such as tune 8; tune is 0"),
        ({"tune_over": ["clip"], "clip": 0.0}, "needs a clip greater than 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_config(CompareConfig, {"cells": ["rnn"], **given})


def test_an_ablation_is_tuned_only_where_trials_are_asked_for() -> None:
    with pytest.raises(UserError, match="tune is 0"):
        read_config(AblateConfig, {"cells": ["rnn"], "tune_over": "batch"})
    assert read_config(AblateConfig, {"cells": ["rnn"], "tune_over": "batch", "tune": 4}).tune_over == (
        "batch",
    )


def test_entries_of_an_experiment_know_what_is_tuned(tmp_path: Path) -> None:
    write_text(tmp_path / "text.txt", words=600)
    values = {"cells": ["rnn"], "data": tmp_path / "text.txt", "tune_over": "batch", "params": 2000}
    models = Models.prepare(read_config(CompareConfig, values), values.keys())[1]
    baseline = models.baseline_entry(load_cell("lstm"))
    assert list(baseline.settings) == [*TUNED, "batch"]
    assert list(replace(baseline, gate_bias=1.0).settings) == [*TUNED, "batch", "gate_bias"]


def test_what_was_given_already_is_not_advised() -> None:
    where, tried = Range(low=1e-4, high=0.1, log=True), [{"learning_rate": 0.01}, {"learning_rate": 0.003}]
    found = edge_words("learning_rate", tried[0], tried, where)
    assert found is not None and found.endswith("better (a larger --tune tries more around it)")
    found = edge_words("learning_rate", tried[1], tried, where)
    assert found is not None and found.endswith("better (--learning-rate 0.003 tries values around it)")


def test_names_are_tried_alike_and_none_lies_at_an_edge() -> None:
    names = ranges([entry(over=EVERYTHING)])["init"]
    assert names == Choice(names=("uniform", "glorot", "orthogonal"))
    tried = [names.value_at(place) for place in (0.0, 0.2, 0.5, 0.9, 1.0)]
    assert tried == ["uniform", "uniform", "glorot", "orthogonal", "orthogonal"]
    assert [names.value_at(names.place_of(name)) for name in names.names] == list(names.names)
    assert edge_words("init", {"init": "uniform"}, [{"init": name} for name in names.names], names) is None
    assert entry().with_settings({"init": "glorot"}).training.init == "glorot"
