"""A disk that is full and a MLflow server that is away: said plainly, and nothing that is finished is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

import nas_rnn
from nas_rnn.errors import NasRnnError
from nas_rnn.experiment.dashboard import rebuild_runs
from nas_rnn.experiment.events import Notice, RunEnded, RunStarted
from nas_rnn.strategies import Study
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

OPTIONS = {**TINY, "trials": 4, "space": "gated", "scheduler": "none", "backend": "eager"}
AWAY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _engine() -> Iterator[None]:
    with in_process():
        yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("to mount a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until nothing more fits."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


def runs_in_mlflow(uri: str) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(uri)
    return list(client.search_runs([client.get_experiment_by_name("char-lm · text.txt").experiment_id]))


def require_all_in_mlflow(folder: Path, uri: str) -> None:
    """Every run of the folder's search is in MLflow once, ended, with all of its epochs."""
    results = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("trials/*/result.json")}
    shown = [run for run in runs_in_mlflow(uri) if "trial" in run.data.tags]
    assert Counter(run.data.tags["trial"] for run in shown) == Counter(results.keys())
    for run in shown:
        result = results[run.data.tags["trial"]]
        assert run.data.tags["ending"] == result["status"]
        assert run.data.metrics.get("epochs", 0) == len(result["epochs"])


def test_a_disk_that_fills_up_ends_the_search_and_a_resume_finishes_it(
    small_disk, tmp_path, with_store, capfd
):
    runs, fillers = with_store(small_disk / "runs"), []

    def fill_at_the_first_candidate(event, progress):
        if isinstance(event, RunEnded) and event.role == "candidate" and not fillers:
            fillers.append(fill(small_disk))

    text = write_text(tmp_path / "text.txt")
    with pytest.raises(
        NasRnnError, match=r"No space left on device\. Finished work is kept: .*--resume full"
    ):
        nas_rnn.search(**OPTIONS, data=text, name="full", runs=runs, observer=fill_at_the_first_candidate)
    with pytest.raises(NasRnnError, match="No space left on device"):
        nas_rnn.search(resume="full", runs=runs)
    assert "Traceback" not in capfd.readouterr().err
    before = [trial for trial in Study.open(runs / "full/study.journal", "search").trials() if trial.ending]
    assert before and {trial.ending for trial in before} <= {"finished", "diverged"}

    fillers[0].unlink()
    again = []
    result = nas_rnn.search(
        resume="full",
        runs=runs,
        observer=lambda event, progress: again.append(event.id) if isinstance(event, RunStarted) else None,
    )
    assert result.status == "complete" and result.comparison is not None
    assert result.trials["failed"] == result.trials["unfinished"] == 0
    assert not {f"t{trial.number:04d}" for trial in before} & set(again), "a finished run was trained again"
    require_all_in_mlflow(runs / "full", f"sqlite:///{runs}/mlflow.db")


def test_a_server_that_is_away_is_told_of_and_what_it_lacks_is_written_later(
    tmp_path, with_store, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    monkeypatch.setattr("nas_rnn.tracking.queueing.FIRST_PAUSE", 0.1)
    notices = []
    result = nas_rnn.search(
        **{**OPTIONS, "trials": 2},
        data=write_text(tmp_path / "text.txt"),
        name="away",
        runs=tmp_path / "runs",
        observer=lambda event, progress: notices.append(event.message) if isinstance(event, Notice) else None,
    )
    assert result.status == "complete" and result.comparison is not None
    assert any(
        f"MLflow at {AWAY} did not answer" in notice and "training continues" in notice for notice in notices
    )
    assert any(
        "write what MLflow lacks with `nas-rnn ui --rebuild away`" in notice for notice in notices[-2:]
    )
    with pytest.raises(NasRnnError, match=r"did not answer; .* not written yet"):
        rebuild_runs(tmp_path / "runs", "away")

    uri = f"sqlite:///{with_store(tmp_path / 'later')}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    rebuild_runs(tmp_path / "runs", "away")
    require_all_in_mlflow(tmp_path / "runs/away", uri)
