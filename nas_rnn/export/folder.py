"""A trained model as a folder: weights as safetensors, the cell as text, sizes and options as JSON; no pickle.

weights.safetensors   the state dict, of the whole model or of the layers alone
cell.cell             the cell's text
model.json            what `load_model` builds them from: sizes, the task, what its data is like
example.safetensors   some inputs, where a task was learned
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from nas_rnn import plugins
from nas_rnn.cells import parse_cell, register_operation
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN, mark_weights
from nas_rnn.export.inputs import Inputs, apart, together
from nas_rnn.export.rows import added_operations, read_operation
from nas_rnn.export.trained import ExportBundle, TaskModelBundle
from nas_rnn.outside import LINES, check_plain, check_text, json_of
from nas_rnn.tasks import Task, TaskData, check_meta
from nas_rnn.tasks.batch import Tensors
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.training import RunSpec
from nas_rnn.training.model import build_model, recurrent_nets

MODEL, WEIGHTS, CELL, EXAMPLE = "model.json", "weights.safetensors", "cell.cell", "example.safetensors"
FORMAT = 2
EXAMPLE_STEPS, EXAMPLE_BATCH = 16, 2

_RNN_OPTIONS = ("input_size", "hidden_size", "num_layers", "batch_first", "dropout", "bidirectional")


def folder_files(trained: ExportBundle) -> dict[str, bytes]:
    """Return the files of the folder, by name; the one that says that all are there is the last."""
    bundle = trained.task_model
    module: nn.Module = trained.rnn if bundle is None else bundle.model
    content: dict[str, Any] = {
        "format": FORMAT,
        "name": trained.name,
        "operations": added_operations(trained.rnn.cell),
    }
    files = {
        WEIGHTS: safetensors.torch.save(
            {n: t.detach().cpu().contiguous() for n, t in module.state_dict().items()}
        ),
        CELL: trained.rnn.cell.to_text().encode(),
    }
    if bundle is None:
        content["rnn"] = {name: getattr(trained.rnn, name) for name in _RNN_OPTIONS}
    else:
        content |= {"spec": bundle.spec.to_dict(), "meta": dict(bundle.meta)}
        if bundle.example is not None:
            files[EXAMPLE] = safetensors.torch.save(
                {
                    name: tensor.clone(memory_format=torch.contiguous_format)
                    for name, tensor in apart(bundle.example).items()
                }
            )
    return {**files, MODEL: (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()}


def load_model(path: str | Path, *, plugins: Sequence[str | Path] = ()) -> nn.Module:
    """Return the model of a folder that `nas-rnn export --format torch` wrote, ready to be used.

    It is the whole `TaskModel` of a search's task; where that has a net, ``model(inputs, state)`` gives the net's
    ``(outputs, state)``. Or an `RNN` where a bare cell was exported. ``plugins`` are folders with the
    task, if it is a plugin's. Nothing in the folder is executed, and of its operations only what they compute is taken
    over.

    Raises:
        UserError: where there is no such folder, its task is not known here, or a text in it holds what none may.
        NasRnnError: where its files do not belong together.
    """
    trained = load_folder(Path(path), plugins=plugins)
    return trained.rnn if trained.task_model is None else trained.task_model.model


def load_folder(folder: Path, *, plugins: Sequence[str | Path] = ()) -> ExportBundle:
    """Return what lies in ``folder``, in evaluation mode; see `load_model`."""
    if not (folder / MODEL).is_file():
        raise UserError(
            f"{str(folder)!r} is no exported model: it has no {MODEL}; give a folder that "
            "`nas-rnn export NAME --format torch` wrote, or runs/NAME/best"
        )
    if plugins:
        _use(plugins)
    try:
        content = json_of((folder / MODEL).read_text(encoding="utf-8"))
        weights = safetensors.torch.load_file(folder / WEIGHTS)
        place = f"{folder / MODEL}:"
        if not isinstance(content, dict):
            raise ValueError(f"{MODEL} is no JSON object")
        check_plain(content, place, LINES, free=("meta",))
        check_text(content.get("name", ""), f"{place} name")
        for number, row in enumerate(content.get("operations", [])):
            register_operation(read_operation(row, f"{place} operations[{number}]"))
        found = _with_task(folder, content, weights) if "spec" in content else _bare(folder, content, weights)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise NasRnnError(f"the model in {str(folder)!r} cannot be read: {reason}") from error
    return found


def example_inputs(task: Task, data: TaskData) -> Tensors | None:
    """Return the first inputs of the validation part: a few sequences of some steps.

    None where their axes are not those that `Task.input_axes` says.
    """
    inputs = Inputs.of(task, next(iter(task.batches(data, "valid", EVALUATION))).inputs)
    return inputs.cut(EXAMPLE_STEPS, EXAMPLE_BATCH).given if inputs.sizes() else None


def _example_of(tensors: Mapping[str, Tensor], place: str) -> Tensors:
    for name in tensors:
        check_text(name, f"{place} the name of a tensor")
    return together(tensors)


def _with_task(folder: Path, content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ExportBundle:
    spec = RunSpec.from_dict(content["spec"])
    task = plugins.registry().find("task", spec.task).value(**spec.task_options)
    check_meta(task, content["meta"], f"{folder / MODEL}: meta")
    model = build_model(spec, task, content["meta"])
    model.load_state_dict(mark_weights(model, _named_as_now(weights, content)))
    rnn = next(iter(recurrent_nets(model).values()))
    kept = folder / EXAMPLE
    example = _example_of(safetensors.torch.load_file(kept), f"{kept}:") if kept.is_file() else None
    bundle = TaskModelBundle(task=task, model=model.eval(), spec=spec, meta=content["meta"], example=example)
    return ExportBundle(name=content.get("name", spec.name), rnn=rnn, task_model=bundle)


def _named_as_now(weights: Mapping[str, Tensor], content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return weights by their names; in the first format a model was its net."""
    prefix = "net." if content.get("format", 1) == 1 else ""
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


def _bare(folder: Path, content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ExportBundle:
    rnn = RNN(
        parse_cell((folder / CELL).read_text(encoding="utf-8")),
        **{name: content["rnn"][name] for name in _RNN_OPTIONS},
    )
    dtype = next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), None)
    rnn = rnn if dtype is None else rnn.to(dtype)
    rnn.load_state_dict(mark_weights(rnn, weights))
    return ExportBundle(name=content["name"], rnn=rnn.eval())


def _use(folders: Sequence[str | Path]) -> None:
    plugins.use_folders([Path(folder) for folder in folders])
