"""The contract of a task: a model can be trained on it and scored."""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import get_args

import torch
from torch import nn

from nas_rnn.tasks import Part, Task, TaskData


def check_training(kind: type[Task]) -> list[str]:
    """Return what is wrong with a task, in sentences; its own data are used."""
    try:
        task = kind()
        data = task.load(None)
        json.dumps(data.meta, allow_nan=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = task.model(data.meta, lambda size: nn.LSTM(size, 4), dropout=0.0)
        parts: tuple[Part, ...] = get_args(Part)
        problems = [problem for part in parts for problem in _part(task, data, model, part)]
        texts = {
            task.preview(model.eval(), data.meta, seed=1, length=10, prompt="", temperature=1.0)
            for _ in range(2)
        }
        return problems + (["preview differs at one seed"] if len(texts) > 1 else [])
    except Exception as error:
        return [" ".join(f"{type(error).__name__}: {error}".split())]


def _part(task: Task, data: TaskData, model: nn.Module, part: Part) -> list[str]:
    first, again = (
        list(islice(task.batches(data, part, batch=4, length=8, seed=1, epoch=1), 2)) for _ in range(2)
    )
    if not first:
        return [f"the {part} part is empty"]
    problems = []
    if not all(
        torch.equal(a, b)
        for one, two in zip(first, again, strict=True)
        for a, b in zip(one, two, strict=True)
    ):
        problems.append(f"the batches of the {part} part differ at one seed and epoch")
    inputs, targets = first[0]
    outputs, _ = model(inputs, None)
    loss = task.loss(outputs, targets)
    if loss.shape != () or not math.isfinite(loss.item()):
        return [*problems, f"the loss must be one finite number, not {loss}"]
    loss.backward()  # type: ignore[no-untyped-call]
    values, weights = task.item_scores(outputs.detach(), targets)
    if values.dim() != 1 or values.shape != weights.shape:
        problems.append(
            f"item_scores gives shapes {tuple(values.shape)} and {tuple(weights.shape)}, not one item each"
        )
    return problems
