"""Whole models of the built-in tasks: plain torch and ONNX give what the task's own model does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

import nas_rnn
from nas_rnn.export import export_files
from nas_rnn.export.onnx_file import onnx_bytes
from nas_rnn.tasks import Task
from nas_rnn.tasks.caption.task import Caption
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.classify import Classify
from nas_rnn.tasks.draw import Draw
from nas_rnn.tasks.glimpses.task import Glimpses
from tests.export.cases import LOAD_AND_COMPARE, alone, write_whole
from tests.export.cases import trained_on as trained
from tests.export.test_onnx import session_of

TASKS: dict[str, Task] = {
    "one_hot": CharLM(),
    "embedding": CharLM(embedding=5),
    "rows": Glimpses(),
    "patches": Glimpses(order="spiral", patch=4, embedding=7, answer="mean"),
    "series": Classify(bidirectional=True),
}

SEVERAL: dict[str, tuple[Task, torch.dtype]] = {
    "pixels": (Draw(), torch.float32),
    "patches": (Draw(by="patch"), torch.float64),
    "caption": (Caption(), torch.float32),
    "picture first": (Caption(fed="first", embedding=0), torch.float32),
}
"""Models that read several inputs; onnxruntime has convolutions of single numbers only."""
AXES = {
    "before": ["time", "batch"],
    "place": ["time", "batch"],
    "piece": ["time", "batch"],
    "given": ["time", "batch"],
    "owner": ["batch"],
    "pictures": ["pictures"],
}


@pytest.mark.parametrize("name", TASKS)
def test_plain_torch(name: str, tmp_path: Path) -> None:
    whole = trained(TASKS[name], layers=2)
    write_whole(whole, tmp_path)
    assert alone(LOAD_AND_COMPARE, tmp_path) == "2\n"


@pytest.mark.parametrize("name", TASKS)
def test_onnx(name: str) -> None:
    """It is compared with torch on the way; here, that it is free of length and batch, and who keeps the state."""
    whole = trained(TASKS[name])
    model = onnx.load_from_string(onnx_bytes(whole))
    inputs = [entry.name for entry in model.graph.input]
    assert inputs == (["inputs", "h_0", "c_0"] if whole.task_model.model.carries_state else ["inputs"])
    assert [entry.name for entry in model.graph.output] == ["outputs", "h_n", "c_n"]
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param for d in dims[:2]] == ["time", "batch"]
    assert {entry.domain for entry in model.opset_import} == {""}


@pytest.mark.parametrize("name", SEVERAL)
def test_onnx_of_several_inputs(name: str) -> None:
    """Every axis is free, also where there is one step or one picture; what is read goes on from any states."""
    task, dtype = SEVERAL[name]
    whole = trained(task)
    bundle = whole.task_model
    assert bundle is not None and isinstance(bundle.example, dict)
    bundle.model.to(dtype)
    content = onnx_bytes(whole)
    model = onnx.load_from_string(content)
    states = ["h", "c"] if isinstance(task, Draw) else []
    axes = {
        entry.name: [dim.dim_param for dim in entry.type.tensor_type.shape.dim if dim.dim_param]
        for entry in (*model.graph.input, *model.graph.output)
    }
    assert axes == {
        **{f"inputs.{one}": AXES[one] for one in bundle.example},
        **{f"{state}_{end}": ["batch"] for state in states for end in "0n"},
        "outputs": ["time", "batch"],
    }
    assert {entry.domain for entry in model.opset_import} == {""}
    session = session_of(content)
    torch.manual_seed(0)
    for size in ({"time": 1, "batch": 1, "pictures": 1}, {"time": 9, "batch": 5, "pictures": 3}):
        inputs = {one: repeated(tensor, AXES[one], size) for one, tensor in bundle.example.items()}
        if "owner" in inputs:
            inputs["owner"] = torch.arange(size["batch"]) % size["pictures"]
        before = tuple(torch.randn(1, size["batch"], 6, dtype=dtype) for _ in states)
        with torch.no_grad():
            outputs, last = bundle.model(inputs, before or None)
        feeds = {f"inputs.{one}": tensor.numpy() for one, tensor in inputs.items()}
        feeds |= {f"{state}_0": tensor.numpy() for state, tensor in zip(states, before, strict=True)}
        tolerance = 1e-5 if dtype == torch.float32 else 1e-10
        for ours, theirs in zip(session.run(None, feeds), [outputs, *(last or ())], strict=True):
            torch.testing.assert_close(torch.from_numpy(ours), theirs, rtol=tolerance, atol=tolerance)


def repeated(tensor: torch.Tensor, axes: list[str], size: dict[str, int]) -> torch.Tensor:
    """Return the tensor with other lengths of its axes, beginning anew at its ends."""
    for place, axis in enumerate(axes):
        tensor = tensor.index_select(place, torch.arange(size[axis]) % tensor.shape[place])
    return tensor


def test_pictures_become_looks_as_in_training(tmp_path: Path) -> None:
    task = TASKS["patches"]
    whole = trained(task)
    write_whole(whole, tmp_path)
    meta: Any = whole.task_model.meta
    pictures = np.random.default_rng(0).integers(0, 17, (3, 8, 8), dtype=np.uint8)
    assert (task.options.order, task.options.patch) == ("spiral", 4)
    expected = task._reading(meta).inputs(pictures, (0,))(np.arange(3))
    np.save(tmp_path / "pictures.npy", pictures)
    printed = alone(
        "import numpy as np, torch\nfrom mine import CLASSES, DEVIATION, LOOKS, MEAN, PIXELS, looks\n"
        "pictures = torch.from_numpy(np.load('pictures.npy'))\n"
        "print(CLASSES[3], looks(pictures, PIXELS, LOOKS, MEAN, DEVIATION).flatten().tolist())",
        tmp_path,
    )
    name, _, values = printed.partition(" ")
    assert name == meta["classes"][3]
    np.testing.assert_allclose(np.array(eval(values)), expected.flatten().numpy(), rtol=1e-5, atol=1e-6)


def test_text_becomes_symbols_as_in_training(tmp_path: Path) -> None:
    whole = trained(TASKS["one_hot"])
    write_whole(whole, tmp_path)
    vocabulary = whole.task_model.meta["vocabulary"]
    printed = alone(
        "from mine import VOCABULARY, decode, encode\n"
        "assert decode(encode(VOCABULARY, VOCABULARY), VOCABULARY) == VOCABULARY\n"
        "print(encode('def', VOCABULARY).tolist())",
        tmp_path,
    )
    assert eval(printed) == [vocabulary.index(character) for character in "def"]


def test_a_task_without_plain_torch_gives_the_layers(tmp_path: Path) -> None:
    class Hidden(CharLM):
        def plain_net(self, meta: Any) -> None:
            return None

    files = export_files(trained(Hidden()), "python", tmp_path / "mine.py")
    source = files[tmp_path / "mine.py"].decode()
    assert "def load_rnn(" in source and "class LanguageModel" not in source and "load_model" not in source


@pytest.mark.parametrize("name", TASKS)
def test_a_folder_of_the_first_format_still_loads(name: str, tmp_path: Path) -> None:
    """There a model was its net, so its weights had no prefix; and no format was written down."""
    bundle = trained(TASKS[name]).task_model
    assert bundle is not None and bundle.example is not None
    for path, content in export_files(trained(TASKS[name]), "torch", tmp_path).items():
        path.write_bytes(content)
    weights = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    earlier = {name.removeprefix("net."): tensor for name, tensor in weights.items()}
    assert not set(earlier) & set(weights)
    safetensors.torch.save_file(earlier, tmp_path / "weights.safetensors")
    content = json.loads((tmp_path / "model.json").read_text())
    assert content.pop("format") == 2
    (tmp_path / "model.json").write_text(json.dumps(content))
    loaded = nas_rnn.load_model(tmp_path)
    with torch.no_grad():
        expected, found = (model(bundle.example, None)[0] for model in (bundle.model, loaded))
    assert torch.equal(found, expected)
