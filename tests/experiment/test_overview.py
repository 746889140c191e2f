"""What stands above the table of runs: the answers of one task and its data, whatever else lies beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nas_rnn.experiment import dashboard
from nas_rnn.publishing.overview import MOST, data_note


def _folder(
    runs: Path, name: str, began: int, answer: str | None, task: str = "char-lm", digest: str | None = None
) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'task = "{task}"\n')
    (folder / "search.json").write_text(json.dumps({"id": f"id-{name}", "began_ms": began}))
    if answer is not None:
        (folder / "comparison.json").write_text(json.dumps({"sentence": answer}))
    if digest is not None:
        facts = {"digest": digest, "name": "input`.txt", "source": "/a/input`.txt"}
        (folder / "data.json").write_text(json.dumps(facts))
    return folder


def test_the_newest_answer_is_the_first_line_and_unfinished_ones_come_last(tmp_path: Path) -> None:
    _folder(tmp_path, "old", 1, "`a` is worse.")
    (_folder(tmp_path, "new", 2, "`b` is <better>.") / "report.html").touch()
    _folder(tmp_path, "running", 3, None)
    _folder(tmp_path, "pictures", 4, "another task", task="glimpses")
    lines = data_note(tmp_path, "char-lm", None).split("\n\n")
    assert lines[:3] == [
        "**[new](run:id-new)** ([report](run:id-new|artifacts/report.html)): `b` is &lt;better&gt;.",
        "**[old](run:id-old)**: `a` is worse.",
        "**[running](run:id-running)**: *not finished*",
    ]
    assert "`gap_to_lstm`" in lines[3] and len(lines) == 4


def test_damaged_folders_are_left_out(tmp_path: Path) -> None:
    _folder(tmp_path, "sound", 1, "fine")
    (_folder(tmp_path, "a", 2, "x") / "config.toml").write_text("task = ")
    (_folder(tmp_path, "b", 3, "x") / "comparison.json").write_text("{")
    (_folder(tmp_path, "c", 4, "x") / "search.json").write_text("{}")
    (_folder(tmp_path, "d", 5, "x") / "search.json").unlink()
    assert data_note(tmp_path, "char-lm", None).split("\n\n")[0] == "**[sound](run:id-sound)**: fine"
    assert data_note(tmp_path, "char-lm", None).count("run:") == 1


def test_only_the_newest_are_listed(tmp_path: Path) -> None:
    for number in range(MOST + 2):
        _folder(tmp_path, f"s{number:02}", number, "fine")
    note = data_note(tmp_path, "char-lm", None)
    assert note.count("run:") == MOST and "s11" in note and "s01" not in note
    assert "... and 2 earlier ones." in note


def test_searches_on_other_data_are_not_listed(tmp_path: Path) -> None:
    _folder(tmp_path, "one", 1, "fine", digest="d1")
    _folder(tmp_path, "two", 2, "fine", digest="d2")
    _folder(tmp_path, "old", 3, "fine")
    facts = json.loads((tmp_path / "one" / "data.json").read_text())
    lines = data_note(tmp_path, "char-lm", facts).split("\n\n")
    assert lines[0] == "**[one](run:id-one)**: fine" and len(lines) == 2
    assert lines[1].startswith("Runs on the task `char-lm` and the data input&#96;.txt (d1).")


def test_the_dashboard_opens_at_the_data_of_the_latest_search_or_of_the_one_that_was_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    asked: list[str] = []
    monkeypatch.setattr(dashboard, "experiment_url", lambda url, wanted, uri: asked.append(wanted.key) or url)
    monkeypatch.setattr(dashboard, "rebuild_runs", lambda runs, name: None)
    for age, name in enumerate(("first", "second")):
        config = _folder(tmp_path, name, age, None, digest=name) / "config.toml"
        os.utime(config, (1000 + age, 1000 + age))
    dashboard.ui(runs=tmp_path)
    dashboard.ui(runs=tmp_path, rebuild="first")
    assert asked == ["id-second", "id-first"]
    (tmp_path / "second" / "search.json").write_text("{")
    dashboard.ui(runs=tmp_path)
    assert asked[2:] == [""], "a damaged folder: only whether the server answers is asked"
