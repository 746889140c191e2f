"""What stands above the table of runs: the answers of one task's searches, whatever else lies beside them."""

from __future__ import annotations

import json
from pathlib import Path

from nas_rnn.publishing.overview import MOST, task_note


def _folder(runs: Path, name: str, began: int, answer: str | None, task: str = "char-lm") -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'task = "{task}"\n')
    (folder / "search.json").write_text(json.dumps({"id": f"id-{name}", "began_ms": began}))
    if answer is not None:
        (folder / "comparison.json").write_text(json.dumps({"sentence": answer}))
    return folder


def test_the_newest_answer_is_the_first_line_and_unfinished_ones_come_last(tmp_path: Path) -> None:
    _folder(tmp_path, "old", 1, "`a` is worse.")
    (_folder(tmp_path, "new", 2, "`b` is <better>.") / "report.html").touch()
    _folder(tmp_path, "running", 3, None)
    _folder(tmp_path, "pictures", 4, "another task", task="glimpses")
    lines = task_note(tmp_path, "char-lm").split("\n\n")
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
    assert task_note(tmp_path, "char-lm").split("\n\n")[0] == "**[sound](run:id-sound)**: fine"
    assert task_note(tmp_path, "char-lm").count("run:") == 1


def test_only_the_newest_are_listed(tmp_path: Path) -> None:
    for number in range(MOST + 2):
        _folder(tmp_path, f"s{number:02}", number, "fine")
    note = task_note(tmp_path, "char-lm")
    assert note.count("run:") == MOST and "s11" in note and "s01" not in note
    assert "... and 2 earlier ones." in note
