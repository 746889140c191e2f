"""Small stand-ins: torch's LSTM for a cell, a short text, and a task whose best epoch is known beforehand."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.tasks import (
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Metric,
    Part,
    Regularisation,
    Task,
    TaskData,
    TaskModel,
)
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.model import State
from nas_rnn.training import EpochRecord, RunSpec, RunStore, TrainingOptions
from nas_rnn.training.model import RnnOfSpec
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


def lstm_of(spec: RunSpec, input_size: int, *, bidirectional: bool = False) -> nn.Module:
    options = spec.training
    dropout = options.dropout if options.layers > 1 else 0.0
    return nn.LSTM(input_size, spec.hidden_size, options.layers, dropout=dropout, bidirectional=bidirectional)


class RampModel(TaskModel):
    """Its loss is less the greater the weight; item 0 counts once, item 1 three times."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        weights = torch.tensor([1.0, 3.0])
        statistics = {"distance": (self.weight - batch.targets).abs() * weights, "weight": weights}
        return Loss(-self.weight.sum(), 2, statistics=statistics), None


class Ramp(Task):
    """One weight that every epoch raises; the validation metric is its distance to a goal it walks past."""

    name: ClassVar[str] = "ramp"
    summary: ClassVar[str] = "a weight that walks past its goal"
    monitor: ClassVar[Metric] = Mean(
        "distance", "steps", "minimize", 0.1, "absolute", of="distance", per="weight"
    )
    metrics: ClassVar[tuple[Metric, ...]] = (monitor,)
    unit: ClassVar[str] = "steps"
    item: ClassVar[str] = "probe"

    def load(self, source: Path | None) -> TaskData:
        return TaskData({})

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> RampModel:
        return RampModel()

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        goal = 1.0 if part == "valid" else 0.0
        yield Batch(inputs=torch.zeros(1), targets=torch.full((2,), goal), items=torch.arange(2))


@pytest.fixture(scope="session")
def data() -> TaskData:
    letters = np.random.default_rng(0).choice(list("abcd e"), 1600)
    text = "".join(letters).replace("a", "the ").encode()
    codes = np.unique(np.frombuffer(text, dtype=np.uint8), return_inverse=True)
    vocabulary = "".join(map(chr, codes[0]))
    numbers = codes[1].astype(np.uint8)
    cuts: dict[Part, slice] = {"train": slice(1200), "valid": slice(1200, 1500), "test": slice(1500, None)}
    parts = {part: {"codes": numbers[cut]} for part, cut in cuts.items()}
    return TaskData(parts, meta={"vocabulary": vocabulary, "source": "made up"})


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
    def make(spec: RunSpec = SPEC, store: RunStore | None = None, make_rnn: RnnOfSpec = lstm_of) -> Trainer:
        return Trainer(spec, CharLM(), data, store, make_rnn=make_rnn)

    return make


@pytest.fixture
def make_ramp() -> Callable[..., Trainer]:
    """A trainer with weights 0.4, 1.2, 2.4, 4 (the rate still rises); the goal is 1, for the test 0."""

    def make(store: RunStore | None = None, **changes: Any) -> Trainer:
        training = replace(OPTIONS, learning_rate=20.0, average=0.0, epochs=4, dropout=0.0)
        task = Ramp()
        return Trainer(replace(SPEC, task="ramp", training=training, **changes), task, task.load(None), store)

    return make


@pytest.fixture
def torch_lstm() -> RnnOfSpec:
    return lstm_of
