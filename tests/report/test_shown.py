"""What figures are in stands in the folder, so that a report needs no task; where it does not, the task is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.publishing.report_data import gather

sys.path.insert(0, str(Path(__file__).resolve().parent))
from folders import Folder

QUANTITY = {
    "name": "hits",
    "unit": "hits a throw",
    "direction": "maximize",
    "margin": 0.1,
    "margin_kind": "absolute",
}
SHOWN = {"metric": QUANTITY, "monitor": {**QUANTITY, "unit": "misses"}, "unit": "throws"}


def folder_with(runs: Path, facts: Any, task: str = "a-plugin's") -> Folder:
    folder = Folder(runs, "search", "search", space="mine", strategy="tpe", trials=0, task=task)
    folder.folder.write_json("data.json", facts)
    return folder


def test_a_task_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    report = gather(folder_with(tmp_path, {"shown": SHOWN}).folder)
    assert (report.metric.unit, report.monitor.unit, report.unit) == ("hits a throw", "misses", "throws")
    assert report.monitor.better(2.0, 1.0)


def test_a_folder_of_before_is_shown_by_its_task(tmp_path: Path) -> None:
    report = gather(folder_with(tmp_path / "a", {"units": {"bpc": "bits a sign"}}, "char-lm").folder)
    assert report.unit == "characters"
    with pytest.raises(UserError, match="a-plugin"):
        gather(folder_with(tmp_path / "b", {}).folder)


@pytest.mark.parametrize(
    "damaged",
    [{"shown": 3}, {"shown": {**SHOWN, "metric": {"name": "hits"}}}, {"shown": {"metric": QUANTITY}}, [1], 3],
)
def test_damaged_facts_are_told_with_their_place(tmp_path: Path, damaged: Any) -> None:
    folder = folder_with(tmp_path, damaged)
    with pytest.raises(NasRnnError, match=r"search/data\.json is damaged"):
        gather(folder.folder)
