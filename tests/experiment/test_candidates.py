"""Candidates: searched at the baseline's settings, compared at a rung, the best third trained on, also after a kill."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import mlflow
import pytest

import nas_rnn
from nas_rnn.experiment.results import Result
from nas_rnn.strategies import Study, Trial
from nas_rnn.training import RunResult, RunSpec, RunStore
from tests.experiment_runs import TINY, killed_and_resumed, write_text
from tests.in_process import in_process

OPTIONS: dict[str, Any] = {
    **TINY,
    "seeds": 1,
    "tune": 3,
    "trials": 10,
    "space": "gated",
    "epochs": "auto",
    "most_epochs": 12,
    "backend": "eager",
}
RUNG = 8  # a third of the 12 epochs that the baseline needs, and no less than a curve can be judged by


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candidates")
    write_text(folder / "text.txt", words=400)
    return folder


@pytest.fixture(scope="module")
def searched(place: Path) -> Result:
    with in_process():
        return nas_rnn.search(**OPTIONS, data=place / "text.txt", name="whole", runs=place / "runs")


def run(place: Path, id: str, name: str = "whole") -> tuple[RunSpec, RunResult]:
    store = RunStore(place / "runs" / name / "trials" / id)
    spec, result = store.read_spec(), store.read_result()
    assert spec is not None and result is not None
    return spec, result


def trials(place: Path, name: str = "whole") -> list[Trial]:
    return Study.open(place / "runs" / name / "study.journal", "search").trials()


def test_the_baseline_is_tuned_first_and_candidates_have_its_settings(searched: Result, place: Path) -> None:
    tuned = [run(place, f"tune-lstm-{number:03d}") for number in range(3)]
    ended = [(spec, result) for spec, result in tuned if result.ended_because != "budget"]
    best, _ = min(ended, key=lambda pair: pair[1].best_metric or 9.9)
    baseline, _ = run(place, "baseline")
    assert baseline.training == best.training and baseline.cell == best.cell
    for trial in trials(place):
        if trial.copy_of is None:
            spec, _ = run(place, f"t{trial.number:04d}")
            assert spec.training.to_dict() | {"epochs": "auto"} == best.training.to_dict()
    final, _ = run(place, "final-lstm-s0")
    assert final.training == best.training
    first, last = (run(place, "tune-lstm-000")[0], run(place, "baseline")[0])
    times = [(place / f"runs/whole/trials/{spec.id}/spec.json").stat().st_mtime for spec in (first, last)]
    assert times == sorted(times)


def test_the_best_third_at_the_rung_goes_on_and_is_finished(searched: Result, place: Path) -> None:
    losses, finished = {}, set()
    for trial in trials(place):
        if trial.copy_of is not None:
            continue
        _, result = run(place, f"t{trial.number:04d}")
        if len(result.epochs) >= RUNG:
            losses[trial.number] = min(record.metric for record in result.epochs[:RUNG])
        if trial.ending == "finished":
            finished.add(trial.number)
            assert len(result.epochs) > RUNG and trial.value == result.best_metric
            assert trial.first_value == losses[trial.number]
        elif trial.ending == "stopped":
            assert len(result.epochs) == RUNG and trial.value == losses[trial.number]
    assert len(losses) >= 7
    # Of ten a third is four; no rank correlation is told of so few.
    assert finished == set(sorted(losses, key=lambda number: losses[number])[: len(finished)])
    assert len(finished) == 4
    assert searched.trials["finished"] == 4


def test_no_checkpoint_is_left(searched: Result, place: Path) -> None:
    assert not list((place / "runs/whole/trials").glob("t0*/checkpoint*"))


def test_only_what_was_trained_to_the_end_is_selected(searched: Result, place: Path) -> None:
    finished = {trial.candidate.cell.name for trial in trials(place) if trial.ending == "finished"}
    selected = [run(place, path.name)[0] for path in (place / "runs/whole/trials").glob("select-*")]
    baseline, _ = run(place, "baseline")
    assert selected and {spec.name for spec in selected} <= finished
    assert all(spec.training == baseline.training for spec in selected)


def test_a_kill_while_candidates_are_trained_on_changes_nothing(searched: Result, place: Path) -> None:
    code = """
import nas_rnn
from tests.in_process import in_process
def observe(event, progress):
    if type(event).__name__ == "EpochDone" and event.role == "candidate" and event.epoch == 10:
        print("TRAINED ON", flush=True)
with in_process():
    nas_rnn.search({arguments}, runs='runs', observer=observe)
print("COMPLETE", flush=True)
"""
    begin = code.format(arguments=f"data='text.txt', name='killed', **{OPTIONS!r}")
    killed_and_resumed(place, begin, code.format(arguments="resume='killed'"), "TRAINED ON")
    assert searched.comparison is not None
    killed = json.loads((place / "runs/killed/comparison.json").read_text())
    whole = json.loads(json.dumps(searched.comparison.to_dict()))
    assert [killed["baseline"], killed["contenders"]] == [whole["baseline"], whole["contenders"]]
    assert [(t.ending, t.value) for t in trials(place, "killed")] == [
        (t.ending, t.value) for t in trials(place)
    ]


def test_more_trials_before_the_final_take_on_who_was_left_behind(place: Path, searched: Result) -> None:
    """A resume with more trials ranks all of them anew: who was stopped at the rung may be among the best third now."""
    few = {**OPTIONS, "tune": 0, "trials": 4}

    def stop_in_selection(event: Any, progress: Any) -> None:
        if getattr(event, "phase", None) == "selection":
            os.kill(os.getpid(), signal.SIGINT)

    with in_process():
        begun = nas_rnn.search(
            **few, data=place / "text.txt", name="more", runs=place / "runs", observer=stop_in_selection
        )
        assert begun.status == "interrupted" and begun.trials["finished"] == 3
        ended = nas_rnn.search(resume="more", trials=14, runs=place / "runs")
    assert ended.status == "complete" and ended.comparison is not None
    assert ended.trials["finished"] >= 5
    early = [trial for trial in trials(place, "more") if trial.number < 4 and trial.ending == "finished"]
    assert len(early) >= 3  # nobody who went to the end is forgotten
    assert not any("keeps the first value" in notice for notice in ended.notices)
    client = mlflow.MlflowClient(f"sqlite:///{place}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("char-lm · text.txt")
    (parent,) = client.search_runs(
        [experiment.experiment_id], "tags.role = 'search' and tags.search = 'more'"
    )
    assert parent.data.tags["trials"] == "14" and "trials" not in parent.data.params


def test_the_lstm_is_tuned_with_all_that_the_search_cost(place: Path) -> None:
    small = {**TINY, "seeds": 1, "tune": 2, "trials": 6, "epochs": 1, "backend": "eager"}
    with in_process():
        result = nas_rnn.search(
            **{**small, "controls": "lstm-all"}, data=place / "text.txt", name="all", runs=place / "runs"
        )
    assert result.comparison is not None
    (row,) = [r for r in result.comparison.controls if r.standing.name == "LSTM tuned with all"]
    folders = [path.name for path in (place / "runs/all/trials").iterdir()]
    # Of one epoch each: the baseline and its candidates, their selection, and two settings of two cells.
    count = sum(
        name.startswith(("baseline", "t0", "select-", "tune-lstm-0", "tune-gated")) for name in folders
    )
    diverged = [name for name in folders if run(place, name, "all")[1].epochs == []]
    spent = count - sum(name.startswith(("t0", "select-", "tune-gated")) for name in diverged)
    settings = [name for name in folders if name.startswith("tune-LSTM-tuned-with-all-")]
    assert len(settings) == spent > 6
    assert row.standing.control.startswith(f"{spent} settings: ")
    assert row.standing.tuned and row.standing.digest == result.comparison.baseline.digest
    (cost,) = [cost for cost in result.comparison.costs if cost.part == "control"]
    assert cost.runs == spent
