"""The examples run, with the smallest budgets."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.in_process import in_process

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
TINY = {"trials": 1, "epochs": 1, "params": 2000, "tune": 0, "seeds": 1, "controls": "none", "workers": 1}


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_found_cell_learns_in_a_loop_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other take long where tests share the cores
    try:
        losses = example("found_cell_in_training_loop").main()
    finally:
        torch.set_num_threads(threads)
    assert losses[0] > 0.9 * math.log(4)
    assert losses[-1] < 0.5 * losses[0]
    assert capsys.readouterr().out.startswith("RNN(gru, 4, 32, ")


def test_both_searches_end_with_an_answer(
    tmp_path: Path, with_store: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = with_store(tmp_path / "runs")
    searching, space = example("search_your_text"), example("plugin_space")
    options = [text for name, value in TINY.items() for text in (f"--{name}", str(value))]
    with in_process():
        found = searching.main([*options, "--runs", str(runs)])
    assert found.status == "complete" and found.verdict is not None and found.best is not None
    shown = capsys.readouterr().out
    assert found.best.equations in shown and found.verdict in shown
    assert (runs / found.name / "report.html").is_file()

    text = searching.own_text(tmp_path)
    with in_process():
        own = space.main(**TINY, data=text, runs=runs)
    assert own.status == "complete" and own.verdict is not None and own.best is not None
    assert own.best.name.startswith("two_paces_")


def test_mutations_are_proposed_from_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = {"task_options": {"characters": 4_000}, "params": 2_000, "epochs": 1, "most_seeds": 2}
    found = example("propose_mutations").main(1, runs=tmp_path / "runs", **tiny)
    assert [event.kind for event in found._journal.events()][-1] == "ended"
    shown = capsys.readouterr().out
    assert "lstm, seed 2: finished" in shown and "The best so far: " in shown


def test_every_example_says_how_it_is_run_and_is_short() -> None:
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert f"    python examples/{path.name}" in text.split('"""')[1], path
        assert len([line for line in text.splitlines() if line.strip()]) <= 60, path
