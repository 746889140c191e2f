"""What every task must keep, as a check that a task's author can run: ``assert check_task(MyTask) == []``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas_rnn.cells.zoo.classic import lstm
from nas_rnn.errors import located
from nas_rnn.execution import RNN
from nas_rnn.tasks.batch import Batch, named_tensors
from nas_rnn.tasks.checks import require_sound
from nas_rnn.tasks.data import EVALUATION, PARTS, Batching, Part, TaskData
from nas_rnn.tasks.metric import Metric
from nas_rnn.tasks.model import ItemStatistics, Loss, TaskModel, detached
from nas_rnn.tasks.options import option_fields
from nas_rnn.tasks.task import LOSS, Preview, PreviewOptions, Regularisation, Task
from nas_rnn.testing.axes import input_axes
from nas_rnn.testing.padding import drawn, fresh_generator, padding_problems
from nas_rnn.training import TrainingOptions

BATCHING = Batching(batch=8, length=16)
HIDDEN = 4
OF_THE_MACHINE = {"threads", "device", "backend"}
"""Training options for which a task has no defaults."""
MOST_BATCHES = 20
"""Enough of a part to judge it by; a large task is checked in seconds."""
MOST_SHARED = 0.25
"""A larger share of one part's items standing in another part is no coincidence. Short ones do repeat: of blocks of
16 characters of a manual, an eighth."""


def check_task(kind: Callable[[], Task], source: Path | None = None) -> list[str]:
    """Return what is wrong with a task, in sentences; an empty list for a task that keeps all of it.

    ``kind`` is the task's class, or anything that makes a task when called. It is checked that the data load
    from ``source`` and travel, that parts are sound, not empty, and do not share their items, that the order depends
    on nothing but (seed, epoch) and is fixed for evaluation, that the model is built around small recurrent nets (on
    the meta device too), that loss, scores and floors are what the trainer and the comparison take them for, that
    padding changes nothing, that scores and previews repeat, and that named axes fit.
    """
    try:
        task = kind()
        data = task.load(source)
    except Exception as error:
        return [f"it does not load: {located(error)}"]
    problems = list[str]()
    for check in CHECKS:
        try:
            problems += check(task, data)
        except Exception as error:
            problems.append(f"{check.__name__.strip('_').replace('_', ' ')}: {located(error)}")
    return list(dict.fromkeys(problems))


def _class_variables(task: Task, data: TaskData) -> list[str]:
    problems = [
        f"class variable {name} must be a text, not {getattr(task, name, None)!r}"
        for name in ("name", "summary", "unit", "item")
        if not (isinstance(getattr(task, name, None), str) and getattr(task, name))
    ]
    try:
        option_fields(task.Options)
    except TypeError as error:
        problems.append(str(error))
    known = [field.name for field in fields(TrainingOptions) if field.name not in OF_THE_MACHINE]
    asked = dict.fromkeys(task.recommended_training(), "recommended_training()")
    asked |= dict.fromkeys(task.training_defaults, "training_defaults")
    problems += [
        f"{asked[name]} has {name!r}, which is none of {', '.join(known)}"
        for name in sorted({*asked} - {*known})
    ]
    measures = task.measures(data.meta)
    if not (isinstance(measures.metrics, tuple) and measures.metrics):
        return [
            *problems,
            f"metrics must be a tuple of metrics, the first of which decides, not {measures.metrics!r}",
        ]
    for metric in (*measures.metrics, measures.monitor):
        problems += _metric(metric)
    names = [metric.name for metric in measures.metrics if isinstance(metric, Metric)]
    return problems + [f"two metrics are called {name!r}" for name in names if names.count(name) > 1]


def _metric(metric: Any) -> list[str]:
    if not isinstance(metric, Metric):
        return [f"a metric is a nas_rnn.tasks.Metric such as Mean(...), not {metric!r}"]
    problems = []
    if not (math.isfinite(metric.margin) and metric.margin > 0):
        problems.append(f"the metric's margin must be greater than 0, not {metric.margin!r}")
    if metric.direction not in ("minimize", "maximize"):
        problems.append(f"the metric's direction must be minimize or maximize, not {metric.direction!r}")
    if metric.margin_kind not in ("relative", "absolute"):
        problems.append(f"the metric's margin_kind must be relative or absolute, not {metric.margin_kind!r}")
    return problems


def _data(task: Task, data: TaskData) -> list[str]:
    problems = [
        f"array {name!r} of the {part} part must be a plain numpy array of numbers, not {type(array).__name__} of "
        f"{getattr(array, 'dtype', 'no dtype')}"
        for part, arrays in data.parts.items()
        for name, array in arrays.items()
        if type(array) is not np.ndarray or array.dtype.kind not in "biufc"
    ]
    try:
        same = json.loads(json.dumps(data.meta, allow_nan=False)) == data.meta
    except (TypeError, ValueError) as error:
        return [*problems, f"meta is not plain JSON: {error}"]
    return problems if same else [*problems, "meta is not the same after a trip through JSON (tuples, keys?)"]


def _sound(task: Task, data: TaskData) -> list[str]:
    require_sound(task, data, BATCHING)
    return []


def _order(task: Task, data: TaskData) -> list[str]:
    problems = list[str]()
    seeded = replace(BATCHING, seed=1, epoch=1)
    first, again = (_first(task, data, "train", seeded) for _ in range(2))
    if not _equal(first, again):
        problems.append("training batches differ from one call to the next with the same seed and epoch")
    passes = [replace(BATCHING, seed=seed, epoch=epoch) for seed, epoch in ((1, 1), (1, 2), (2, 1))]
    counts = {sum(1 for _ in task.batches(data, "train", batching)) for batching in passes}
    if len(counts) > 1:
        problems.append(f"the number of training batches varies: {', '.join(map(str, sorted(counts)))}")
    for part in PARTS[1:]:
        other = replace(BATCHING, seed=3, epoch=2)
        if not _equal(_first(task, data, part, BATCHING), _first(task, data, part, other)):
            problems.append(
                f"the order of the {part} part is not fixed: it varies with the call, seed or epoch"
            )
    return problems


def _parts(task: Task, data: TaskData) -> list[str]:
    items = {part: _columns_of(task, data, part) for part in PARTS}
    problems = list[str]()
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
    if not isinstance(model, TaskModel):
        return [f"build must give a nas_rnn.tasks.TaskModel, not a {type(model).__name__}"]
    problems = [] if made else ["the model has no recurrent net: make_rnn was not called"]
    with torch.device("meta"):
        on_meta = _build(task, data, [])
    if _parameters(on_meta) != _parameters(model):
        problems.append("the model has other parameters on the meta device")
    if any(parameter.device.type != "meta" for parameter in on_meta.parameters()):
        problems.append(
            "the model makes parameters on a device of its own choice; leave it to torch's default"
        )
    for part in PARTS:
        for batch in islice(_scored(task, data, part, replace(BATCHING, seed=1)), 2):
            found = _loss(model, batch)
            if not found:  # what is measured with a loss needs one that can be used
                found = [*_scores(task, data, model, part, batch), *padding_problems(model, batch)]
            problems += [f"{part}: {problem}" for problem in found]
    return problems


def _loss(model: TaskModel, batch: Batch) -> list[str]:
    model.train()
    model.zero_grad(set_to_none=True)
    loss, _ = drawn(lambda: model.loss(batch, None))
    if not isinstance(loss, Loss):
        return [f"loss must give a nas_rnn.tasks.Loss and a state, not a {type(loss).__name__}"]
    for value in (loss.total, loss.curve):
        if value.shape != () or not math.isfinite(value.item()):
            return [f"the loss must be one finite number, not {value.tolist()}"]
    problems = []
    if type(loss.count) is not int or loss.count < 1:
        problems.append(f"the loss must count its real targets, at least 1, not {loss.count!r}")
    loss.total.backward()  # type: ignore[no-untyped-call]
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    return [*problems, *([f"the loss gives no gradient to {', '.join(without)}"] if without else [])]


def _scores(task: Task, data: TaskData, model: TaskModel, part: Part, batch: Batch) -> list[str]:
    if part == "train":
        return []
    measures = task.measures(data.meta)
    model.eval()
    with torch.no_grad():
        loss, _ = drawn(lambda: model.loss(batch, None))
        first, again = (model.score(batch, None, generator=fresh_generator())[0] for _ in range(2))
    monitored = {*measures.monitor.statistics} - {*LOSS.statistics}  # those the trainer adds up itself
    problems = _statistics("loss", loss.statistics, batch, sorted(monitored))
    scored = dict.fromkeys(name for metric in measures.metrics for name in metric.statistics)
    problems += _statistics("score", first, batch, scored)
    if any(not torch.equal(first[name], again[name]) for name in first):
        problems.append("score differs from one call to the next with the same generator; draw from it alone")
    return problems


def _statistics(method: str, found: ItemStatistics, batch: Batch, wanted: Iterable[str]) -> list[str]:
    assert batch.items is not None
    problems = [
        f"{method} gives no statistic {name!r}, which a metric needs" for name in wanted if name not in found
    ]
    for name, values in found.items():
        if values.dim() not in (1, 2) or len(values) != len(batch.items):
            rows = f"one row for each of {len(batch.items)} items, not the shape {tuple(values.shape)}"
            problems.append(f"{method}: statistic {name!r} must have {rows}")
        elif not bool(torch.isfinite(values.double()).all()):
            problems.append(f"{method}: an item's {name!r} is not finite")
    return problems


def _whole_pass(task: Task, data: TaskData) -> list[str]:
    """Say whether a state can be handed on through a pass: what fails is raised."""
    model, state, problems = _build(task, data, []).eval(), None, list[str]()
    for batch in task.batches(data, "valid", BATCHING):
        with torch.no_grad():
            _, state = drawn(partial(model.loss, batch, detached(state)))
        if batch.context and state is None:
            problems.append(
                "context is read for its state (Batch.context), but loss returns None for the next batch"
            )
    return problems


def _items(task: Task, data: TaskData) -> list[str]:
    problems = list[str]()
    for part in PARTS[1:]:
        items = _items_of(task, data, part)
        if items != set(range(len(items))):
            problems.append(f"items of the {part} part must be numbered from 0 without gaps")
        groups = data.groups.get(part)
        if groups is not None and len(groups) != len(items):
            problems.append(f"groups has {len(groups)} numbers for the {len(items)} items of the {part} part")
    return problems


def _items_of(task: Task, data: TaskData, part: Part) -> set[int]:
    batches = task.batches(data, part, EVALUATION)
    return {item for batch in batches if batch.items is not None for item in batch.items.tolist()}


def _notices(task: Task, data: TaskData) -> list[str]:
    found: object = task.notices(data)
    if isinstance(found, tuple) and all(isinstance(notice, str) for notice in found):
        return []
    return [f"notices must give a tuple of texts, not {found!r:.80}"]


def _fresh_test(task: Task, data: TaskData) -> list[str]:
    """Check that a task which says how a fresh test part is cut does so, and that what remains can be used."""
    if type(task).fresh_test is Task.fresh_test:
        return []
    rows = data.rows("train")
    begins, ends = rows * 8 // 10, rows * 9 // 10
    cut = task.fresh_test(data, begins, ends)
    require_sound(task, cut, BATCHING)
    wanted: dict[Part, slice] = {"train": slice(begins), "test": slice(begins, ends)}
    return [
        f"fresh_test gives other rows of {name!r} for the {part} part than it was asked for"
        for part, rows_of in wanted.items()
        for name, array in data.part("train").items()
        if not np.array_equal(cut.part(part).get(name, ()), array[rows_of])
    ]


def _floors(task: Task, data: TaskData) -> list[str]:
    problems, floors = list[str](), task.floors(data)
    metrics = task.measures(data.meta).metrics
    count = len(_items_of(task, data, "test")) if floors else 0
    for name, statistics in floors.items():
        missing = {key for metric in metrics for key in metric.statistics} - {*statistics}
        if missing:
            problems.append(f"floor {name!r} gives no statistic {', '.join(sorted(missing))}")
        problems += [
            f"floor {name!r} gives {len(values)} numbers of statistic {key!r} for the {count} items of the test part"
            for key, values in statistics.items()
            if len(values) != count
        ]
    return problems


def _previews(task: Task, data: TaskData) -> list[str]:
    model, problems = _build(task, data, []), list[str]()
    for known in (data.without("test"), TaskData({}, json.loads(json.dumps(data.meta)))):
        same, without = PreviewOptions(length=20), PreviewOptions(length=20, files=False)
        first, again, bare = (task.preview(model, known, seed=1, options=o) for o in (same, same, without))
        if not isinstance(first, Preview) or not isinstance(first.text, str):
            return ["preview must give a nas_rnn.tasks.Preview"]
        if first != again:
            problems.append("preview must be the same for the same seed")
        if bare.text != first.text:
            problems.append("preview must give the same text where no files are asked for")
        if not all(isinstance(content, bytes) for content in first.files.values()):
            problems.append("preview must give the bytes of files by their names")
    return problems


def _build(task: Task, data: TaskData, made: list[int]) -> TaskModel:
    def make_rnn(input_size: int, *, bidirectional: bool = False) -> nn.Module:
        made.append(input_size)
        return RNN(lstm, input_size, HIDDEN, bidirectional=bidirectional, backend="eager")

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return task.build(data.meta, make_rnn, Regularisation())


def _first(task: Task, data: TaskData, part: Part, batching: Batching) -> list[Batch]:
    """Return the first batches of a pass."""
    return list(islice(task.batches(data, part, batching), MOST_BATCHES))


def _scored(task: Task, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
    return (batch for batch in task.batches(data, part, batching) if not batch.context)


def _columns_of(task: Task, data: TaskData, part: Part) -> list[int]:
    """Return a hash of every column of inputs with its targets; context may stand in an earlier part."""
    return [hash(column) for batch in _scored(task, data, part, BATCHING) for column in _columns(batch)]


def _columns(batch: Batch) -> Iterator[tuple[bytes, ...]]:
    inputs, targets = named_tensors(batch.inputs, "inputs"), named_tensors(batch.targets, "targets")
    tensors = (*inputs.values(), *targets.values())
    count = _width(tensors) if batch.items is None else len(batch.items)
    for column in range(count):
        yield tuple(_column(tensor, column, count) for tensor in tensors)


def _width(tensors: Sequence[Tensor]) -> int:
    """Return how many columns the tensors have: the size that all of them have first or second."""
    sizes = [tuple(tensor.shape[1::-1]) for tensor in tensors if tensor.dim()]
    return next((size for size in sizes[0] if all(size in other for other in sizes)), 0)


def _column(tensor: Tensor, column: int, count: int) -> bytes:
    """Return one column of (B,), (T, B, ...) or (B, ...)."""
    axis = next((a for a in (1, 0) if tensor.dim() > a and tensor.shape[a] == count), None)
    chosen = tensor if axis is None else tensor.select(axis, column)
    return np.ascontiguousarray(chosen.numpy()).tobytes()


def _equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
        for one, other in zip(map(_tensors, first), map(_tensors, second), strict=True)
    )


def _tensors(batch: Batch) -> Mapping[str, Tensor]:
    plain = {"items": batch.items, "restarts": batch.restarts}
    return {
        **named_tensors(batch.inputs, "inputs"),
        **named_tensors(batch.targets, "targets"),
        **named_tensors(batch.lengths, "lengths"),
        **{name: tensor for name, tensor in plain.items() if tensor is not None},
        "context": torch.tensor(batch.context),
    }


def _parameters(model: nn.Module) -> dict[str, Any]:
    return {name: parameter.shape for name, parameter in model.named_parameters()}


CHECKS = (
    _class_variables,
    _data,
    _sound,
    _order,
    _parts,
    _model,
    _whole_pass,
    _items,
    _notices,
    _fresh_test,
    _floors,
    _previews,
    input_axes,
)
