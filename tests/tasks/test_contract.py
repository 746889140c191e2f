"""The check of tasks finds every way to break one; built-in tasks pass it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nas_rnn.tasks.base import TRAINING_NAMES
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Metric, Option, Part, Task, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.testing.tasks import check_task
from nas_rnn.training import TrainingOptions


class Signs(nn.Module):
    def __init__(self, make_rnn: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.rnn = make_rnn(1)
        self.output = nn.Linear(int(self.rnn.hidden_size), 2)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden, state = self.rnn(inputs, state)
        return self.output(hidden[-1]), state


class Good(Task):
    """Whether the sum of a few numbers is positive."""

    name: ClassVar[str] = "good"
    summary: ClassVar[str] = "the sign of a sum"
    metric: ClassVar[Metric] = Metric("accuracy", "% correct", "maximize", 0.5, "absolute")
    unit: ClassVar[str] = "sums"
    item: ClassVar[str] = "sum"
    carries_state: ClassVar[bool] = False

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        sizes = {"train": 50, "valid": 20, "test": 20}
        arrays = {part: random.normal(size=(count, 4)).astype(np.float32) for part, count in sizes.items()}
        return TaskData(arrays=arrays, meta={"numbers": 4})

    def model(
        self, meta: Mapping[str, Any], make_rnn: Callable[[int], nn.Module], *, dropout: float
    ) -> nn.Module:
        return Signs(make_rnn)

    def batches(
        self, data: TaskData, part: Part, *, batch: int, length: int, seed: int | None, epoch: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        numbers = data.arrays[part]
        if part == "train" and seed is not None:
            numbers = np.random.default_rng((seed, epoch)).permutation(numbers)
        for some in torch.from_numpy(numbers).split(batch):
            yield some.T.unsqueeze(-1), (some.sum(1) > 0).long()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets)

    def item_scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return (outputs.argmax(-1) == targets) * 100.0, torch.ones(len(targets))

    def preview(
        self,
        model: nn.Module,
        meta: Mapping[str, Any],
        *,
        seed: int,
        length: int,
        prompt: str,
        temperature: float,
    ) -> str:
        return "positive"


def changed_data(**changes: Any) -> Callable[[Good, Path | None], TaskData]:
    return lambda self, source: replace(Good().load(None), **changes)


def arrays_of(part: str, values: Any) -> Callable[[Good, Path | None], TaskData]:
    return changed_data(arrays={**Good().load(None).arrays, part: values})


def two_layers(self: Good, meta: Any, make_rnn: Any, *, dropout: float) -> nn.Module:
    make_rnn(1)
    return Signs(make_rnn)


def on_the_cpu(self: Good, meta: Any, make_rnn: Any, *, dropout: float) -> nn.Module:
    with torch.device("cpu"):
        return Signs(make_rnn)


def never_the_same(self: Good, data: TaskData, part: Part, **how: Any) -> Iterator[tuple[Tensor, Tensor]]:
    numbers = torch.from_numpy(np.random.default_rng().permutation(data.arrays[part]))
    return iter([(numbers.T.unsqueeze(-1), torch.zeros(len(numbers), dtype=torch.long))])


def more_every_epoch(
    self: Good, data: TaskData, part: Part, *, epoch: int = 0, **how: Any
) -> Iterator[tuple[Tensor, Tensor]]:
    yield from list(Good().batches(data, part, epoch=epoch, **how)) * (1 + epoch)


def no_length(self: Good, model: Any, meta: Any, **how: Any) -> str:
    raise UserError("nothing to show")


TRAIN = Good().load(None).arrays["train"]

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "fails to load": ({"load": no_length}, "it does not load: TypeError"),
    "no unit": ({"unit": ""}, "class variable unit must be a text, not ''"),
    "state": ({"carries_state": None}, "carries_state must be True or False"),
    "margin": ({"metric": replace(Good.metric, margin=0.0)}, "margin must be greater than 0, not 0.0"),
    "direction": ({"metric": replace(Good.metric, direction="up")}, "must be minimize or maximize, not 'up'"),
    "margin kind": ({"metric": replace(Good.metric, margin_kind="x")}, "must be relative or absolute"),
    "bounds": ({"option_ranges": {"size": (0, 1)}}, "option 'size' is bounded but has no default"),
    "training": ({"training_defaults": {"lr": 0.1}}, "training_defaults has 'lr', which is none of layers"),
    "objects": (
        {"load": changed_data(arrays={"a": np.array([{}])})},
        "array 'a' must be a plain numpy array",
    ),
    "meta": ({"load": changed_data(meta={"a": np.float32(1)})}, "meta is not plain JSON"),
    "tuples": ({"load": changed_data(meta={"a": (1, 2)})}, "not the same after a trip through JSON"),
    "empty": ({"load": arrays_of("valid", np.zeros((0, 4), np.float32))}, "valid"),
    "shared": (
        {"load": arrays_of("test", TRAIN[:20])},
        "20 of 20 items of the test part are in the train part",
    ),
    "order": ({"batches": never_the_same}, "training batches differ from one call to the next"),
    "fixed order": ({"batches": never_the_same}, "the order of the valid part is not fixed"),
    "count": ({"batches": more_every_epoch}, "the number of training batches varies: 14, 21"),
    "two RNNs": ({"model": two_layers}, "make_rnn must be called once, not 2 times"),
    "device": ({"model": on_the_cpu}, "makes parameters on a device of its own choice"),
    "loss": ({"loss": lambda self, outputs, targets: outputs.sum() * torch.nan}, "must be one finite number"),
    "vector": ({"loss": lambda self, outputs, targets: outputs}, "the loss must be one finite number"),
    "gradient": (
        {"loss": lambda self, outputs, targets: (outputs.detach() * torch.ones(1, requires_grad=True)).sum()},
        "the loss gives no gradient to rnn.weight_ih_l0",
    ),
    "weights": (
        {"item_scores": lambda self, outputs, targets: (targets * 1.0, targets * 0 - 1)},
        "items' weights must be at least 0",
    ),
    "scores": (
        {"item_scores": lambda self, outputs, targets: (outputs, outputs)},
        "item_scores must give two 1-D tensors",
    ),
    "preview": ({"preview": lambda self, *args, **how: None}, "preview must give a text"),
    "preview fails": ({"preview": no_length}, "previews: UserError: nothing to show"),
    "files": ({"previews": lambda self, *args: {"a.txt": "text"}}, "previews must give bytes by file name"),
}


def test_a_good_task_and_the_built_in_one_pass(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(" ".join(map(str, range(1000))))
    assert check_task(Good) == []
    assert check_task(CharLM, text) == []


@pytest.mark.parametrize(("changes", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_task_is_told_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    found = check_task(type("Broken", (Good,), changes))
    assert any(problem in line for line in found), found


def test_a_task_that_carries_state_needs_batches_of_one_size() -> None:
    found = check_task(type("Broken", (Good,), {"carries_state": True}))
    assert any("batches of varying size: [4, 8]" in line for line in found), found


def test_a_default_training_option_is_one_that_there_is() -> None:
    assert {*TRAINING_NAMES, "threads", "device", "backend"} == {*TrainingOptions.__dataclass_fields__}


def test_a_choice_is_one_of_the_words() -> None:
    class Chosen(Good):
        option_defaults: ClassVar[Mapping[str, Option]] = {"sign": "plus"}
        option_choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"sign": ("plus", "minus")}

    assert Chosen(sign="minus").options["sign"] == "minus"
    with pytest.raises(UserError, match="unknown sign of task 'good': 'minos'; did you mean 'minus'"):
        Chosen(sign="minos")


def test_char_lm_leaves_a_sample_as_a_file(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a\u00e4 b " * 100, encoding="utf-8")
    data = CharLM().load(text)
    model = CharLM().model(data.meta, lambda size: nn.LSTM(size, 4), dropout=0.0)
    files = CharLM().previews(model, data, 1)
    assert len(files["sample.txt"].decode()) == 1000
    assert files == CharLM().previews(model, data, 1)
