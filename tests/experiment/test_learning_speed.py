"""A comparison times a training step of each contender that has a learning speed, by itself, after its final."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.comparison import Comparison, LearningSpeed, with_learning_speeds
from nas_rnn.experiment.events import Event, PhaseStarted, Progress, RunEnded
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.training import Diverged
from tests.experiment_runs import TINY_RUNS, write_text
from tests.in_process import in_process

OPTIONS: dict[str, Any] = {**TINY_RUNS, "tune": 0, "backend": "eager"}


@pytest.fixture(autouse=True)
def _engine() -> Iterator[None]:
    with in_process():
        yield


@pytest.fixture
def _ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contender comes to the level after half the targets: tiny runs may or may not come to it."""

    def known(comparison: Comparison, *given: Any) -> Comparison:
        found = with_learning_speeds(comparison, *given)
        rows = []
        for row in found.contenders:
            assert isinstance(row.learning_speed, LearningSpeed)
            speed = replace(row.learning_speed, ratio=0.5, ci95=(0.4, 0.6), reason="")
            rows.append(replace(row, learning_speed=speed))
        return replace(found, contenders=tuple(rows))

    monkeypatch.setattr("nas_rnn.experiment.stages.speed.with_learning_speeds", known)


def compare(folder: Path, *cells: str, **more: Any) -> tuple[nas_rnn.Result, list[Event]]:
    events: list[Event] = []

    def observer(event: Event, progress: Progress) -> None:
        events.append(event)

    options = {**OPTIONS, "data": write_text(folder / "text.txt"), "runs": folder / "runs", "name": "duel"}
    return nas_rnn.compare(*cells, **{**options, **more}, observer=observer), events


@pytest.mark.usefixtures("_ratio")
def test_steps_are_timed_after_all_final_runs_and_kept(tmp_path: Path) -> None:
    result, events = compare(tmp_path, "gru", "rnn")
    (place,) = [
        n for n, event in enumerate(events) if isinstance(event, PhaseStarted) and event.phase == "timing"
    ]
    assert all(n < place for n, event in enumerate(events) if isinstance(event, RunEnded))
    kept = RunReader(RunFolder(tmp_path / "runs", "duel")).comparison()
    assert kept is not None and kept == result.comparison
    for row in kept.contenders:
        speed = row.learning_speed
        assert speed is not None and speed.seconds_per_target and speed.baseline_seconds_per_target
        assert 1e-8 < speed.seconds_per_target < 1e-2
    assert "timing" not in [spec.id for spec, _ in RunReader(RunFolder(tmp_path / "runs", "duel")).runs()]
    page = (tmp_path / "runs/duel/report.html").read_text(encoding="utf-8")
    assert "Learning speed" in page and "0.50 [0.40, 0.60]" in page


@pytest.mark.usefixtures("_ratio")
def test_what_cannot_be_timed_costs_the_seconds_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(specs: list[Any], *given: Any) -> list[float]:
        raise Diverged("loss became nan", epoch=1, step=0) if specs[1].name == "gru" else RuntimeError("no")

    monkeypatch.setattr("nas_rnn.training.timing.seconds_per_target", broken)
    result, _ = compare(tmp_path, "gru")
    assert result.comparison is not None and result.comparison.contenders[0].learning_speed is not None
    assert result.comparison.contenders[0].learning_speed.seconds_ratio is None
    assert not any("training step" in notice for notice in result.notices)
    result, _ = compare(tmp_path, "rnn", name="other")
    assert result.comparison is not None
    assert "the time of a training step was not measured: RuntimeError: no" in result.notices


def test_nothing_is_timed_where_there_is_no_ratio(tmp_path: Path) -> None:
    result, events = compare(tmp_path, "gru")
    assert not any(isinstance(event, PhaseStarted) and event.phase == "timing" for event in events)
    (row,) = json.loads((tmp_path / "runs/duel/comparison.json").read_text())["contenders"]
    assert row["learning_speed"]["ratio"] is None and row["learning_speed"]["reason"]
    assert result.comparison is not None
