"""What is registered has a signature of its input, or of all of several, and answers in MLflow as here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.models import validate_serving_input

from nas_rnn.export import export_files
from nas_rnn.publishing.champion import champion_view
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks import Task
from nas_rnn.tasks.caption import Caption
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.draw import Draw
from nas_rnn.tracking.registering import _as_pyfunc
from tests.export.cases import trained_on


def pieces(pixels: int) -> dict[str, Any]:
    return {"before": (-1, -1, pixels), "piece": (-1, -1, pixels), "place": (-1, -1, 2)}


@pytest.mark.parametrize(
    ("task", "inputs"),
    [
        (Draw(by="pixel"), pieces(1)),
        (Draw(by="row"), pieces(8)),
        (Draw(by="patch", side=4), pieces(16)),
        (CharLM(), (-1, -1)),
        (Caption(size=12), {"given": (-1, -1), "owner": (-1,), "pictures": (-1, 1, 12, 12)}),
    ],
    ids=["draw by pixel", "draw by row", "draw by patch", "char-lm", "caption"],
)
def test_what_is_registered_answers_as_the_model(
    task: Task, inputs: dict[str, Any] | tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    folder, whole = RunFolder(tmp_path / "runs", "mine"), trained_on(task)
    folder.best.mkdir(parents=True)
    for path, content in export_files(whole, "torch", folder.best).items():
        path.write_bytes(content)
    view = champion_view(folder, "", [])
    assert view is not None and whole.task_model is not None
    assert view.input_shape == inputs
    for name, content in _as_pyfunc(view).items():
        (tmp_path / "served" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "served" / name).write_bytes(content)
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    signature = {spec.name: spec.shape for spec in served.metadata.signature.inputs.inputs}
    assert signature == (inputs if isinstance(inputs, dict) else {None: inputs})
    model = whole.task_model.model
    with torch.no_grad():
        expected = model(whole.task_model.example)[0].movedim(view.config["batch_axis"], 0).numpy()
    np.testing.assert_allclose(served.predict(served.input_example), expected, rtol=1e-5, atol=1e-5)
    more: Any
    request: Any
    if isinstance(view.example, dict):
        more = {
            name: array if name == "pictures" else np.concatenate([array, array])
            for name, array in view.example.items()
        }
        request = {name: array.tolist() for name, array in view.example.items()}
        missing: Any = {name: array for name, array in view.example.items() if name != min(view.example)}
    else:
        assert isinstance(view.example, np.ndarray)
        more, request = np.concatenate([view.example, view.example]), view.example.tolist()
        missing = view.example.astype(np.float32)
    np.testing.assert_allclose(
        served.predict(more), np.concatenate([expected, expected]), rtol=1e-5, atol=1e-5
    )
    found = validate_serving_input(str(tmp_path / "served"), json.dumps({"inputs": request}))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(mlflow.MlflowException):
        served.predict(missing)
