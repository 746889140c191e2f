"""How long a training step takes: for models that are compared at equal time, and for how fast a cell learns."""

from __future__ import annotations

import itertools
import math
import statistics
import time

import torch

from nas_rnn.tasks import Batching, Task, TaskData
from nas_rnn.training.device import resolve_device, threads
from nas_rnn.training.loop import train_pass
from nas_rnn.training.model import build_model
from nas_rnn.training.optimizer import AdamW
from nas_rnn.training.spec import RunSpec

STEPS, ROUNDS = 2, 7

TARGET_ROUNDS = 21
"""Of `seconds_per_target`, whose figures are told and not only searched by."""


def seconds_per_step(specs: list[RunSpec], task: Task, data: TaskData) -> list[float]:
    """Return the seconds that a training step of each of ``specs`` takes on the first batches of the data.

    They are measured in turns, after a pass that compiles and warms up: the median over ROUNDS rounds of STEPS steps
    each, so that what else the machine does meets all alike. Weights stay as they began.

    Raises:
        Diverged: when a first step does.
    """
    return _in_turns([_Stepper(spec, task, data) for spec in specs], ROUNDS)


def seconds_per_target(specs: list[RunSpec], task: Task, data: TaskData) -> list[float]:
    """Return the seconds of training that a target takes each of ``specs``, measured as `seconds_per_step` does.

    Raises:
        Diverged: when a first step does.
    """
    runs = [_Stepper(spec, task, data) for spec in specs]
    seconds = _in_turns(runs, TARGET_ROUNDS)
    return [each / run.targets for each, run in zip(seconds, runs, strict=True)]


def _in_turns(runs: list[_Stepper], rounds: int) -> list[float]:
    """Return the median seconds of a step of each."""
    for run in runs:
        run.step()
    measured = [[run.step() for run in runs] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*measured, strict=True)]


class _Stepper:
    """Takes training steps of one model at a learning rate of 0; ``targets`` are those of a step."""

    targets = math.nan

    def __init__(self, spec: RunSpec, task: Task, data: TaskData) -> None:
        self._options = spec.training
        options = spec.training
        batches = task.batches(
            data, "train", Batching(batch=options.batch, length=options.length, seed=spec.data_seed)
        )
        self._batches = list(itertools.islice(batches, STEPS))
        with threads(options.threads):
            self._model = build_model(spec, task, data.meta).to(resolve_device(options.device))
        self._optimizer = AdamW(self._model.parameters(), lr=0.0)

    def step(self) -> float:
        """Return the seconds of one step."""
        with threads(self._options.threads), torch.random.fork_rng():
            began = time.perf_counter()
            trained = train_pass(
                self._model,
                self._batches,
                self._optimizer,
                rate=lambda step: 0.0,
                clip=self._options.clip,
                epoch=1,
            )
            seconds = time.perf_counter() - began
        self.targets = trained.targets / len(self._batches)
        return seconds / len(self._batches)
