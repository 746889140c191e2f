"""A store comes into being whole, once, and in silence, however many programs start at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nas_rnn.tracking import default_uri

if TYPE_CHECKING:
    from conftest import Store

START = """if True:
    import sys
    from pathlib import Path
    from nas_rnn.tracking import RunView, Tracker, default_uri
    folder, name = Path(sys.argv[1]), sys.argv[2]
    with Tracker(default_uri(folder), "one experiment", folder / "artifacts") as tracker:
        tracker.put(RunView(key=name, name=name, start_ms=1, metrics={"n": 1.0}, artifacts={"a": "b"}))
        assert tracker.flush(120), tracker.problems
    assert tracker.failures == 0, tracker.failures
"""


def test_three_searches_start_at_once_on_a_new_store(
    tmp_path: Path, read_store: Callable[[str, str], Store]
) -> None:
    folder = tmp_path / "not there yet" / "runs"
    elsewhere = tmp_path / "current folder"
    elsewhere.mkdir()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(folder), f"search-{number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=elsewhere,
        )
        for number in range(3)
    ]
    for process in started:
        printed, _ = process.communicate(timeout=180)
        assert (process.returncode, printed.decode()) == (0, "")
    runs = read_store(default_uri(folder), "one experiment").runs()
    assert sorted(run.info.run_name for run in runs) == ["search-0", "search-1", "search-2"]
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", ".mlflow.db.lock", "artifacts"}
    assert list(elsewhere.iterdir()) == []


def test_the_default_store_lies_beside_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_uri(Path("runs")) == f"sqlite:///{tmp_path}/runs/mlflow.db"
