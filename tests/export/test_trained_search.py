"""A finished search, taken home in every way: the same metric, and MLflow's registered model."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow.models import validate_serving_input

import nas_rnn
from nas_rnn.catalogue.saved import export
from nas_rnn.experiment.dashboard import rebuild_runs
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tracking import default_uri
from tests.export.cases import ROOT, alone
from tests.finished import TEXT, Finished

DOCUMENTED = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def place(finished_search: Finished, tmp_path_factory):
    """A folder with a finished search called ``mine``, and its model in all formats."""
    folder = finished_search.copied(tmp_path_factory.mktemp("home"))
    for format, output in (("torch", "mine-model"), ("python", "mine.py"), ("onnx", "mine.onnx")):
        export("mine", format=format, output=folder / output, runs=folder / "runs")
    return folder


@pytest.fixture(scope="module")
def measured(place) -> float:
    """What the run that made the model measured on the test part."""
    spec = json.loads((place / "runs/mine/best/model.json").read_text())["spec"]
    result = json.loads((place / "runs/mine/trials" / spec["id"] / "result.json").read_text())
    sums = result["test_statistics"]
    return sum(sums["bits"]) / sum(sums["characters"])


def test_the_whole_model_comes_back(place, measured):
    """From the exported folder and from the search's own: the test metric of the search."""
    from nas_rnn.tasks.char_lm import CharLM

    task = CharLM(embedding=6)
    data: TaskData = task.load(place / TEXT)
    for folder in (place / "mine-model", place / "runs/mine/best"):
        model = nas_rnn.load_model(folder)
        assert not model.training
        state, bits, characters = None, 0.0, 0
        with torch.no_grad():
            for batch in task.batches(data, "test", EVALUATION):
                loss, state = model.loss(batch, state)
                if batch.context:
                    continue
                bits += float(loss.statistics["bits"].sum())
                characters += int(loss.statistics["characters"].sum())
        assert characters == len(data.part("test")["codes"]) - 1
        assert bits / characters == pytest.approx(measured, abs=1e-4)


def test_the_python_file_gives_the_same_metric_without_nas_rnn(place, measured):
    """By the program that the documentation shows."""
    (program,) = [text for text in DOCUMENTED if "from mine import" in text]
    assert float(alone(program, place).split()[0]) == pytest.approx(measured, abs=1e-4)


def test_the_onnx_model_gives_the_same_metric_without_nas_rnn(place, measured):
    """By the documentation's program, on the symbols that the one for the Python file makes."""
    (reading,) = [text for text in DOCUMENTED if "from mine import" in text]
    (running,) = [text for text in DOCUMENTED if "onnxruntime" in text]
    program = (
        reading.split("model = load_model()")[0]
        + running
        + "logits = torch.from_numpy(predict(symbols[places].numpy()))\n"
        "nats = torch.nn.functional.cross_entropy(logits[inside], symbols[places + 1][inside])\n"
        "print(nats.item())"
    )
    *_, last = alone(program, place).split()
    assert float(last) / math.log(2) == pytest.approx(measured, abs=1e-4)


def test_the_documented_programs_run(place):
    """Those that need no nas_rnn have been run above."""
    others = [text for text in DOCUMENTED if "from mine import" not in text and "onnxruntime" not in text]
    assert len(others) == len(DOCUMENTED) - 2
    for program in others:
        done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, f"{program}\n{done.stderr}"
        assert done.stdout.strip()


def test_what_was_exported_is_told(place, measured, tmp_path):
    exported = export("mine", format="python", output=tmp_path / "a.py", runs=place / "runs")
    assert exported.files == [tmp_path / "a.py", tmp_path / "a.pt"]
    assert exported.tested == pytest.approx(measured) and exported.unit == "bits per character"


def test_a_search_that_kept_no_example_is_exported_from_its_data(place, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(place / "runs" / "mine", runs / "mine")
    (runs / "mine/best/example.safetensors").unlink()
    assert export("mine", format="onnx", output=tmp_path / "a.onnx", runs=runs).files == [tmp_path / "a.onnx"]


@pytest.fixture
def registry(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    uri = default_uri(place / "runs")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return mlflow.MlflowClient(uri)


def test_the_winner_is_the_registered_champion(place, registry):
    champion = mlflow.pyfunc.load_model("models:/mine@champion")
    example = champion.input_example
    assert example.shape == (2, 16)
    signature = champion.metadata.signature
    assert [i.shape for i in signature.inputs.inputs] == [(-1, -1)]
    symbols = len(set((place / TEXT).read_text()))
    assert [o.shape for o in signature.outputs.inputs] == [(-1, -1, symbols)]
    model = nas_rnn.load_model(place / "mine-model")
    for inputs in (example, np.concatenate([example, example[:, :3]], 1)[:1]):
        with torch.no_grad():
            expected, _ = model(torch.from_numpy(inputs.T.copy()), None)
        np.testing.assert_allclose(champion.predict(inputs), expected.transpose(0, 1), rtol=1e-5, atol=1e-5)


def test_it_is_no_pickle(place, registry):
    version = registry.get_model_version_by_alias("mine", "champion")
    folder = Path(version.source.removeprefix("file://"))
    names = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert names <= {"", ".py", ".json", ".yaml", ".txt", ".cell", ".safetensors"}
    assert (folder / "champion.py").is_file()


def test_it_can_be_served(registry):
    """A request as the saved example has it is understood, and one that is not is refused."""
    champion = mlflow.pyfunc.load_model("models:/mine@champion")
    request = json.dumps({"inputs": champion.input_example.tolist()})
    assert validate_serving_input("models:/mine@champion", request).shape[:2] == (2, 16)
    with pytest.raises(mlflow.MlflowException):
        champion.predict(np.zeros((2, 16), np.float32))


def test_rebuilding_registers_it_once_and_anew_where_it_was_lost(place, registry):
    def versions():
        return sorted(int(found.version) for found in registry.search_model_versions("name = 'mine'"))

    assert versions() == [1]
    rebuild_runs(place / "runs", "mine")
    assert versions() == [1]
    registry.delete_registered_model("mine")
    rebuild_runs(place / "runs", "mine")
    assert versions() == [1]
    found = registry.get_model_version_by_alias("mine", "champion")
    assert "bits per character" in found.description and found.tags["task"] == "char-lm"
