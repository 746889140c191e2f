"""Small models trained to their ends, with torch's LSTM as the cell."""

from __future__ import annotations

from typing import Any

from torch import nn

from nas_rnn.tasks import Task, TaskData
from nas_rnn.tasks.metric import Statistics
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.trainer import Trainer


def trained(task: Task, data: TaskData, hidden_size: int = 12, **training: Any) -> Statistics:
    """Train with the task's defaults and ``training``; return what the test part gave."""
    options = TrainingOptions(**{**task.training_defaults, "device": "cpu", **training})
    spec = RunSpec(
        id="1", role="final", name="lstm", cell="", hidden_size=hidden_size, task=task.name, training=options,
        seed=1, data_seed=2, read_test=True,
    )  # fmt: skip

    def lstm(spec: RunSpec, size: int, *, bidirectional: bool = False) -> nn.Module:
        return nn.LSTM(size, hidden_size, bidirectional=bidirectional)

    trainer = Trainer(spec, task, data, make_rnn=lstm)
    while not trainer.finished:
        trainer.run_epoch()
    statistics = trainer.result().test_statistics
    assert statistics is not None
    return statistics
