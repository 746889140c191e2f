"""Whether the axes that a task names are those of its inputs, as a part of the check of tasks."""

from __future__ import annotations

from torch import Tensor

from nas_rnn.export.inputs import Inputs
from nas_rnn.tasks.data import EVALUATION, TaskData
from nas_rnn.tasks.task import Task


def input_axes(task: Task, data: TaskData) -> list[str]:
    """Say what of `Task.input_axes` is wrong for a task that reads several inputs."""
    inputs = next(iter(task.batches(data, "valid", EVALUATION))).inputs
    if isinstance(inputs, Tensor) or not task.input_axes:
        return []
    problems = [
        f"input_axes names {name!r}, which is none of the inputs {', '.join(inputs)}"
        for name in task.input_axes
        if name not in inputs
    ]
    problems += [
        f"input_axes calls an axis of {name!r} {axis!r}, which is no name such as 'pictures'"
        for name, axes in task.input_axes.items()
        for axis in axes
        if not (isinstance(axis, str) and axis.isidentifier())
    ]
    if not problems and not Inputs.of(task, inputs).sizes():
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in inputs.items())
        problems.append(
            f"input_axes do not fit the inputs: axes of one name must be equally long in {shapes}"
        )
    return problems
