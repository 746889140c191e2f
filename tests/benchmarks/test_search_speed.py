"""The times of a search are read from its folder as the benchmark says. Nothing is run or timed."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import search_speed
from search_speed import Times, in_turns, read_times

from nas_rnn.errors import NasRnnError
from nas_rnn.training import EpochRecord, RunResult, RunSpec, RunStore
from nas_rnn.training.store import RESULT, WORKERS

RECORD = EpochRecord(
    epoch=1,
    train_loss=2.0,
    valid_loss=2.0,
    metric=2.0,
    seconds=12.0,
    units_per_second=100.0,
    gradient_norm=1.0,
    clipped=0.0,
    targets=1000,
)
TIMES = Times(
    backend="fused",
    runs=1,
    backends=("fused",),
    cells=("a",),
    whole=9.0,
    search=8.0,
    busy=5.0,
    steps=4.0,
    epochs=4.5,
)


def write_run(folder: Path, role: str, worker: int, start: float, end: float) -> None:
    """Leave what a run leaves that ``worker`` trained for one epoch between the two times."""
    spec = RunSpec(
        id=folder.name,
        role=role,  # type: ignore[arg-type]
        name="n",
        cell=f"cell of {folder.name}",
        hidden_size=4,
        task="char-lm",
        seed=0,
        data_seed=0,
    )
    result = RunResult(
        id=folder.name,
        status="finished",
        reason=None,
        epochs=[RECORD],
        best_epoch=1,
        best_metric=2.0,
        parameters=9,
        test_statistics=None,
        seconds=12.0,
        backend="fused",
    )
    store = RunStore(folder)
    store.write_spec(spec)
    store.append_worker({"pid": worker})
    store.write_result(result)
    os.utime(folder / WORKERS, (start, start))
    os.utime(folder / RESULT, (end, end))


def test_the_times_of_a_search(tmp_path: Path) -> None:
    """Two workers: one is busy from 110 to 135 with a pause, one from 112 to 140; the final does not count."""
    (tmp_path / "search.json").write_text(json.dumps({"began_ms": 100_000}))
    write_run(tmp_path / "trials/baseline", "baseline", 1, 110, 122)
    write_run(tmp_path / "trials/t0000", "candidate", 2, 112, 140)
    write_run(tmp_path / "trials/t0001", "candidate", 1, 130, 135)
    write_run(tmp_path / "trials/final-a-s0", "final", 1, 140, 150)
    found = read_times(tmp_path, "fused", 60.0)
    assert (found.whole, found.search, found.busy) == (60.0, 40.0, 25.0 + 28.0)
    assert (found.steps, found.epochs) == (3 * 1000 / 100.0, 36.0)
    assert found.share == 30.0 / 53.0
    assert found.cells == ("cell of baseline", "cell of t0000", "cell of t0001")
    assert (found.runs, found.backends) == (3, ("fused",))


def test_a_run_that_two_workers_trained_is_refused(tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text(json.dumps({"began_ms": 100_000}))
    write_run(tmp_path / "trials/t0000", "candidate", 2, 112, 140)
    RunStore(tmp_path / "trials/t0000").append_worker({"pid": 3})
    with pytest.raises(NasRnnError, match="t0000 was not trained in one go"):
        read_times(tmp_path, "fused", 60.0)


def test_both_backends_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    run = lambda backend, arguments: replace(TIMES, backend=backend, backends=(backend,))
    monkeypatch.setattr(search_speed, "run_search", run)
    assert [times.backend for times in in_turns(2, [])] == ["fused", "eager", "eager", "fused"]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"backends": ("eager", "fused")}, "ran on eager, fused"), ({"cells": ("b",)}, "different cells")],
)
def test_searches_that_are_not_the_same_are_refused(
    change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(backend: str, arguments: object) -> Times:
        times = replace(TIMES, backend=backend, backends=(backend,))
        return replace(times, **change) if backend == "eager" else times  # type: ignore[arg-type]

    monkeypatch.setattr(search_speed, "run_search", run)
    with pytest.raises(NasRnnError, match=message):
        list(in_turns(1, []))
