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
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.classify import Classify
from nas_rnn.tasks.glimpses.task import Glimpses
from tests.export.cases import LOAD_AND_COMPARE, alone, write_whole
from tests.export.cases import trained_on as trained

TASKS: dict[str, Task] = {
    "one_hot": CharLM(),
    "embedding": CharLM(embedding=5),
    "rows": Glimpses(),
    "patches": Glimpses(order="spiral", patch=4, embedding=7, answer="mean"),
    "series": Classify(bidirectional=True),
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
