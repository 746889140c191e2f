"""Another kind of task, many steps to one answer, is one more class and needs no change anywhere else."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.tasks import (
    Arrays,
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
from nas_rnn.tasks.model import State
from nas_rnn.training import RunSpec, RunStore, TrainingOptions
from nas_rnn.training.model import RnnOfSpec
from nas_rnn.training.trainer import Trainer

SIDE = 6


class RowByRow(TaskModel):
    """Pictures (T rows, B, columns) to class logits (B, classes), from the output after the last row."""

    def __init__(self, make_rnn: MakeRnn, classes: int) -> None:
        super().__init__()
        self.rnn = make_rnn(SIDE)
        self.output = nn.Linear(int(self.rnn.hidden_size), classes)  # type: ignore[arg-type]
        self.states_seen: list[Any] = []

    def logits(self, rows_TBC: Tensor) -> Tensor:
        hidden_TBH, _ = self.rnn(rows_TBC, None)
        logits_BC: Tensor = self.output(hidden_TBH[-1])
        return logits_BC

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        self.states_seen.append(state)
        assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
        logits_BC = self.logits(batch.inputs)
        correct = (logits_BC.argmax(-1) == batch.targets) * 100.0
        return Loss(
            F.cross_entropy(logits_BC, batch.targets), len(correct), statistics={"correct": correct}
        ), None


class Bars(Task):
    """Which third of a noisy picture is bright: top, middle or bottom."""

    name: ClassVar[str] = "bars"
    summary: ClassVar[str] = "say where the bright rows are"
    monitor: ClassVar[Metric] = Mean(
        "accuracy", "percentage points", "maximize", 0.5, "absolute", of="correct"
    )
    metrics: ClassVar[tuple[Metric, ...]] = (monitor,)
    unit: ClassVar[str] = "pictures"
    item: ClassVar[str] = "picture"

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        counts: dict[Part, int] = {"train": 300, "valid": 70, "test": 50}
        parts: dict[Part, Arrays] = {}
        for part, count in counts.items():
            labels = random.integers(3, size=count)
            pictures = random.normal(size=(count, SIDE, SIDE), scale=0.5).astype(np.float32)
            for picture, label in zip(pictures, labels, strict=True):
                picture[2 * label : 2 * label + 2] += 1.0
            parts[part] = {"pictures": pictures, "labels": labels}
        return TaskData(parts, meta={"classes": 3})

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> RowByRow:
        return RowByRow(make_rnn, meta["classes"])

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        pictures, labels = data.part(part)["pictures"], data.part(part)["labels"]
        order = np.arange(len(labels))
        if part == "train" and batching.seed is not None:
            np.random.default_rng((batching.seed, batching.epoch)).shuffle(order)
        for first in range(0, len(order), batching.batch):
            chosen = order[first : first + batching.batch]
            yield Batch(
                inputs=torch.from_numpy(pictures[chosen].swapaxes(0, 1)),
                targets=torch.from_numpy(labels[chosen]),
                items=torch.from_numpy(chosen),
            )


@pytest.fixture
def bars_spec(spec: RunSpec) -> RunSpec:
    training = TrainingOptions(batch=16, learning_rate=0.02, epochs=3, device="cpu")
    return replace(spec, task="bars", training=training, role="final", read_test=True)


def test_the_same_trainer_learns_it(bars_spec: RunSpec, torch_lstm: RnnOfSpec, tmp_path: Path) -> None:
    task = Bars()
    trainer = Trainer(bars_spec, task, task.load(None), RunStore(tmp_path), make_rnn=torch_lstm)
    while not trainer.finished:
        trainer.run_epoch()
    result = trainer.result()
    best = max(record.metric for record in trainer.records)
    assert best > 90.0
    assert result.best_metric == best
    assert result.test_statistics is not None
    correct = result.test_statistics["correct"]
    assert len(correct) == 50
    assert set(correct) <= {0.0, 100.0}
    assert np.mean(correct) > 90.0
    model = trainer.best_model()
    assert isinstance(model, RowByRow)
    assert set(model.states_seen) == {None}


def test_validation_is_the_mean_over_pictures_not_over_batches(
    bars_spec: RunSpec, torch_lstm: RnnOfSpec
) -> None:
    task = Bars()
    data = task.load(None)
    trainer = Trainer(bars_spec, task, data, make_rnn=torch_lstm)
    record = trainer.run_epoch()
    pictures, labels = data.part("valid")["pictures"], data.part("valid")["labels"]
    model = trainer.best_model()
    assert isinstance(model, RowByRow)
    with torch.no_grad():
        logits = model.logits(torch.from_numpy(pictures.swapaxes(0, 1)))
    right = (logits.argmax(-1).numpy() == labels).mean() * 100.0
    assert record.metric == pytest.approx(right)
    assert record.valid_loss == pytest.approx(
        float(F.cross_entropy(logits, torch.from_numpy(labels))), rel=1e-5
    )
