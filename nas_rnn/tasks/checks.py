"""Whether loaded data can be trained on: said in one line, before anything is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch, named_tensors
from nas_rnn.tasks.data import EVALUATION, PARTS, Batching, MissingPart, Part, TaskData
from nas_rnn.tasks.task import Task

WANTED = "give data that fill a training, a validation and a test part"


def require_sound(task: Task, data: TaskData, training: Batching) -> None:
    """Go once over every part, cut as ``training`` says or as evaluation cuts.

    Raises:
        UserError: for a part that is missing or empty, one that holds a number that is not finite, or a training part
            too small for a batch.
        ValueError: for batches of an evaluated part that do not name their items, or context to train on: faults of the
            task.
    """
    for part in PARTS:
        _require_finite_arrays(task, data, part)
        batching = replace(training, seed=0) if part == "train" else EVALUATION
        count = 0
        try:
            for batch in task.batches(data, part, batching):
                _require_finite(task, part, batch, count)
                if batch.context:
                    if part == "train":
                        raise ValueError(
                            "batches to train on must not be context (Batch.context): all are learned"
                        )
                    continue
                if part != "train" and batch.items is None:
                    raise ValueError(
                        f"batches of the {part} part must say which items they hold (Batch.items)"
                    )
                count += 1
        except MissingPart as error:
            raise UserError(f"the data of task {task.name!r} have no {part} part; {WANTED}") from error
        if not count:
            raise UserError(f"the {part} part of the data of task {task.name!r} is empty; {WANTED}")


def _require_finite_arrays(task: Task, data: TaskData, part: Part) -> None:
    for name, array in data.parts.get(part, {}).items():
        if array.dtype.kind not in "fc" or bool(np.isfinite(array).all()):
            continue
        places = np.argwhere(~np.isfinite(array))
        first = tuple(map(int, places[0]))
        raise UserError(
            f"the {part} part of the data of task {task.name!r} is not finite in {len(places):,} of {array.size:,} "
            f"numbers of array {name!r}: the first is {array[first]} at {list(first)}; remove or replace them"
        )


def _require_finite(task: Task, part: Part, batch: Batch, number: int) -> None:
    for name, tensor in (
        named_tensors(batch.inputs, "inputs") | named_tensors(batch.targets, "targets")
    ).items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            value = tensor[~torch.isfinite(tensor)][0].item()
            raise UserError(
                f"the {part} part of the data of task {task.name!r} has {value} among the {name} of batch "
                f"{number + 1}; remove or replace what is not a finite number"
            )
