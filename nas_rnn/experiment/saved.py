"""The saved model of a search: its best cell with the weights of its final run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nas_rnn import plugins
from nas_rnn.errors import UserError
from nas_rnn.experiment.config import load_toml
from nas_rnn.experiment.workspace import Workspace
from nas_rnn.training import RunSpec


def load_saved(name: str, runs: Path) -> tuple[Any, Any, dict[str, Any]]:
    """Return (task, model in evaluation mode, the data's meta) of the search or comparison ``name``.

    Raises UserError where it has no final weights yet.
    """
    import safetensors.torch

    from nas_rnn.training.model import build_model

    workspace = Workspace.open_existing(runs, name)
    described = workspace.best / "model.json"
    if not described.is_file():
        raise UserError(
            f"{name!r} has no final weights yet: they are written at its end; go on with "
            f"`nas-rnn search --resume {name}`"
        )
    plugins.use_folders(load_toml(workspace.config_path).get("plugins", []))
    content = json.loads(described.read_text(encoding="utf-8"))
    spec = RunSpec.from_dict(content["spec"])
    task = plugins.registry().find("task", spec.task).value(**spec.task_options)
    model = build_model(spec, task, content["meta"])
    model.load_state_dict(safetensors.torch.load_file(workspace.best / "weights.safetensors"))
    return task, model.eval(), content["meta"]


def sample(
    name: str,
    *,
    runs: str | Path = "runs",
    length: int = 500,
    prompt: str = "",
    temperature: float = 1.0,
    seed: int = 0,
) -> str:
    """Return what the best model of ``name`` gives as its task's preview."""
    task, model, meta = load_saved(name, Path(runs))
    return str(task.preview(model, meta, seed=seed, length=length, prompt=prompt, temperature=temperature))
