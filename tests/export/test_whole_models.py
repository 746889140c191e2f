"""Whole models of the built-in tasks: plain torch and ONNX give what the task's own model does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from nas_rnn.execution import RNN
from nas_rnn.export import Learnt, Trained, example_inputs, export_files
from nas_rnn.export.onnx_file import onnx_bytes
from nas_rnn.plugins import load_cell
from nas_rnn.tasks import Task
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.glimpses.looks import looks
from nas_rnn.tasks.glimpses.task import Glimpses, as_looks
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.model import build_model
from tests.export.cases import alone

TASKS: dict[str, Task] = {
    "one_hot": CharLM(),
    "embedding": CharLM(embedding=5),
    "rows": Glimpses(),
    "patches": Glimpses(order="spiral", patch=4, embedding=7, answer="mean"),
}


def trained(task: Task, layers: int = 1) -> Trained:
    """Return an untrained model of the task's embedded data, as a search would have trained it."""
    data = task.load(None)
    spec = RunSpec(
        id="1",
        role="final",
        name="lstm",
        cell=load_cell("lstm").to_text(),
        hidden_size=6,
        task=task.name,
        task_options=dict(task.options),
        training=TrainingOptions(layers=layers, dropout=0.3),
        seed=1,
        data_seed=0,
    )
    model = build_model(spec, task, data.meta).eval()
    rnn = model.rnn
    assert isinstance(rnn, RNN)
    example = example_inputs(task, data)
    return Trained(
        name="mine",
        rnn=rnn,
        learnt=Learnt(task=task, model=model, spec=spec, meta=data.meta, example=example),
    )


COMPARE = """
import torch
from mine import load_model
from safetensors.torch import load_file  # only to read what is expected

case = load_file("case.expected")
with torch.no_grad():
    outputs, state = load_model()(case["inputs"])
torch.testing.assert_close(outputs, case["outputs"], rtol=1e-6, atol=1e-6)
print(len(state))
"""


@pytest.mark.parametrize("name", TASKS)
def test_plain_torch(name: str, tmp_path: Path) -> None:
    whole = trained(TASKS[name], layers=2)
    learnt = whole.learnt
    assert learnt is not None and learnt.example is not None
    for path, content in export_files(whole, "python", tmp_path / "mine.py").items():
        path.write_bytes(content)
    with torch.no_grad():
        outputs, _ = learnt.model(learnt.example, None)
    case = {"inputs": learnt.example.contiguous(), "outputs": outputs.contiguous()}
    (tmp_path / "case.expected").write_bytes(safetensors.torch.save(case))
    assert alone(COMPARE, tmp_path) == "2\n"


@pytest.mark.parametrize("name", TASKS)
def test_onnx(name: str) -> None:
    """It is compared with torch on the way; here, that it is free of length and batch, and who keeps the state."""
    whole = trained(TASKS[name])
    model = onnx.load_from_string(onnx_bytes(whole))
    inputs = [entry.name for entry in model.graph.input]
    assert inputs == (["inputs", "h_0", "c_0"] if whole.learnt.task.carries_state else ["inputs"])
    assert [entry.name for entry in model.graph.output] == ["outputs", "h_n", "c_n"]
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param for d in dims[:2]] == ["time", "batch"]
    assert {entry.domain for entry in model.opset_import} == {""}


def test_pictures_become_looks_as_in_training(tmp_path: Path) -> None:
    task = TASKS["patches"]
    whole = trained(task)
    for path, content in export_files(whole, "python", tmp_path / "mine.py").items():
        path.write_bytes(content)
    meta: Any = whole.learnt.meta
    pictures = np.random.default_rng(0).integers(0, 17, (3, 8, 8), dtype=np.uint8)
    expected = as_looks(pictures, looks(8, 8, order="spiral", patch=4, overlap=0), meta)
    np.save(tmp_path / "pictures.npy", pictures)
    printed = alone(
        "import numpy as np, torch\nfrom mine import CLASSES, looks\n"
        "print(CLASSES[3], looks(torch.from_numpy(np.load('pictures.npy'))).flatten().tolist())",
        tmp_path,
    )
    name, _, values = printed.partition(" ")
    assert name == meta["classes"][3]
    np.testing.assert_allclose(np.array(eval(values)), expected.flatten().numpy(), rtol=1e-5, atol=1e-6)


def test_text_becomes_symbols_as_in_training(tmp_path: Path) -> None:
    whole = trained(TASKS["one_hot"])
    for path, content in export_files(whole, "python", tmp_path / "mine.py").items():
        path.write_bytes(content)
    vocabulary = whole.learnt.meta["vocabulary"]
    printed = alone(
        "from mine import VOCABULARY, decode, encode\n"
        "assert decode(encode(VOCABULARY)) == VOCABULARY\nprint(encode('def').tolist())",
        tmp_path,
    )
    assert eval(printed) == [vocabulary.index(character) for character in "def"]


def test_a_task_without_plain_torch_gives_the_layers(tmp_path: Path) -> None:
    class Hidden(CharLM):
        def plain_model(self, meta: Any) -> None:
            return None

    files = export_files(trained(Hidden()), "python", tmp_path / "mine.py")
    source = files[tmp_path / "mine.py"].decode()
    assert "def load_rnn(" in source and "class Model" not in source
