"""``nas-rnn export``: what it writes, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import nas_rnn
from nas_rnn.plugins import load_cell
from tests.cli.conftest import Run

SIZES = ("--input-size", 4, "--hidden-size", 8)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_cell_goes_with_fresh_weights_of_the_seed(run: Run) -> None:
    outcome = run("export", "gru", *SIZES, "--layers", 2, "--bidirectional", "--seed", 3)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Wrote:\n  gru-model/")
    loaded = nas_rnn.load_model("gru-model")
    torch.manual_seed(3)
    expected = nas_rnn.RNN(load_cell("gru"), 4, 8, 2, bidirectional=True)
    for name, value in expected.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


@pytest.mark.parametrize(("format", "files"), [("python", ["a.pt", "a.py"]), ("onnx", ["a.onnx"])])
def test_formats(run: Run, tmp_path: Path, format: str, files: list[str]) -> None:
    output = tmp_path / files[-1]
    outcome = run("export", "lstm", *SIZES, "--format", format, "--output", output)
    assert (outcome.code, outcome.err) == (0, "")
    assert [path.name for path in sorted(tmp_path.glob("a.*"))] == files
    again = run("export", "lstm", *SIZES, "--format", format, "--output", output)
    assert again.code == 2 and f"{str(output)!r} is there already" in again.err


def test_a_cell_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.cell").write_text(load_cell("mgu").to_text())
    assert run("export", "mine.cell", *SIZES, "--format", "python").code == 0
    assert (tmp_path / "mgu.py").is_file()


MISTAKES = {
    ("lstm",): "'lstm' is a cell, which has no weights of its own; give --input-size and --hidden-size",
    ("lstm", "--input-size", 4): "needs both sizes; --hidden-size is missing",
    ("lstmm",): "did you mean 'lstm'?",
    ("lstm", "--format", "onx", *SIZES): "there is no format 'onx'; did you mean 'onnx'?",
    ("lstm", "--format", "onnx", "--output", "a.py", *SIZES): "does not end in .onnx",
    ("lstm", "--hidden-size", 0): "a whole number from 1 is needed",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_mistakes_are_told(run: Run, tmp_path: Path, arguments: tuple[object, ...]) -> None:
    outcome = run("export", *arguments)
    assert outcome.code == 2 and outcome.out == ""
    assert MISTAKES[arguments] in outcome.err and "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_a_mistake(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("nas_rnn.export.onnx_file._NEEDED", ("onnx", "no_such_library"))
    outcome = run("export", "lstm", *SIZES, "--format", "onnx")
    assert outcome.code == 2
    assert "needs no_such_library, not installed here" in outcome.err
    assert "pip install 'nas_rnn[export]'" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_search_is_told(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "begun"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('task = "char-lm"\n')
    outcome = run("export", "begun")
    assert outcome.code == 2 and "'begun' has no final weights yet" in outcome.err
    refused = run("export", "begun", "--layers", 2)
    assert refused.code == 2 and "are for cells with fresh weights" in refused.err
