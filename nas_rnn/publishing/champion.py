"""How the winner of a search looks in MLflow's registry, made from what lies in the search's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import nas_rnn
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.trials import metrics_on_holdout
from nas_rnn.tracking import ModelView

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas_rnn.export import TaskModelBundle
    from nas_rnn.export.inputs import Inputs


def champion_view(folder: RunFolder, verdict: str, plugins: Sequence[str]) -> ModelView | None:
    """Return the best model as it is registered; None where there is none, or no example was kept.

    ``plugins`` are folders with its task's plugin.
    """
    from nas_rnn.export import load_folder
    from nas_rnn.export.folder import CELL, EXAMPLE, MODEL, WEIGHTS
    from nas_rnn.export.inputs import BATCH, Inputs, together

    if not all((folder.best / name).is_file() for name in (MODEL, EXAMPLE)):
        return None
    trained = load_folder(folder.best)
    bundle = trained.task_model
    if bundle is None or bundle.example is None or not bundle.has_net:
        return None
    inputs = Inputs.of(bundle.task, bundle.example)
    outputs, axes = _outputs(bundle.model, inputs)
    batch_axes = {name: own.index(BATCH) if BATCH in own else 0 for name, own in inputs.axes.items()}
    examples = {name: tensor.movedim(batch_axes[name], 0) for name, tensor in inputs.tensors.items()}
    free = {name: len(own) for name, own in inputs.axes.items()}
    input_shapes = {
        name: (*[-1] * free[name], *tensor.shape[free[name] :]) for name, tensor in examples.items()
    }
    shape = [-1 if axis in axes else size for axis, size in enumerate(outputs.shape)]
    shape.insert(0, shape.pop(axes[0]))
    return ModelView(
        name=folder.name,
        files={name: (folder.best / name).read_bytes() for name in (WEIGHTS, CELL, EXAMPLE, MODEL)},
        config={
            "batch_axis": axes[0],
            "batch_axes": together(batch_axes),
            "plugins": list(plugins),
        },
        example=together({name: tensor.contiguous().numpy() for name, tensor in examples.items()}),
        outputs=outputs.movedim(axes[0], 0).contiguous().numpy(),
        input_shape=together(input_shapes),
        output_shape=tuple(shape),
        requirements=(f"nas_rnn=={nas_rnn.__version__}",),
        description=f"The cell `{trained.rnn.cell.name}` on the task `{bundle.task.name}`. {verdict}",
        tags={"task": bundle.task.name, "digest": trained.rnn.cell.digest, "trained_in": bundle.spec.id},
        params={"cell": trained.rnn.cell.name, "hidden_size": str(bundle.spec.hidden_size)},
        metrics=_measured(folder, bundle),
    )


def _measured(folder: RunFolder, bundle: TaskModelBundle) -> dict[str, float]:
    """Return what the run that made the model measured."""
    result = folder.store(bundle.spec.id).read_result()
    if result is None:
        return {}
    measures = bundle.task.measures(bundle.meta)
    found: dict[str, float | None] = {
        **{f"test_{name}": value for name, value in metrics_on_holdout(result, measures.metrics).items()},
        f"best_{measures.monitor.name}": result.best_metric,
        "parameters": float(result.parameters),
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def _outputs(model: nn.Module, example: Inputs) -> tuple[Tensor, list[int]]:
    """Return the outputs for ``example`` and their axes that grow with the batch and with the length, in this order."""
    import torch

    from nas_rnn.export.inputs import BATCH, TIME

    with torch.inference_mode():
        outputs, wider, longer = (
            model(inputs.given, None)[0]
            for inputs in (example, example.doubled(BATCH), example.doubled(TIME))
        )
    grown = [
        axis
        for other in (wider, longer)
        for axis in range(outputs.dim())
        if other.shape[axis] != outputs.shape[axis]
    ]
    return outputs, grown
