"""Models with several recurrent nets, in both directions, without a net, with inputs by name: what goes, and what is
told of the rest."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest
import safetensors.torch
import torch

import nas_rnn
from nas_rnn import plugins
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.export import export_files, load_folder
from nas_rnn.export.onnx_file import onnx_bytes
from nas_rnn.publishing.champion import champion_view
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks import Task, TaskModel
from nas_rnn.tasks.data import EVALUATION
from tests.export.cases import LOAD_AND_COMPARE, ROOT, alone, write_whole
from tests.export.cases import trained_on as trained
from tests.export.odd_tasks import Bidirectional, ByName, Misfit, OfOneLength, Scattered, Two, Unseen

TASKS: dict[str, type[Task]] = {kind.name: kind for kind in (Bidirectional, Two, Scattered, ByName, Misfit)}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tasks; whatever is loaded from it is forgotten afterwards."""
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.syspath_prepend(str(ROOT))
    folder = tmp_path / "plugins"
    folder.mkdir()
    names = ", ".join(kind.__name__ for kind in TASKS.values())
    (folder / "odd.py").write_text(f"from tests.export.odd_tasks import {names}\n")
    return folder


@pytest.mark.parametrize("name", TASKS)
def test_the_folder_gives_the_same_loss(name: str, tmp_path: Path, plugin: Path) -> None:
    whole = trained(TASKS[name](), layers=2)
    for path, content in export_files(whole, "torch", tmp_path / "model").items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    loaded = nas_rnn.load_model(tmp_path / "model", plugins=[plugin])
    assert isinstance(loaded, TaskModel) and not loaded.training and whole.task_model is not None
    (batch,) = whole.task_model.task.batches(whole.task_model.task.load(None), "valid", EVALUATION)
    with torch.no_grad():
        expected, found = whole.task_model.model.loss(batch, None)[0], loaded.loss(batch, None)[0]
    assert torch.equal(found.total, expected.total)


@pytest.mark.parametrize("name", ["odd-bidirectional", "odd-two-nets"])
def test_plain_torch_has_every_net(name: str, tmp_path: Path) -> None:
    write_whole(trained(TASKS[name](), layers=2), tmp_path)
    assert int(alone(LOAD_AND_COMPARE, tmp_path)) == (2 if name == "odd-bidirectional" else 4)


def test_plain_torch_of_a_model_without_a_net_has_its_layers(tmp_path: Path) -> None:
    whole = trained(Scattered())
    source = export_files(whole, "python", tmp_path / "mine.py")[tmp_path / "mine.py"].decode()
    assert "def load_rnn(" in source and "load_model" not in source


def test_onnx_of_layers_that_read_in_both_directions() -> None:
    """It is compared with torch on the way."""
    assert onnx_bytes(trained(Bidirectional(), layers=2))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Two, "needs one net with one recurrent net right in it, not front, back.layers"),
        (Scattered, "needs a model that is one net; this one has no attribute `net`"),
        (
            Misfit,
            "needs inputs with the axes (time, batch, ...), or with those that the task's `input_axes` says",
        ),
    ],
)
def test_onnx_says_what_it_cannot_do(kind: type[Task], reason: str) -> None:
    with pytest.raises(NasRnnError, match=re.escape(reason)) as raised:
        onnx_bytes(trained(kind()))
    assert repr(kind.name) in str(raised.value) and "--format torch has all of it" in str(raised.value)


def test_onnx_of_inputs_by_name() -> None:
    """It is compared with torch on the way; here, that the names are there and every axis is free."""
    model = onnx.load_from_string(onnx_bytes(trained(ByName())))
    dims = {
        entry.name: [dim.dim_param or dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        for entry in model.graph.input
    }
    assert dims == {"inputs.left": ["time", "batch", 3], "inputs.right": ["time", "batch", 3]}


def test_onnx_that_is_not_free_of_its_length_is_not_written() -> None:
    with pytest.raises(NasRnnError, match="cannot compute what torch does; nothing was written"):
        onnx_bytes(trained(OfOneLength()))


def test_onnx_says_what_the_exporter_could_not_follow() -> None:
    with pytest.raises(NasRnnError, match=r"'odd-unseen' cannot be exported to ONNX: not on Sundays$"):
        onnx_bytes(trained(Unseen()))


@pytest.mark.parametrize(
    ("kind", "registered"), [(Two, True), (Scattered, False), (ByName, True), (Misfit, False)]
)
def test_what_can_be_served_is_registered(
    kind: type[Task], registered: bool, tmp_path: Path, plugin: Path
) -> None:
    plugins.use_folders([plugin])
    folder = RunFolder(tmp_path / "runs", "mine")
    folder.best.mkdir(parents=True)
    for path, content in export_files(trained(kind()), "torch", folder.best).items():
        path.write_bytes(content)
    view = champion_view(folder, "", [str(plugin)])
    assert (view is not None) is registered
    if view is not None:
        shapes = {Two: (-1, -1, 3), ByName: {"left": (-1, -1, 3), "right": (-1, -1, 3)}}
        assert (view.input_shape, view.output_shape) == (shapes[kind], (-1, -1, 4))


def test_inputs_by_name_are_kept_as_an_example(tmp_path: Path, plugin: Path) -> None:
    """All steps of two sequences, each a tensor of its own; they come back as they were."""
    whole = trained(ByName())
    for path, content in export_files(whole, "torch", tmp_path / "model").items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    kept = safetensors.torch.load_file(tmp_path / "model" / "example.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in kept.items()} == {
        "inputs.left": (12, 2, 3),
        "inputs.right": (12, 2, 3),
    }
    plugins.use_folders([plugin])
    expected, found = (each.task_model.example for each in (whole, load_folder(tmp_path / "model")))
    assert isinstance(expected, dict) and isinstance(found, dict)
    assert sorted(found) == sorted(expected) == ["left", "right"]
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_the_name_of_an_input_holds_only_what_is_seen(tmp_path: Path, plugin: Path) -> None:
    for path, content in export_files(trained(ByName()), "torch", tmp_path / "model").items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    place = tmp_path / "model" / "example.safetensors"
    safetensors.torch.save_file({"inputs.left\r": torch.zeros(3, 2, 3)}, place)
    plugins.use_folders([plugin])
    with pytest.raises(UserError, match=r"example.safetensors: the name of a tensor holds '\\r'"):
        load_folder(tmp_path / "model")


def test_inputs_whose_axes_nothing_says_are_no_example(tmp_path: Path) -> None:
    """And none is needed for what is written."""
    whole = trained(Misfit())
    assert whole.task_model is not None and whole.task_model.example is None
    files = export_files(whole, "torch", tmp_path)
    assert sorted(path.name for path in files) == ["cell.cell", "model.json", "weights.safetensors"]
    assert safetensors.torch.load(files[tmp_path / "weights.safetensors"])
