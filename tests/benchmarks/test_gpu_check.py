"""The check of a GPU, in small and without one. What it times is not looked at."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import gpu_check
from gpu import parity, timing
from gpu.contenders import Contender, Ours, contenders
from gpu.figures import OVERDUE, Figures, end_in_time
from gpu.parity import answer, parity_cells, questions
from gpu.timing import measured
from speed.rows import Shape

pytest.importorskip("triton")
SHAPE = Shape(2, 2, 3, 4)
CPU = torch.device("cpu")


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", *options])
    return gpu_check.main()


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out == "" and "no GPU" in told.err and "nothing was measured" in told.err


def test_all_of_it_in_small(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(timing, "FEWEST", 1)
    path = tmp_path / "found.json"
    assert run(monkeypatch, "--interpreter", "--together", "1", "--json", str(path)) == 0
    found = json.loads(path.read_text())
    assert "not a GPU" in found["machine"]["device"]
    assert {row["loop"] for row in found["parity"]} == {"auto", "persistent", "stepwise", "graphed"}
    assert {row["products"] for row in found["parity"]} == {"float32", "bfloat16"}
    assert all(row["right"] and row["problem"] is None for row in found["parity"])
    assert {"ours", "nn.LSTM", "eager", "ours, persistent", "ours, graphed"} <= {
        row["peer"] for row in found["times"]
    }
    assert all(row["ms"] > 0 and row["problem"] is None for row in found["times"])
    assert [(row["count"], row["problem"]) for row in found["together"]] == [(1, None)]
    assert found["left_out"] == [] and found["took"] < found["seconds"]
    shown = capsys.readouterr().out
    assert (
        f"parity: {len(found['parity'])} of {len(found['parity'])} right" in shown and "candidates" in shown
    )


def test_a_wrong_result_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (question, *_) = questions(parity_cells(("rnn",), 0), small=True)
    assert answer(question, CPU, 0)["right"]
    right = parity.run_triton

    def wrong(*arguments: Any) -> Any:
        output, finals = right(*arguments)
        return output * 1.001, finals

    monkeypatch.setattr(parity, "run_triton", wrong)
    row = answer(question, CPU, 0)
    assert not row["right"] and 1e-4 < row["error"] < 1e-2 and not row["moved"]
    turns: list[int] = []

    def moves(*arguments: Any) -> Any:
        turns.append(0)
        output, finals = right(*arguments)
        return output + 1e-6 * len(turns), finals

    monkeypatch.setattr(parity, "run_triton", moves)
    row = answer(question, CPU, 0)
    assert row["moved"] and not row["right"]


def test_no_memory_and_errors_are_told_and_the_rest_goes_on() -> None:
    def no_memory() -> Any:
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1.00 GiB "
            "is free."
        )

    row = measured("lstm", SHAPE, Contender("large", no_memory, "eager"), CPU, 0.0)
    assert row["ms"] is None and "9.00 GiB more were asked for, GPU 0 has 8.00 GiB" in row["problem"]
    row = measured("lstm", SHAPE, Contender("none", lambda: 1 / 0, "eager"), CPU, 0.0)  # type: ignore[arg-type,return-value]
    assert row["problem"] == "ZeroDivisionError: division by zero"
    row = measured("lstm", SHAPE, next(contenders("lstm", SHAPE, has_gpu=False)), CPU, 0.0)
    assert row["problem"] is None and row["ms"] > 0


def test_who_is_timed_on_a_gpu() -> None:
    def names(cell: str) -> set[str]:
        return {contender.name for contender in contenders(cell, SHAPE, has_gpu=True)}

    common = {"ours", "eager", "naive", "torch.compile"}
    assert names("mingru") == common
    loops = {"ours, persistent", "ours, stepwise", "ours, graphed"}
    assert names("nascell") == common | loops
    torchs = {"nn.GRU", "nn.GRU, tf32", "nn.GRU, bfloat16", "ours, tf32"}
    assert common | loops | torchs <= names("gru")
    for contender in contenders("lstm", SHAPE, has_gpu=True):
        known = {other.name for other in contenders("lstm", SHAPE, has_gpu=True)}
        assert contender.against in known
    assert isinstance(next(contenders("gru", SHAPE, has_gpu=True)).make(), Ours)


def test_what_there_is_no_time_for_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "found.json"
    assert (
        run(monkeypatch, "--interpreter", "--seconds", "11", "--only", "together", "--json", str(path)) == 0
    )
    assert json.loads(path.read_text())["left_out"] == [f"{n} candidates together" for n in (1, 2, 4)]
    figures = Figures(1.0, path, {})
    figures.began -= 10
    gpu_check._parity(figures, CPU, True)
    gpu_check._times(figures, CPU, True)
    assert figures.parity == figures.times == []
    assert figures.left_out[0] == "parity from lstm (persistent) on"
    assert len(figures.left_out) == 1 + len(list(contenders("lstm", SHAPE, has_gpu=False)))


def test_when_the_time_is_over_it_ends_with_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    figures = Figures(0.0, path, {"device": "none"})
    ended: list[int] = []
    clock = end_in_time(figures, Console(file=(tmp_path / "shown").open("w")), ended.append)
    until = time.monotonic() + 20
    while not ended and time.monotonic() < until:
        time.sleep(0.05)
    clock.join()
    assert ended == [OVERDUE]
    assert json.loads(path.read_text())["left_out"] == ["what ran when the time was over"]
