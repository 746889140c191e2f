"""Another kind of task, many steps to one answer, is one more class and needs no change anywhere else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.tasks import Metric, Part, Task, TaskData
from nas_rnn.training import RunSpec, RunStore, TrainingOptions
from nas_rnn.training.trainer import Trainer

SIDE = 6


class RowByRow(nn.Module):
    """Pictures (T rows, B, columns) to class logits (B, classes), from the output after the last row."""

    def __init__(self, make_rnn: Callable[[int], nn.Module], classes: int) -> None:
        super().__init__()
        self.rnn = make_rnn(SIDE)
        self.output = nn.Linear(int(self.rnn.hidden_size), classes)  # type: ignore[arg-type]
        self.states_seen: list[Any] = []

    def forward(self, rows_TBC: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        self.states_seen.append(state)
        hidden_TBH, state = self.rnn(rows_TBC, state)
        return self.output(hidden_TBH[-1]), state


class Bars(Task):
    """Which third of a noisy picture is bright: top, middle or bottom."""

    name: ClassVar[str] = "bars"
    summary: ClassVar[str] = "say where the bright rows are"
    metric: ClassVar[Metric] = Metric("accuracy", "percentage points", "maximize", 0.5, "absolute")
    unit: ClassVar[str] = "pictures"
    item: ClassVar[str] = "picture"
    carries_state: ClassVar[bool] = False

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        arrays: dict[str, Any] = {}
        for part, count in {"train": 300, "valid": 70, "test": 50}.items():
            labels = random.integers(3, size=count)
            pictures = random.normal(size=(count, SIDE, SIDE), scale=0.5).astype(np.float32)
            for picture, label in zip(pictures, labels, strict=True):
                picture[2 * label : 2 * label + 2] += 1.0
            arrays |= {f"{part}.pictures": pictures, f"{part}.labels": labels}
        return TaskData(arrays=arrays, meta={"classes": 3})

    def model(
        self, meta: Mapping[str, Any], make_rnn: Callable[[int], nn.Module], *, dropout: float
    ) -> nn.Module:
        return RowByRow(make_rnn, meta["classes"])

    def batches(
        self, data: TaskData, part: Part, *, batch: int, length: int, seed: int | None, epoch: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        pictures, labels = data.arrays[f"{part}.pictures"], data.arrays[f"{part}.labels"]
        order = np.arange(len(labels))
        if part == "train" and seed is not None:
            np.random.default_rng((seed, epoch)).shuffle(order)
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            yield torch.from_numpy(pictures[chosen].swapaxes(0, 1)), torch.from_numpy(labels[chosen])

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
        return f"one of {meta['classes']} classes"


@pytest.fixture
def bars_spec(spec: RunSpec) -> RunSpec:
    training = TrainingOptions(batch=16, learning_rate=0.02, epochs=3, device="cpu")
    return replace(spec, task="bars", training=training, role="final", read_test=True)


def test_the_same_trainer_learns_it(
    bars_spec: RunSpec, torch_lstm: Callable[[RunSpec, int], nn.Module], tmp_path: Path
) -> None:
    task = Bars()
    trainer = Trainer(bars_spec, task, task.load(None), RunStore(tmp_path), make_rnn=torch_lstm)
    while not trainer.finished:
        trainer.run_epoch()
    result = trainer.result()
    best = max(record.metric for record in trainer.records)
    assert best > 90.0
    assert result.best_metric == best
    assert result.test_values is not None
    assert len(result.test_values) == 50
    assert set(result.test_values) <= {0.0, 100.0}
    assert np.mean(result.test_values) > 90.0
    model = trainer.best_model()
    assert isinstance(model, RowByRow)
    assert set(model.states_seen) == {None}


def test_validation_is_the_mean_over_pictures_not_over_batches(
    bars_spec: RunSpec, torch_lstm: Callable[[RunSpec, int], nn.Module]
) -> None:
    task = Bars()
    data = task.load(None)
    trainer = Trainer(bars_spec, task, data, make_rnn=torch_lstm)
    record = trainer.run_epoch()
    pictures, labels = data.arrays["valid.pictures"], data.arrays["valid.labels"]
    with torch.no_grad():
        logits, _ = trainer.best_model()(torch.from_numpy(pictures.swapaxes(0, 1)), None)
    right = (logits.argmax(-1).numpy() == labels).mean() * 100.0
    assert record.metric == pytest.approx(right)
    assert record.valid_loss == pytest.approx(
        float(F.cross_entropy(logits, torch.from_numpy(labels))), rel=1e-5
    )
