"""A whole search, small: what it leaves behind, and that every kind of trial is accounted for."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
from pathlib import Path

import mlflow
import pytest

import nas_rnn
from nas_rnn.catalogue.describe import gradient_flow, show
from nas_rnn.catalogue.saved import sample
from nas_rnn.errors import UserError
from nas_rnn.experiment.dashboard import rebuild_runs
from nas_rnn.experiment.events import EpochDone, Event, RunEnded, RunStarted, Started
from nas_rnn.strategies import Study
from tests.experiment_runs import TINY, search_process
from tests.finished import TEXT


@pytest.fixture(scope="module")
def place(finished_search, tmp_path_factory):
    """A folder of this module's own with the finished search called ``mine``."""
    return finished_search.copied(tmp_path_factory.mktemp("searches"))


@pytest.fixture
def finished(finished_search):
    finished_search.use_plugins()
    return finished_search.result, finished_search.events


def test_an_exhausted_space_ends_the_search_and_says_so(finished):
    result, _ = finished
    assert any("every candidate of the space 'five'" in notice for notice in result.notices)
    assert result.trials == {
        "finished": 3,
        "stopped": 0,
        "diverged": 1,
        "failed": 0,
        "reused": 1,
        "unfinished": 0,
    }


def test_the_baseline_is_trained_first_and_with_the_same_budget(finished, place):
    _, events = finished
    started = [event for event in events if isinstance(event, RunStarted)]
    assert (started[0].role, started[0].name) == ("baseline", "lstm")
    specs = {
        name: json.loads((place / "runs/mine/trials" / name / "spec.json").read_text())
        for name in ("baseline", "t0000")
    }
    assert specs["baseline"]["training"] == specs["t0000"]["training"]
    assert specs["baseline"]["data_seed"] == specs["t0000"]["data_seed"]


def test_a_known_cell_is_not_trained_again_and_counts_as_a_trial(finished, place):
    _, events = finished
    (reused,) = [event for event in events if isinstance(event, RunEnded) and event.ending == "reused"]
    assert "the same cell as trial t" in reused.reason
    assert not (place / "runs/mine/trials" / reused.id).exists()


def test_a_cell_that_diverges_ends_its_own_trial_with_the_reason(finished, place):
    _, events = finished
    (diverged,) = [event for event in events if isinstance(event, RunEnded) and event.ending == "diverged"]
    assert diverged.reason == "loss became nan in epoch 1, step 0"
    trials = Study.open(place / "runs/mine/study.journal", "search").trials()
    assert [trial.reason for trial in trials if trial.ending == "diverged"] == [diverged.reason]


def test_it_ends_with_a_verdict_over_paired_seeds(finished, place):
    result, _ = finished
    assert result.status == "complete"
    (row,) = result.comparison.contenders
    assert row.pairs == 2 and row.standing.tuned is False
    assert row.verdict in ("better", "equivalent", "worse", "undecided")
    assert abs(row.standing.mismatch) < 0.2
    kept = json.loads((place / "runs/mine/comparison.json").read_text())
    assert kept["sentence"] == result.verdict and "untuned" in result.verdict
    json.dumps(result.to_dict(), allow_nan=False)


def test_only_final_runs_read_the_test_part(finished, place):
    for path in (place / "runs/mine/trials").glob("*/result.json"):
        read = json.loads(path.read_text())["test_statistics"] is not None
        assert read == path.parent.name.startswith("final-")


def test_it_tells_of_every_epoch_once(finished):
    _, events = finished
    assert isinstance(events[0], Started)
    epochs = [(event.id, event.epoch) for event in events if isinstance(event, EpochDone)]
    assert len(epochs) == len(set(epochs))


def test_the_final_weights_generate_text(finished, place):
    text = sample("mine", runs=place / "runs", length=40, seed=3)
    assert text == sample("mine", runs=place / "runs", length=40, seed=3)
    assert len(text) >= 40


def test_gradient_flow_is_measured_before_and_after_training(finished, place):
    """Of the LSTM and the winner by their workers, of a vanilla RNN with fresh weights; drawn, and in MLflow."""
    best = place / "runs/mine/best"
    kept = json.loads((best / "gradient_flow.json").read_text())
    winner = finished[0].comparison.contenders[0].standing.name
    assert [row["name"] for row in kept[:2]] == ["lstm", winner]
    assert [[flow["weights"] for flow in row["flows"]] for row in kept[:2]] == [["fresh", "trained"]] * 2
    assert [row["name"] for row in kept[2:]] == ["gru", "rnn"]
    assert [flow["weights"] for flow in kept[3]["flows"]] == ["fresh"]
    trained = kept[0]["flows"][1]
    assert [path["path"] for path in trained["paths"]] == ["h", "c"] and len(trained["clipped"]) == 2
    assert all(len(path["norms"]) == 65 and path["norms"][0] > 0 for path in trained["paths"])
    assert (best / "gradient_flow.png").read_bytes().startswith(b"\x89PNG")
    client, runs = _runs(place, "mine")
    (parent,) = [run for run in runs if run.data.tags["role"] == "search"]
    names = {item.path for item in client.list_artifacts(parent.info.run_id, "best")}
    assert {"best/gradient_flow.png", "best/gradient_flow.svg"} <= names
    for path in (place / "runs/mine/trials").glob("*/result.json"):
        assert (path.parent / "gradient_flow.json").exists() == path.parent.name.startswith("final-")
    drawn = gradient_flow(show("mine", runs=place / "runs"), "mine", "png", runs=place / "runs")
    assert drawn == (best / "gradient_flow.png").read_bytes()
    (best / "gradient_flow.json").rename(best / "gone.json")
    with pytest.raises(UserError, match="has no measured gradient flow"):
        gradient_flow(show("mine", runs=place / "runs"), "mine", "png", runs=place / "runs")
    (best / "gone.json").rename(best / "gradient_flow.json")


def _runs(place, name):
    client = mlflow.MlflowClient(f"sqlite:///{place}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("char-lm · my-text.txt")
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    return client, [run for run in found if run.data.tags.get("search") == name]


def test_mlflow_shows_parent_baseline_and_candidates_with_their_gap(finished, place):
    client, runs = _runs(place, "mine")
    roles = [run.data.tags["role"] for run in runs]
    assert roles.count("search") == 1 and roles.count("baseline") == 1 and roles.count("candidate") == 4
    (parent,) = [run for run in runs if run.data.tags["role"] == "search"]
    for run in runs:
        if run.data.tags["role"] == "candidate" and run.data.tags["ending"] == "finished":
            assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
            assert "gap_to_lstm" in run.data.metrics
            assert run.data.params["backend"] == "auto" and run.data.tags["backend"] == "fused"
            assert "fallback" not in run.data.tags
            curve = client.get_metric_history(run.info.run_id, "valid/bits_per_char")
            assert [point.step for point in curve] == [1, 2]
            names = {item.path for item in client.list_artifacts(run.info.run_id, "cell")}
            assert {"cell/cell.py", "cell/equations.txt", "cell/diagram.svg"} <= names


def test_every_trial_is_recorded_with_its_plugins(finished, place):
    """In the study and in MLflow: the space's file, and the operations of the cell where it has some."""
    digest = json.loads((place / "runs/mine/search.json").read_text())["plugins"]["space five"]["digest"]
    trials = Study.open(place / "runs/mine/study.journal", "search").trials()
    assert all(trial.details["plugins"]["space five"]["digest"] == digest for trial in trials)
    tags = [run.data.tags for run in _runs(place, "mine")[1] if run.data.tags["role"] == "candidate"]
    assert {tag["plugin.space"] for tag in tags} == {f"five (sha256 {digest[:12]})"}
    operations = sorted(re.findall(r"(\w+) \(sha256 \w{12}\)", tag["plugin.operation"]) for tag in tags)
    assert operations == [["test_burst", "test_swish"], *[["test_swish"]] * 3]


def test_mlflow_can_be_rebuilt_from_the_folder(finished, place, with_store, monkeypatch):
    _, before = _runs(place, "mine")
    again = f"sqlite:///{with_store(place / 'again')}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", again)
    rebuild_runs(place / "runs", "mine")
    client = mlflow.MlflowClient(again)
    again = client.search_runs(
        [client.get_experiment_by_name("char-lm · my-text.txt").experiment_id], max_results=1000
    )

    def shown(runs):
        return {
            run.data.tags["nas_rnn.key"]: (
                run.data.metrics,
                run.data.params,
                run.data.tags["ending"],
                run.info.status,
            )
            for run in runs
        }

    assert shown(again) == shown(before)


def test_a_name_that_is_taken_and_a_change_of_what_is_resumed_are_refused(finished, place):
    with pytest.raises(UserError, match="already"):
        nas_rnn.search(**TINY, data=place / TEXT, name="mine", runs=place / "runs")
    with pytest.raises(UserError, match="epochs cannot be changed"):
        nas_rnn.search(resume="mine", epochs=9, runs=place / "runs")
    with pytest.raises(UserError, match="did you mean 'mine'"):
        nas_rnn.search(resume="mien", runs=place / "runs")


def test_resuming_a_complete_search_runs_nothing_again(finished, place):
    result, _ = finished
    began: list[Event] = []
    again = nas_rnn.search(
        resume="mine",
        runs=place / "runs",
        observer=lambda e, p: began.append(e) if isinstance(e, RunStarted) else None,
    )
    assert began == []
    assert again.trials == result.trials and again.comparison == result.comparison


KILLED = """
import contextlib
import nas_rnn
from tests.in_process import in_process
def observe(event, progress):
    what = getattr(event, "id", getattr(event, "phase", ""))
    print(type(event).__name__, what, getattr(event, "ending", ""), flush=True)
with {engine}():
    nas_rnn.search({options}, observer=observe)
print("COMPLETE", flush=True)
"""
ON_RAY, IN_PROCESS = "contextlib.nullcontext", "in_process"


def _run_until(code: str, cwd: Path, last_line: str | None) -> list[str]:
    """Run ``code``; at the line that begins with ``last_line``, kill it as a power cut would. Return its lines."""
    process = search_process(code, cwd)
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if last_line is not None and lines[-1].startswith(last_line):
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait(60)
    assert last_line is None or process.returncode == -signal.SIGKILL, lines
    return lines


@pytest.fixture(scope="module")
def empty(place, with_store):
    """A folder with a text, and no search under ``runs`` yet."""
    with_store(place / "empty" / "runs")
    shutil.copy(place / TEXT, place / "empty")
    return place / "empty"


def test_kill_9_of_the_driver_in_every_phase_loses_no_finished_run(empty):
    """Killed in the search, in the selection and in the final; each time it goes on and no run ends twice.

    The first time its workers outlive it, and train on while the next one begins.
    """
    options = {**TINY, "epochs": 3, "trials": 5, "space": "gated", "scheduler": "none", "name": "killed"}
    begin = KILLED.format(
        engine=ON_RAY, options=f"data={TEXT!r}, runs='runs', backend='eager', **{options!r}"
    )
    resume = "resume='killed', runs='runs'"
    study = empty / "runs/killed/study.journal"
    finished_trials = []
    lines = []
    for code, moment in (
        (begin, "RunEnded t0002"),
        (KILLED.format(engine=ON_RAY, options=resume), "RunEnded select-"),
        (KILLED.format(engine=IN_PROCESS, options=resume), "RunEnded final-"),
        (KILLED.format(engine=IN_PROCESS, options=resume), None),
    ):
        lines.append(_run_until(code, empty, moment))
        finished_trials.append({t.number: t.value for t in Study.open(study, "search").trials() if t.ending})
    assert lines[-1][-1] == "COMPLETE", lines[-1]
    for earlier, later in itertools.pairwise(finished_trials):
        assert earlier.items() <= later.items()
    assert len(finished_trials[-1]) == 5
    ended = [line for part in lines for line in part if line.startswith("RunEnded")]
    assert len(ended) == len(set(ended)), "a run was finished twice"
    assert (empty / "runs/killed/comparison.json").is_file()


def test_ctrl_c_ends_gracefully_with_the_result_so_far(empty):
    options = {**TINY, "epochs": 3, "trials": 30, "space": "gated", "name": "stopped", "backend": "eager"}
    code = f"""
import nas_rnn, os, signal
def observe(event, progress):
    if type(event).__name__ == "RunEnded" and event.role == "candidate":
        os.kill(os.getpid(), signal.SIGINT)
result = nas_rnn.search(data={TEXT!r}, runs='runs', observer=observe, **{options!r})
print("STATUS", result.status, result.trials["finished"] + result.trials["stopped"], result.best is not None)
"""
    lines = _run_until(code, empty, None)
    assert lines[-1].startswith("STATUS interrupted"), lines
    done, best = lines[-1].split()[2:]
    assert int(done) >= 1 and best == "True"
