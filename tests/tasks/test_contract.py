"""The check of tasks finds every way to break one; built-in tasks pass it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import (
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Metric,
    Part,
    Preview,
    Regularisation,
    Task,
    TaskData,
    TaskModel,
    at_last_step,
)
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.model import ItemStatistics, State
from nas_rnn.testing.tasks import check_task

ACCURACY = Mean("accuracy", "% correct", "maximize", 0.5, "absolute", of="correct")
LONGEST = 4


class Signs(TaskModel):
    """Whether the sum of a column's first numbers is positive, as many as it has."""

    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.rnn = make_rnn(1)
        self.output = nn.Linear(int(self.rnn.hidden_size), 2)  # type: ignore[arg-type]

    def logits(self, batch: Batch) -> Tensor:
        assert isinstance(batch.lengths, Tensor)
        hidden_TBH, _ = self.rnn(batch.inputs, None)
        logits_B2: Tensor = self.output(at_last_step(hidden_TBH, batch.lengths))
        return logits_B2

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        logits_B2, labels_B = self.logits(batch), batch.targets
        assert isinstance(labels_B, Tensor)
        correct = (logits_B2.argmax(-1) == labels_B) * 100.0
        return Loss(
            F.cross_entropy(logits_B2, labels_B), len(labels_B), statistics={"correct": correct}
        ), None


class Good(Task):
    """Whether the sum of a few numbers is positive."""

    name: ClassVar[str] = "good"
    summary: ClassVar[str] = "the sign of a sum"
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY,)
    monitor: ClassVar[Metric] = ACCURACY
    unit: ClassVar[str] = "sums"
    item: ClassVar[str] = "sum"
    model_class: ClassVar[Callable[[MakeRnn], Any]] = Signs

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        sizes: dict[Part, int] = {"train": 50, "valid": 20, "test": 20}
        return TaskData(
            {
                part: {
                    "numbers": random.normal(size=(count, LONGEST)).astype(np.float32),
                    "lengths": random.integers(1, LONGEST, size=count),  # all have some padding
                }
                for part, count in sizes.items()
            },
            meta={"numbers": LONGEST},
        )

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> TaskModel:
        model: TaskModel = type(self).model_class(make_rnn)
        return model

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        numbers, lengths = data.part(part)["numbers"], data.part(part)["lengths"]
        order = np.arange(len(numbers))
        if part == "train" and batching.seed is not None:
            order = np.random.default_rng((batching.seed, batching.epoch)).permutation(order)
        for first in range(0, len(order), batching.batch):
            chosen = order[first : first + batching.batch]
            real = np.arange(LONGEST) < lengths[chosen, None]
            yield Batch(
                inputs=torch.from_numpy(numbers[chosen] * real).T.unsqueeze(-1),
                targets=torch.from_numpy((numbers[chosen] * real).sum(1) > 0).long(),
                items=torch.from_numpy(chosen),
                lengths=torch.from_numpy(lengths[chosen]),
            )

    def floors(self, data: TaskData) -> Mapping[str, Mapping[str, Any]]:
        return {"positive": {"correct": np.full(20, 50.0)}}

    def preview(self, model: TaskModel, data: TaskData, **how: Any) -> Preview:
        return Preview(text="positive", files={"a.txt": b"text"})


def changed_data(**changes: Any) -> Callable[[Good, Path | None], TaskData]:
    return lambda self, source: replace(Good().load(None), **changes)


def part_as(part: Part, count: int | None = None, like: Part | None = None, **arrays: Any) -> Any:
    """Return a ``load`` whose ``part`` has so many items, is another part, or has other arrays."""
    parts = dict(Good().load(None).parts)
    own = {name: array[:count] for name, array in parts[like or part].items()}
    return changed_data(parts={**parts, part: {**own, **arrays}})


def without(part: Part) -> Any:
    return lambda self, source: Good().load(None).without(part)


def every_batch(change: Callable[[Batch], Batch]) -> Any:
    def batches(self: Good, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        return map(change, Good().batches(data, part, batching))

    return batches


def never_the_same(self: Good, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
    for batch in Good().batches(data, part, batching):
        yield replace(batch, inputs=torch.randn(LONGEST, len(batch.targets), 1))


def more_every_epoch(self: Good, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
    yield from list(Good().batches(data, part, batching)) * (1 + batching.epoch)


def with_context(evaluated: bool) -> Any:
    """Return ``batches`` of which the first is read first, and not scored."""

    def batches(self: Good, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        own = list(Good().batches(data, part, batching))
        if (part != "train") == evaluated:
            yield replace(own[0], items=None, context=True)
        yield from own

    return batches


def refusing(self: Any, *args: Any, **how: Any) -> Any:
    raise UserError("nothing to show")


def loss_as(total: Callable[[Tensor], Any] = F.relu, **changes: Any) -> Any:
    """Return a class of model whose loss is other than `Signs`' own."""

    class Other(Signs):
        def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
            loss, _ = super().loss(batch, state)
            return replace(loss, total=total(loss.total), **changes), None

    return {"model_class": Other}


def made_by(change: Callable[[Signs], Any]) -> Any:
    """Return a class of model to which something is done when it is made."""

    class Other(Signs):
        def __init__(self, make_rnn: MakeRnn) -> None:
            super().__init__(make_rnn)
            change(self)

    return {"model_class": Other}


def statistics_as(change: Callable[[Tensor], Mapping[str, Tensor]]) -> Any:
    class Other(Signs):
        def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
            loss, _ = super().loss(batch, state)
            return replace(loss, statistics=change(loss.statistics["correct"])), None

    return {"model_class": Other}


def score_as(score: Callable[[Tensor, torch.Generator], ItemStatistics]) -> Any:
    class Other(Signs):
        def score(
            self, batch: Batch, state: State, *, generator: torch.Generator
        ) -> tuple[ItemStatistics, State]:
            loss, _ = self.loss(batch, state)
            return score(loss.statistics["correct"], generator), None

    return {"model_class": Other}


class NoTuple(Signs):
    def loss(self, batch: Batch, state: State) -> Any:
        return super().loss(batch, state)[0].total, None


class AtTheEnd(Signs):
    """Reads what stands at the last step, padding or not."""

    def logits(self, batch: Batch) -> Tensor:
        logits_B2: Tensor = self.output(self.rnn(batch.inputs, None)[0][-1])
        return logits_B2


class CountsPadding(Signs):
    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        assert isinstance(batch.inputs, Tensor)
        return replace(super().loss(batch, state)[0], count=batch.inputs.numel()), None


class OneWidth(Signs):
    """Goes on from a state, whatever the width of the batch that it comes from."""

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        _, after = self.rnn(batch.inputs, state)
        return super().loss(batch, None)[0], after


class GoesOn(Signs):
    """Goes on from a state of one column, in batches of any width."""

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        return super().loss(batch, None)[0], torch.zeros(1)


class NotTrained(nn.Module):
    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.rnn = make_rnn(1)


def idle(model: Signs) -> None:
    model.idle = nn.Parameter(torch.zeros(2))


def larger_for_real(model: Signs) -> None:
    size = 3 if torch.zeros(1).device.type == "meta" else 2
    model.output = nn.Linear(model.output.in_features, size)


def on_the_cpu(model: Signs) -> None:
    model.output = nn.Linear(model.output.in_features, 2, device="cpu")


def without_rnn(model: Signs) -> None:
    model.output = nn.Linear(1, 2)


class NoRnn(Signs):
    def __init__(self, make_rnn: MakeRnn) -> None:
        TaskModel.__init__(self)
        self.rnn = nn.GRU(1, 3)
        self.output = nn.Linear(3, 2)


@dataclass(frozen=True)
class Required:
    size: int


class ReadsTwo(Signs):
    """Reads the numbers, and how many there are, as inputs by name."""

    def logits(self, batch: Batch) -> Tensor:
        assert isinstance(batch.inputs, Mapping)
        return super().logits(replace(batch, inputs=batch.inputs["numbers"], lengths=batch.inputs["lengths"]))


SEVERAL = {
    "model_class": ReadsTwo,
    "batches": every_batch(
        lambda batch: replace(batch, inputs={"numbers": batch.inputs, "lengths": batch.lengths})  # type: ignore[dict-item]
    ),
}
NAN = np.full((20, LONGEST), np.nan, dtype=np.float32)
SCALED = replace(ACCURACY, margin=1.0)

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "fails to load": ({"load": lambda self: None}, "it does not load: TypeError"),
    "no unit": ({"unit": ""}, "class variable unit must be a text, not ''"),
    "no item": ({"item": None}, "class variable item must be a text, not None"),
    "no summary": ({"summary": 3}, "class variable summary must be a text, not 3"),
    "margin": ({"metrics": (replace(ACCURACY, margin=0.0),)}, "margin must be greater than 0, not 0.0"),
    "monitor's margin": (
        {"monitor": replace(ACCURACY, margin=-1.0)},
        "margin must be greater than 0, not -1.0",
    ),
    "direction": (
        {"metrics": (replace(ACCURACY, direction="up"),)},
        "must be minimize or maximize, not 'up'",
    ),
    "margin kind": ({"metrics": (replace(ACCURACY, margin_kind="x"),)}, "must be relative or absolute"),
    "one metric": ({"metrics": ACCURACY}, "metrics must be a tuple of metrics, the first of which decides"),
    "no metric": ({"metrics": ()}, "metrics must be a tuple of metrics, the first of which decides, not ()"),
    "a word for a metric": (
        {"metrics": ("accuracy",)},
        "a metric is a nas_rnn.tasks.Metric such as Mean(...)",
    ),
    "a word for a monitor": ({"monitor": "accuracy"}, "such as Mean(...), not 'accuracy'"),
    "one name": ({"metrics": (ACCURACY, SCALED)}, "two metrics are called 'accuracy'"),
    "training": ({"training_defaults": {"lr": 0.1}}, "training_defaults has 'lr', which is none of layers"),
    "recommended": (
        {"recommended_training": lambda self: {"lr": 0.1}},
        "recommended_training() has 'lr', which is none of layers",
    ),
    "the machine": (
        {"training_defaults": {"threads": 2}},
        "training_defaults has 'threads', which is none of",
    ),
    "objects": (
        {"load": part_as("train", extra=np.array([{}]))},
        "array 'extra' of the train part must be a plain numpy array of numbers, not ndarray of object",
    ),
    "lists": (
        {"load": part_as("test", extra=[1])},
        "array 'extra' of the test part must be a plain numpy array",
    ),
    "meta": ({"load": changed_data(meta={"a": np.float32(1)})}, "meta is not plain JSON"),
    "nan in meta": ({"load": changed_data(meta={"a": np.nan})}, "meta is not plain JSON"),
    "tuples": ({"load": changed_data(meta={"a": (1, 2)})}, "not the same after a trip through JSON"),
    "empty": (
        {"load": part_as("valid", 0)},
        "sound: UserError: the valid part of the data of task 'good' is empty",
    ),
    "missing": ({"load": without("test")}, "the data of task 'good' have no test part"),
    "nan": ({"load": part_as("test", numbers=NAN)}, "the test part of the data of task 'good' is not finite"),
    "infinite": (
        {"batches": every_batch(lambda batch: replace(batch, inputs=batch.inputs / 0.0))},  # type: ignore[operator]
        "among the inputs of batch 1",
    ),
    "no items": (
        {"batches": every_batch(lambda batch: replace(batch, items=None))},
        "batches of the valid part must say which items they hold",
    ),
    "context without a state": (
        {"batches": with_context(evaluated=True)},
        "context is read for its state (Batch.context), but loss returns None for the next batch",
    ),
    "context to train on": (
        {"batches": with_context(evaluated=False)},
        "batches to train on must not be context (Batch.context): all are learned",
    ),
    "fresh test": (
        {"fresh_test": lambda self, data, begins, ends: data.with_fresh_test(begins, ends + 1)},
        "fresh_test gives other rows of 'numbers' for the test part than it was asked for",
    ),
    "notices": ({"notices": lambda self, data: "text"}, "notices must give a tuple of texts, not 'text'"),
    "gaps": (
        {"batches": every_batch(lambda batch: replace(batch, items=batch.items * 2))},  # type: ignore[operator]
        "items of the test part must be numbered from 0 without gaps",
    ),
    "groups": (
        {"load": changed_data(groups={"test": np.arange(3)})},
        "groups has 3 numbers for the 20 items of the test part",
    ),
    "shared": (
        {"load": part_as("test", 20, like="train")},
        "20 of 20 items of the test part are in the train part",
    ),
    "order": ({"batches": never_the_same}, "training batches differ from one call to the next"),
    "fixed order": ({"batches": never_the_same}, "the order of the test part is not fixed"),
    "count": ({"batches": more_every_epoch}, "the number of training batches varies: 14, 21"),
    "no task model": (
        {"model_class": NotTrained},
        "build must give a nas_rnn.tasks.TaskModel, not a NotTrained",
    ),
    "no RNN": ({"model_class": NoRnn}, "the model has no recurrent net: make_rnn was not called"),
    "other on meta": (made_by(larger_for_real), "the model has other parameters on the meta device"),
    "device": (made_by(on_the_cpu), "makes parameters on a device of its own choice"),
    "no loss": ({"model_class": NoTuple}, "loss must give a nas_rnn.tasks.Loss and a state, not a Tensor"),
    "nan as loss": (loss_as(lambda total: total * torch.nan), "the loss must be one finite number, not nan"),
    "vector": (loss_as(lambda total: total.expand(2)), "the loss must be one finite number, not ["),
    "shown": (loss_as(shown=torch.tensor(torch.inf)), "the loss must be one finite number, not inf"),
    "no targets": (loss_as(count=0), "the loss must count its real targets, at least 1, not 0"),
    "count as tensor": (
        loss_as(count=torch.tensor(3)),
        "the loss must count its real targets, at least 1, not tensor",
    ),
    "gradient": (made_by(idle), "the loss gives no gradient to idle"),
    "fails": (
        {"model_class": type("Fails", (Signs,), {"loss": refusing})},
        "model: UserError: nothing to show",
    ),
    "monitor": (
        {"monitor": Mean("hits", "%", "maximize", 1.0, "absolute", of="hits", per="looks")},
        "loss gives no statistic 'looks', which a metric needs",
    ),
    "second metric": (
        {"metrics": (ACCURACY, Mean("hits", "%", "maximize", 1.0, "absolute", of="hits"))},
        "score gives no statistic 'hits', which a metric needs",
    ),
    "own random numbers": (
        score_as(lambda correct, generator: {"correct": torch.rand(len(correct))}),
        "score differs from one call to the next with the same generator",
    ),
    "one row": (
        statistics_as(lambda correct: {"correct": correct.mean()}),
        "loss: statistic 'correct' must have one row for each of 8 items, not the shape ()",
    ),
    "other rows": (
        score_as(lambda correct, generator: {"correct": correct[1:]}),
        "score: statistic 'correct' must have one row for each of 8 items, not the shape (7,)",
    ),
    "items' nan": (
        statistics_as(lambda correct: {"correct": correct / 0.0}),
        "loss: an item's 'correct' is not finite",
    ),
    "scores' nan": (
        score_as(lambda correct, generator: {"correct": correct * torch.nan}),
        "score: an item's 'correct' is not finite",
    ),
    "padding": ({"model_class": AtTheEnd}, "padding changes the loss, the gradient of rnn."),
    "counts padding": ({"model_class": CountsPadding}, "train: padding changes the count of targets"),
    "state": ({"model_class": OneWidth}, "whole pass: "),
    "floor": (
        {"floors": lambda self, data: {"none": {"hits": np.zeros(20)}}},
        "floor 'none' gives no statistic correct",
    ),
    "floor's items": (
        {"floors": lambda self, data: {"few": {"correct": np.zeros(19)}}},
        "floor 'few' gives 19 numbers of statistic 'correct' for the 20 items of the test part",
    ),
    "preview": ({"preview": lambda self, *args, **how: "text"}, "preview must give a nas_rnn.tasks.Preview"),
    "preview varies": (
        {"preview": lambda self, *args, **how: Preview(text=str(np.random.default_rng().random()))},
        "preview must be the same for the same seed",
    ),
    "preview fails": ({"preview": refusing}, "previews: UserError: nothing to show"),
    "files": (
        {"preview": lambda self, *args, **how: Preview(files={"a.txt": "text"})},
        "preview must give the bytes of files by their names",
    ),
    "axes of nothing": (
        {**SEVERAL, "input_axes": {"b": ("batch",)}},
        "input_axes names 'b', which is none of the inputs numbers, lengths",
    ),
    "an axis that is no name": (
        {**SEVERAL, "input_axes": {"lengths": ("a b",)}},
        "input_axes calls an axis of 'lengths' 'a b', which is no name",
    ),
    "axes that do not fit": (
        {**SEVERAL, "input_axes": {"numbers": ("batch", "time"), "lengths": ("batch",)}},
        "axes of one name must be equally long in numbers (4, 20, 1), lengths (20,)",
    ),
    "options": ({"Options": dict}, "Options must be a dataclass"),
}


def test_a_good_task_and_the_built_in_one_pass(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(" ".join(map(str, range(1000))))
    assert check_task(Good) == []
    assert check_task(CharLM, text) == []
    goes_on = type("GoesOn", (Good,), {"batches": with_context(evaluated=True), "model_class": GoesOn})
    assert check_task(goes_on) == []
    cut = {"fresh_test": lambda self, data, begins, ends: data.with_fresh_test(begins, ends)}
    assert check_task(type("Cut", (Good,), cut)) == []
    assert check_task(type("Several", (Good,), SEVERAL)) == []
    axes = {"input_axes": {"lengths": ("batch",)}}
    assert check_task(type("WithAxes", (Good,), {**SEVERAL, **axes})) == []


@pytest.mark.parametrize(("changes", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_task_is_told_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    found = check_task(type("Broken", (Good,), changes))
    assert any(problem in line for line in found), found


def test_an_option_without_a_default_is_told() -> None:
    class Broken(Good):
        Options: ClassVar[type] = Required

        def __init__(self) -> None:
            self.options = Required(3)

    assert check_task(Broken) == ["option 'size' needs a default that is a number, a text, or True or False"]


def test_items_are_told_apart_where_training_batches_name_none(tmp_path: Path) -> None:
    """Of targets with several numbers a step, and the same items in training and test."""

    class Outputs(Good):
        def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
            for batch in Good().batches(data, part, batching):
                wide = torch.stack([batch.inputs, -batch.inputs], dim=-1)[:, :, 0]  # type: ignore[arg-type,operator]
                own = None if part == "train" else batch.items
                yield replace(batch, inputs={"numbers": batch.inputs}, targets={"wide": wide}, items=own)  # type: ignore[dict-item]

    shared = type("Shared", (Outputs,), {"load": part_as("test", 20, like="train")})
    assert "20 of 20 items of the test part are in the train part" in check_task(shared)
