"""The folder of an exported model: what is in it, what `load_model` gives, and what is wrong with a broken one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

import nas_rnn
from nas_rnn.cells import Cell, operations, parse_cell
from nas_rnn.cells.graph.operations import Operation, register_operation, restore_operations
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.marks import KEY
from nas_rnn.export import ExportBundle, export_files
from nas_rnn.plugins import load_cell
from tests.export.cases import moved


def written(folder: Path, rnn: RNN) -> Path:
    folder.mkdir()
    for path, content in export_files(ExportBundle(name="mine", rnn=rnn), "torch", folder).items():
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layers_come_back(tmp_path: Path, dtype: torch.dtype) -> None:
    rnn = moved(load_cell("lstm"), num_layers=2, bidirectional=True, dtype=dtype)
    loaded = nas_rnn.load_model(written(tmp_path / "model", rnn))
    assert isinstance(loaded, RNN) and not loaded.training
    x = torch.randn(5, 3, 4, dtype=dtype)
    with torch.no_grad():
        assert torch.allclose(loaded(x)[0], rnn(x)[0], rtol=1e-6, atol=1e-6)


def test_there_is_nothing_to_execute_in_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "model", moved(load_cell("gru")))
    assert sorted(path.name for path in folder.iterdir()) == [
        "cell.cell",
        "model.json",
        "weights.safetensors",
    ]
    assert parse_cell((folder / "cell.cell").read_text()) == load_cell("gru")
    assert json.loads((folder / "model.json").read_text())["rnn"]["hidden_size"] == 8


def test_operations_of_plugins_travel_with_it(tmp_path: Path) -> None:
    before = operations()
    try:
        register_operation(Operation(name="travels", value="a * sigmoid(a)", derivative=("1",)))
        cell: Cell = parse_cell("@cell\ndef c(x, h):\n    return travels(linear(x, h))\n")
        rnn = moved(cell)
        folder = written(tmp_path / "model", rnn)
        with torch.no_grad():
            expected = float(rnn(torch.ones(3, 1, 4))[0].sum())
    finally:
        restore_operations(before)
    code = (
        "import torch, nas_rnn\n"
        f"model = nas_rnn.load_model({str(folder)!r})\n"
        "with torch.no_grad():\n    print(float(model(torch.ones(3, 1, 4))[0].sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(expected, abs=1e-5)


def test_folders_from_before_state_dicts_told_their_cell(tmp_path: Path) -> None:
    rnn = moved(load_cell("lstm"), dtype=torch.float64)
    weights = (folder := written(tmp_path / "model", rnn)) / "weights.safetensors"
    tensors = safetensors.torch.load_file(weights)
    del tensors[KEY]
    safetensors.torch.save_file(tensors, weights)
    loaded = nas_rnn.load_model(folder)
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(loaded(x)[0], rnn(x)[0])


def test_weights_of_another_cell_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "model", moved(load_cell("lstm")))
    text = (folder / "cell.cell").read_text()
    (folder / "cell.cell").write_text(text.replace("o * tanh(c)", "o * c"))
    with pytest.raises(NasRnnError, match=r"cannot be read: the weights are of another cell called 'lstm'"):
        nas_rnn.load_model(folder)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no exported model: it has no model\.json"):
        nas_rnn.load_model(tmp_path)
    folder = written(tmp_path / "model", moved(load_cell("gru")))
    content = json.loads((folder / "model.json").read_text())
    content["rnn"]["hidden_size"] = 9
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(NasRnnError, match=r"cannot be read: Error.* loading state_dict"):
        nas_rnn.load_model(folder)
    (folder / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(NasRnnError, match="cannot be read"):
        nas_rnn.load_model(folder)
