"""Tuning where runs end by themselves: to a rung, then the best and the given settings to their end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.experiment.results import Result
from nas_rnn.training import RunResult, RunStore
from tests.experiment_runs import TINY_RUNS, killed_and_resumed, write_text
from tests.in_process import in_process

OPTIONS: dict[str, Any] = {
    **TINY_RUNS,
    "reference": "none",
    "seeds": 1,
    "tune": 4,
    "epochs": "auto",
    "most_epochs": 14,
    "backend": "eager",
}
RUNG = 8  # a third of the 14 epochs that the baseline needs, and no less than a curve can be judged by


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("halving")
    write_text(folder / "text.txt", words=600)
    return folder


@pytest.fixture(scope="module")
def compared(place: Path) -> Result:
    with in_process():
        return nas_rnn.compare("rnn", **OPTIONS, data=place / "text.txt", name="whole", runs=place / "runs")


def tuning(place: Path, cell: str) -> dict[int, RunResult]:
    found = {}
    for path in sorted((place / "runs/whole/trials").glob(f"tune-{cell}-*")):
        result = RunStore(path).read_result()
        assert result is not None
        found[int(path.name[-3:])] = result
    return found


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_the_best_third_at_the_rung_goes_on_and_the_given_settings(
    compared: Result, place: Path, cell: str
) -> None:
    runs = tuning(place, cell)
    assert len(runs) == 4
    at_rung = {number: min(r.metric for r in run.epochs[:RUNG]) for number, run in runs.items()}
    best = sorted(at_rung, key=lambda number: at_rung[number])[:2]
    went_on = {number for number, run in runs.items() if len(run.epochs) > RUNG}
    assert went_on == {0, *best}
    assert all(runs[number].ended_because in ("cap", "converged", "overfitted") for number in went_on)
    assert all(len(run.epochs) == RUNG for number, run in runs.items() if number not in went_on)


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_the_best_at_the_end_is_taken(compared: Result, place: Path, cell: str) -> None:
    runs = tuning(place, cell)
    went_on = {number: run for number, run in runs.items() if len(run.epochs) > RUNG}
    chosen = min(went_on, key=lambda number: went_on[number].best_metric or 9.9)
    spec = RunStore(place / f"runs/whole/trials/tune-{cell}-{chosen:03d}").read_spec()
    final = RunStore(place / f"runs/whole/trials/final-{cell}-s0").read_spec()
    assert spec is not None and final is not None
    assert final.training == spec.training


def test_nobody_keeps_a_checkpoint_and_the_final_ends_by_itself(compared: Result, place: Path) -> None:
    assert not list((place / "runs/whole/trials").glob("tune-*/checkpoint*"))
    final = RunStore(place / "runs/whole/trials/final-lstm-s0").read_result()
    assert final is not None and final.ended_because in ("cap", "converged", "overfitted")
    assert compared.comparison is not None
    assert compared.comparison.baseline.epochs == (len(final.epochs),)


def test_a_kill_while_settings_are_trained_on_changes_nothing(compared: Result, place: Path) -> None:
    code = """
import nas_rnn
from tests.in_process import in_process
def observe(event, progress):
    if type(event).__name__ == "EpochDone" and event.id.startswith("tune-rnn") and event.epoch == 10:
        print("TRAINED ON", flush=True)
with in_process():
    nas_rnn.compare({arguments}, runs='runs', observer=observe)
print("COMPLETE", flush=True)
"""
    begin = code.format(arguments=f"'rnn', data='text.txt', name='killed', **{OPTIONS!r}")
    killed_and_resumed(place, begin, code.format(arguments="resume='killed'"), "TRAINED ON")
    assert compared.comparison is not None
    killed = json.loads((place / "runs/killed/comparison.json").read_text())
    whole = json.loads(json.dumps(compared.comparison.to_dict()))
    assert [killed["baseline"], killed["contenders"]] == [whole["baseline"], whole["contenders"]]
