"""Runs of one cell for the scripts beside this one, of a size that is given in parameters of the whole model."""

from __future__ import annotations

from dataclasses import replace

from nas_rnn import plugins
from nas_rnn.comparison import nearest_hidden_size
from nas_rnn.tasks import Task, TaskData
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.model import count_parameters
from nas_rnn.training.trainer import Trainer


def run_of(
    cell: str, task: Task, options: TrainingOptions, seed: int, hidden_size: int = 1, id: str = ""
) -> RunSpec:
    """Return run number ``seed`` of the cell of that name, which reads the test part at its end."""
    return RunSpec(
        id=id or f"{cell}-{seed}",
        role="final",
        name=cell,
        cell=plugins.load_cell(cell).to_text(),
        hidden_size=hidden_size,
        task=task.name,
        training=options,
        seed=2 * seed,
        data_seed=2 * seed + 1,
        read_test=True,
    )


def sized(spec: RunSpec, task: Task, data: TaskData, parameters: int) -> RunSpec:
    """Return the run with the hidden size at which its model comes nearest to so many parameters."""

    def count(size: int) -> int:
        return count_parameters(replace(spec, hidden_size=size), task, data.meta)

    return replace(spec, hidden_size=nearest_hidden_size(count, parameters).hidden_size)


def trained(spec: RunSpec, task: Task, data: TaskData) -> Trainer:
    """Train a run to its end. Raises Diverged."""
    trainer = Trainer(spec, task, data)
    while not trainer.finished:
        trainer.run_epoch()
    return trainer
