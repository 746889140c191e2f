"""What every task must keep, as a check that a task's author can run: ``assert check_task(MyTask) == []``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from nas_rnn.errors import located
from nas_rnn.tasks.base import TRAINING_NAMES, Part, Task, TaskData

PARTS: tuple[Part, ...] = get_args(Part)
BATCH, LENGTH, HIDDEN = 8, 16, 4
MOST_BATCHES = 20
"""Enough of a part to judge it by; a large task is checked in seconds."""
MOST_SHARED = 0.25
"""A larger share of one part's items standing in another part is no coincidence. Short ones do repeat: of blocks of
16 characters of a manual, an eighth."""

Batch = tuple[Tensor, Tensor]


def check_task(kind: Callable[[], Task], source: Path | None = None) -> list[str]:
    """Return what is wrong with a task, in sentences; an empty list for a task that keeps all of it.

    ``kind`` is the task's class, or anything that makes a task when called. It is checked that the data load
    from ``source`` and travel, that parts are not empty and do not share their items, that the order depends
    on nothing but (seed, epoch) and is fixed for evaluation, that the model is built around a small LSTM (on
    the meta device too), that loss and scores are what the trainer and the comparison take them for, and that
    previews repeat.
    """
    try:
        task = kind()
        data = task.load(source)
    except Exception as error:
        return [f"it does not load: {located(error)}"]
    problems = list[str]()
    for check in (_class_variables, _data, _order, _parts, _model, _carried_state, _previews):
        try:
            problems += check(task, data)
        except Exception as error:
            problems.append(f"{check.__name__.strip('_').replace('_', ' ')}: {located(error)}")
    return problems


def _class_variables(task: Task, data: TaskData) -> list[str]:
    problems = [
        f"class variable {name} must be a text, not {getattr(task, name, None)!r}"
        for name in ("name", "summary", "unit", "item")
        if not (isinstance(getattr(task, name, None), str) and getattr(task, name))
    ]
    if not isinstance(task.carries_state, bool):
        problems.append(f"class variable carries_state must be True or False, not {task.carries_state!r}")
    metric = task.metric
    if not (math.isfinite(metric.margin) and metric.margin > 0):
        problems.append(f"the metric's margin must be greater than 0, not {metric.margin!r}")
    if metric.direction not in ("minimize", "maximize"):
        problems.append(f"the metric's direction must be minimize or maximize, not {metric.direction!r}")
    if metric.margin_kind not in ("relative", "absolute"):
        problems.append(f"the metric's margin_kind must be relative or absolute, not {metric.margin_kind!r}")
    bounded = {*task.option_ranges, *task.option_choices} - {*task.option_defaults}
    problems += [f"option {name!r} is bounded but has no default" for name in sorted(bounded)]
    strange = sorted({*task.training_defaults} - {*TRAINING_NAMES})
    known = ", ".join(TRAINING_NAMES)
    return problems + [f"training_defaults has {name!r}, which is none of {known}" for name in strange]


def _data(task: Task, data: TaskData) -> list[str]:
    problems = [
        f"array {name!r} must be a plain numpy array of numbers, not {type(array).__name__} of "
        f"{getattr(array, 'dtype', 'no dtype')}"
        for name, array in data.arrays.items()
        if type(array) is not np.ndarray or array.dtype.kind not in "biufc"
    ]
    try:
        same = json.loads(json.dumps(data.meta, allow_nan=False)) == data.meta
    except (TypeError, ValueError) as error:
        return [*problems, f"meta is not plain JSON: {error}"]
    return problems if same else [*problems, "meta is not the same after a trip through JSON (tuples, keys?)"]


def _order(task: Task, data: TaskData) -> list[str]:
    problems = list[str]()
    first, again = (_all(task, data, "train", seed=1, epoch=1) for _ in range(2))
    if not _equal(first, again):
        problems.append("training batches differ from one call to the next with the same seed and epoch")
    counts = {_count(task, data, "train", seed, epoch) for seed, epoch in ((1, 1), (1, 2), (2, 1))}
    if len(counts) > 1:
        problems.append(f"the number of training batches varies: {', '.join(map(str, sorted(counts)))}")
    for part in PARTS[1:]:
        if not _equal(_all(task, data, part, seed=None), _all(task, data, part, seed=3, epoch=2)):
            problems.append(
                f"the order of the {part} part is not fixed: it varies with the call, seed or epoch"
            )
    return problems


def _parts(task: Task, data: TaskData) -> list[str]:
    items = {part: _items(task, data, part) for part in PARTS}
    problems = [f"the {part} part is empty" for part in PARTS if not _all(task, data, part, seed=None)]
    for index, part in enumerate(PARTS):
        for other in PARTS[:index]:
            known = set(items[other])
            shared = sum(item in known for item in items[part])
            if shared > MOST_SHARED * len(items[part]):
                problems.append(
                    f"{shared} of {len(items[part])} items of the {part} part are in the {other} part"
                )
    return problems


def _model(task: Task, data: TaskData) -> list[str]:
    made = list[int]()
    model = _build(task, data, made)
    problems = [] if len(made) == 1 else [f"make_rnn must be called once, not {len(made)} times"]
    if not isinstance(getattr(model, "rnn", None), nn.LSTM):
        problems.append("the model must keep what make_rnn gave as attribute rnn")
    with torch.device("meta"):
        on_meta = _build(task, data, [])
    if _parameters(on_meta) != _parameters(model):
        problems.append("the model has other parameters on the meta device")
    if any(parameter.device.type != "meta" for parameter in on_meta.parameters()):
        problems.append(
            "the model makes parameters on a device of its own choice; leave it to torch's default"
        )
    for part in PARTS:
        for inputs, targets in _all(task, data, part, seed=1)[:2]:
            problems += [f"{part}: {problem}" for problem in _scores(task, model, inputs, targets)]
    return list(dict.fromkeys(problems))


def _scores(task: Task, model: nn.Module, inputs: Tensor, targets: Tensor) -> list[str]:
    problems = list[str]()
    model.zero_grad(set_to_none=True)
    outputs, _ = model(inputs, None)
    loss = task.loss(outputs, targets)
    if loss.shape != () or not math.isfinite(loss.item()):
        return [f"the loss must be one finite number, not {loss.tolist()}"]
    loss.backward()  # type: ignore[no-untyped-call]
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    if without:
        problems.append(f"the loss gives no gradient to {', '.join(without)}")
    values, weights = task.item_scores(outputs.detach(), targets)
    if values.dim() != 1 or values.shape != weights.shape or len(values) == 0:
        shapes = f"{tuple(values.shape)} and {tuple(weights.shape)}"
        return [*problems, f"item_scores must give two 1-D tensors, one element per item, not {shapes}"]
    if not bool(torch.isfinite(values.double()).all()):
        problems.append("an item's score is not finite")
    if not bool((weights >= 0).all()) or not bool((weights > 0).any()):
        problems.append("items' weights must be at least 0, and one of a batch greater than 0")
    return problems


def _carried_state(task: Task, data: TaskData) -> list[str]:
    if not task.carries_state:
        return []
    model, state = _build(task, data, []), None
    batches = _all(task, data, "valid", seed=None)
    sizes = {
        len(task.item_scores(model(inputs, None)[0].detach(), targets)[0]) for inputs, targets in batches
    }
    if len(sizes) > 1:
        return [f"a task that carries state has batches of varying size: {sorted(sizes)}"]
    for inputs, _ in batches:
        _, state = model(inputs, state)
    return []


def _previews(task: Task, data: TaskData) -> list[str]:
    model, problems = _build(task, data, []), list[str]()
    meta = json.loads(json.dumps(data.meta))
    texts = [task.preview(model, meta, seed=1, length=20, prompt="", temperature=1.0) for _ in range(2)]
    if not all(isinstance(text, str) for text in texts) or texts[0] != texts[1]:
        problems.append("preview must give a text, the same for the same seed")
    first, again = (task.previews(model, data, 1) for _ in range(2))
    if first != again or not all(isinstance(content, bytes) for content in first.values()):
        problems.append("previews must give bytes by file name, the same for the same seed")
    return problems


def _build(task: Task, data: TaskData, made: list[int]) -> nn.Module:
    def make_rnn(input_size: int) -> nn.Module:
        made.append(input_size)
        return nn.LSTM(input_size, HIDDEN)

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return task.model(data.meta, make_rnn, dropout=0.0)


def _all(task: Task, data: TaskData, part: Part, *, seed: int | None, epoch: int = 0) -> list[Batch]:
    """Return the first batches of a pass."""
    batches = task.batches(data, part, batch=BATCH, length=LENGTH, seed=seed, epoch=epoch)
    return [batch for batch, _ in zip(batches, range(MOST_BATCHES), strict=False)]


def _count(task: Task, data: TaskData, part: Part, seed: int, epoch: int) -> int:
    return sum(1 for _ in task.batches(data, part, batch=BATCH, length=LENGTH, seed=seed, epoch=epoch))


def _items(task: Task, data: TaskData, part: Part) -> list[int]:
    """Return a hash of every item, its column of inputs with its targets; none where items are no columns."""
    items = list[int]()
    for inputs, targets in task.batches(data, part, batch=BATCH, length=LENGTH, seed=None):
        if not items and not _are_columns(task, data, inputs, targets):
            return []
        columns = zip(_columns(inputs, 1), _columns(targets, -1), strict=True)
        items += [hash(both) for both in columns]
    return items


@torch.no_grad()
def _are_columns(task: Task, data: TaskData, inputs: Tensor, targets: Tensor) -> bool:
    outputs, _ = _build(task, data, [])(inputs, None)
    count = len(task.item_scores(outputs, targets)[0])
    return inputs.dim() >= 2 and inputs.shape[1] == targets.shape[-1] == count


def _columns(tensor: Tensor, axis: int) -> list[bytes]:
    return [np.ascontiguousarray(column).tobytes() for column in np.moveaxis(tensor.numpy(), axis, 0)]


def _equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a, b)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _parameters(model: nn.Module) -> dict[str, Any]:
    return {name: parameter.shape for name, parameter in model.named_parameters()}
