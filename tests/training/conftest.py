"""Small stand-ins: torch's LSTM for a cell, a short text, and a task whose best epoch is known beforehand."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_rnn.tasks import Metric, Part, Task, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import EpochRecord, RunSpec, RunStore, TrainingOptions
from nas_rnn.training.model import MakeRnn
from nas_rnn.training.trainer import Trainer

OPTIONS = TrainingOptions(batch=4, length=16, learning_rate=0.02, epochs=3, device="cpu")

SPEC = RunSpec(
    id="r1",
    role="candidate",
    name="lstm",
    cell="",
    hidden_size=12,
    task="char-lm",
    training=OPTIONS,
    seed=1,
    data_seed=2,
)


def lstm_of(spec: RunSpec, input_size: int) -> nn.Module:
    options = spec.training
    dropout = options.dropout if options.layers > 1 else 0.0
    return nn.LSTM(input_size, spec.hidden_size, options.layers, dropout=dropout)


class Ramp(Task):
    """One weight that every epoch raises; the validation metric is its distance to a goal it walks past."""

    name = "ramp"
    summary = "a weight that walks past its goal"
    metric = Metric("distance", "steps", "minimize", 0.1, "absolute")
    unit = "steps"
    item = "probe"
    carries_state = False

    def load(self, source: Path | None) -> TaskData:
        return TaskData(arrays={}, meta={})

    def model(
        self, meta: Mapping[str, Any], make_rnn: Callable[[int], nn.Module], *, dropout: float
    ) -> nn.Module:
        return RampModel()

    def batches(
        self, data: TaskData, part: Part, *, batch: int, length: int, seed: int | None, epoch: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        goal = 1.0 if part == "valid" else 0.0
        yield torch.zeros(1), torch.full((2,), goal)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return -outputs.sum()

    def item_scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return (outputs - targets).abs(), torch.tensor([1.0, 3.0])

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
        return ""


class RampModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.weight.expand(2), state


@pytest.fixture(scope="session")
def data() -> TaskData:
    letters = np.random.default_rng(0).choice(list("abcd e"), 1600)
    text = "".join(letters).replace("a", "the ").encode()
    codes = np.unique(np.frombuffer(text, dtype=np.uint8), return_inverse=True)
    vocabulary = "".join(map(chr, codes[0]))
    numbers = codes[1].astype(np.uint8)
    parts = {"train": numbers[:1200], "valid": numbers[1200:1500], "test": numbers[1500:]}
    return TaskData(arrays=parts, meta={"vocabulary": vocabulary, "source": "made up"})


@pytest.fixture
def spec() -> RunSpec:
    return SPEC


@pytest.fixture
def spec_with() -> Callable[..., RunSpec]:
    """Return the small spec with some training options changed."""
    return lambda **options: replace(SPEC, training=replace(OPTIONS, **options))


@pytest.fixture
def comparable() -> Callable[[list[EpochRecord]], list[EpochRecord]]:
    """Return records without what a clock measured."""
    return lambda records: [replace(record, seconds=0.0, units_per_second=0.0) for record in records]


@pytest.fixture
def make_trainer(data: TaskData) -> Callable[..., Trainer]:
    def make(spec: RunSpec = SPEC, store: RunStore | None = None, make_rnn: MakeRnn = lstm_of) -> Trainer:
        return Trainer(spec, CharLM(), data, store, make_rnn=make_rnn)

    return make


@pytest.fixture
def make_ramp() -> Callable[..., Trainer]:
    """A trainer with weights 0.05 (the rate still rises), 1.05, 2.05, 3.05; the goal is 1, for the test 0."""

    def make(store: RunStore | None = None, **changes: Any) -> Trainer:
        training = replace(OPTIONS, learning_rate=1.0, decay="none", epochs=4, dropout=0.0)
        task = Ramp()
        return Trainer(replace(SPEC, task="ramp", training=training, **changes), task, task.load(None), store)

    return make


@pytest.fixture
def torch_lstm() -> MakeRnn:
    return lstm_of
