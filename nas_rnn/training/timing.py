"""How long a training step takes, for models that are to be compared at equal time instead of equal parameters."""

from __future__ import annotations

import itertools
import statistics
import time

import torch

from nas_rnn.tasks import Batching, Task, TaskData
from nas_rnn.training.device import resolve_device, threads
from nas_rnn.training.loop import train_pass
from nas_rnn.training.model import build_model
from nas_rnn.training.spec import RunSpec

STEPS, ROUNDS = 2, 7


def seconds_per_step(specs: list[RunSpec], task: Task, data: TaskData) -> list[float]:
    """Return the seconds that a training step of each of ``specs`` takes on the first batches of the data.

    They are measured in turns, after a pass that compiles and warms up: the median over ROUNDS rounds of STEPS steps
    each, so that what else the machine does meets all alike. Weights stay as they began.

    Raises:
        Diverged: when a first step does.
    """
    runs = [_Stepper(spec, task, data) for spec in specs]
    for run in runs:
        run.step()
    rounds = [[run.step() for run in runs] for _ in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


class _Stepper:
    """Takes training steps of one model at a learning rate of 0."""

    def __init__(self, spec: RunSpec, task: Task, data: TaskData) -> None:
        self._options = spec.training
        options = spec.training
        batches = task.batches(
            data, "train", Batching(batch=options.batch, length=options.length, seed=spec.data_seed)
        )
        self._batches = list(itertools.islice(batches, STEPS))
        with threads(options.threads):
            self._model = build_model(spec, task, data.meta).to(resolve_device(options.device))
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=0.0)

    def step(self) -> float:
        """Return the seconds of one step."""
        with threads(self._options.threads), torch.random.fork_rng():
            began = time.perf_counter()
            train_pass(
                self._model,
                self._batches,
                self._optimizer,
                rate=lambda step: 0.0,
                clip=self._options.clip,
                epoch=1,
            )
            return (time.perf_counter() - began) / len(self._batches)
