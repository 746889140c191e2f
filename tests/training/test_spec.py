"""Specs and results: what is refused, and that JSON keeps everything."""

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any, get_args

import pytest

from nas_rnn.errors import UserError
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.training import EpochRecord, RunResult, RunSpec, TrainingOptions
from nas_rnn.training.options import Backend

RECORD = EpochRecord(
    epoch=1,
    train_loss=2.0,
    valid_loss=1.5,
    metric=2.1,
    seconds=3.0,
    units_per_second=1e5,
    gradient_norm=0.3,
    clipped=0.01,
    targets=300,
)
RESULT = RunResult(
    id="r1",
    status="finished",
    reason=None,
    epochs=[RECORD, replace(RECORD, epoch=2)],
    best_epoch=1,
    best_metric=2.1,
    parameters=100,
    test_statistics={"bits": [1.0, 2.0], "matches": [[3.0, 4.0], [5.0, 6.0]]},
    seconds=6.0,
)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("learning_rate", 0.0, "greater than 0"),
        ("learning_rate", float("nan"), "a finite number"),
        ("learning_rate", "0.1", "a finite number"),
        ("dropout", 1.0, "less than 1"),
        ("dropout", -0.1, "at least 0"),
        ("dropout", True, "a finite number"),
        ("clip", -1.0, "0 for no clipping"),
        ("clip", float("inf"), "a finite number"),
        ("batch", 0, "a whole number of at least 1"),
        ("batch", 2.0, "a whole number of at least 1"),
        ("length", 0, "a whole number of at least 1"),
        ("layers", True, "a whole number of at least 1"),
        ("epochs", 0, "a whole number of at least 1"),
        ("threads", -1, "a whole number of at least 1"),
        ("decay", "cosin", "cosine, linear, none"),
        ("device", "gpu", "auto, cpu, cuda"),
        ("backend", "fast", "auto, fused, eager, reference"),
    ],
)
def test_training_options_out_of_range(name: str, value: Any, rule: str) -> None:
    with pytest.raises(UserError, match=rule) as caught:
        TrainingOptions(**{name: value})
    assert str(caught.value).startswith(name)
    assert repr(value) in str(caught.value)


def test_the_backends_are_those_of_the_execution() -> None:
    assert get_args(Backend) == ("auto", *BACKENDS)


def test_results_of_runs_before_there_were_backends_are_read() -> None:
    plain = RESULT.to_dict()
    del plain["backend"], plain["fallback"]
    assert RunResult.from_dict(plain) == RESULT


@pytest.mark.parametrize(
    ("name", "value"), [("hidden_size", 0), ("seed", -1), ("data_seed", 1.5), ("role", "judge")]
)
def test_spec_out_of_range(spec: RunSpec, name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{name} must be"):
        replace(spec, **{name: value})


def test_specs_cannot_change(spec: RunSpec) -> None:
    with pytest.raises(FrozenInstanceError):
        spec.seed = 3  # type: ignore[misc]


def test_spec_and_result_survive_json(spec: RunSpec) -> None:
    full = replace(spec, task_options={"embedding": 8}, role="final", read_test=True)
    assert RunSpec.from_dict(json.loads(json.dumps(full.to_dict()))) == full
    assert RunResult.from_dict(json.loads(json.dumps(RESULT.to_dict()))) == RESULT


def test_unknown_keys_raise_at_every_level(spec: RunSpec) -> None:
    plain = spec.to_dict()
    with pytest.raises(UserError, match="unknown field of RunSpec: 'sed'; did you mean 'seed'"):
        RunSpec.from_dict({**plain, "sed": 1})
    with pytest.raises(UserError, match="'learning_rat'; did you mean 'learning_rate'"):
        RunSpec.from_dict({**plain, "training": {"learning_rat": 1.0}})
    with pytest.raises(UserError, match="unknown field of EpochRecord: 'los'"):
        RunResult.from_dict({**RESULT.to_dict(), "epochs": [{**RECORD.to_dict(), "los": 1.0}]})


def test_missing_keys_raise(spec: RunSpec) -> None:
    plain = spec.to_dict()
    del plain["cell"], plain["seed"]
    with pytest.raises(UserError, match="a RunSpec needs cell, seed"):
        RunSpec.from_dict(plain)
    with pytest.raises(UserError, match="an object of its fields; got 3"):
        TrainingOptions.from_dict(3)


def test_options_are_checked_when_read(spec: RunSpec) -> None:
    with pytest.raises(UserError, match="batch must be"):
        RunSpec.from_dict({**spec.to_dict(), "training": {"batch": 0}})


@pytest.mark.parametrize("role", ["candidate", "control", "baseline", "selection", "tuning"])
def test_only_final_runs_may_read_the_test_part(spec, role) -> None:
    with pytest.raises(ValueError, match="only final runs read the test part"):
        replace(spec, role=role, read_test=True)
