"""The schedules that `schedules.py` compares: how each trains, and which weights are read.

`Run` serves all of them, so that they differ in nothing else: the model, the data's order, AdamW's betas, the warm-up
and the clipping are the trainer's. A *reading* is a set of weights that a run can be judged by; a run has several where
they cost nothing more, such as the raw weights and their average.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from sized_runs import run_of, sized
from torch import Tensor, nn

from nas_rnn.tasks import Batching, Task, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.model import TaskModel
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.averaging import AveragedWeights
from nas_rnn.training.ending import end_of
from nas_rnn.training.errors import Diverged
from nas_rnn.training.loop import scoring_pass, train_pass, validation_pass
from nas_rnn.training.model import build_model
from nas_rnn.training.schedule import WARM_UP_STEPS
from nas_rnn.training.trainer import BETAS

AVERAGE = 0.1
TAIL = 0.2
PATIENCE, FALL, FALLS = 5, 0.1, 2
"""Plateaus: epochs without a new best before the rate falls, by which factor, and how often at most."""
NON_MONOTONE = 5
CAP = 100

Loaded = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Problem:
    """A task with its data, and the LSTM's size on it."""

    name: str
    task: Task
    data: TaskData
    options: TrainingOptions
    hidden_size: int

    @classmethod
    def of(cls, name: str, task: Task, data: TaskData, parameters: int) -> Problem:
        options = {"batch": 32, "length": 32, **task.training_defaults, "epochs": "auto", "device": "cpu"}
        chosen = TrainingOptions(**options)
        spec = sized(run_of("lstm", task, chosen, 0), task, data, parameters)
        return cls(name, task, data, chosen, spec.hidden_size)

    def spec(self, seed: int) -> RunSpec:
        return run_of("lstm", self.task, self.options, seed, self.hidden_size)

    def loss(self, metric: float) -> float:
        """Return the monitor's value such that less is better."""
        return -metric if self.task.measures(self.data.meta).monitor.direction == "maximize" else metric

    def margin_at(self, loss: float) -> float:
        return self.task.measures(self.data.meta).monitor.margin_at(abs(loss))


@dataclass
class Reading:
    """Weights to judge a run by: their curve on validation, and what they were at its best.

    ``rule`` says whether the rule of ending applies. ``end`` is the number of the last epoch, None while it goes on.
    """

    name: str
    loaded: Loaded = nullcontext
    rule: bool = True
    curve: list[float] = field(default_factory=list)
    end: int | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    raw: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, object] = field(default_factory=dict)

    @property
    def best_epoch(self) -> int:
        return int(np.argmin(self.curve)) + 1

    def plain(self) -> dict[str, object]:
        return {
            "epochs": self.end,
            "best_epoch": self.best_epoch,
            "valid": min(self.curve, default=math.inf),
            "curve": self.curve,
        }


class Uniform:
    """The plain mean of all weights since `begin`, as NT-ASGD takes it; before, the weights themselves."""

    def __init__(self, model: nn.Module) -> None:
        self._own, self._mean, self._count = list(model.parameters()), list[Tensor](), 0

    @property
    def begun(self) -> bool:
        return bool(self._mean)

    def begin(self) -> None:
        self._mean, self._count = [p.detach().clone() for p in self._own], 1

    @torch.no_grad()
    def update(self) -> None:
        if self._mean:
            self._count += 1
            torch._foreach_lerp_(self._mean, [p.detach() for p in self._own], 1 / self._count)

    def loaded(self) -> AbstractContextManager[object]:
        return _put(self._own, self._mean) if self._mean else nullcontext()


class ScheduleFree(torch.optim.Optimizer):
    """Schedule-free AdamW without weight decay (Defazio et al. 2024, algorithm 1).

    The model's parameters are y, at which gradients are taken: y = (1 - beta1) z + beta1 x. z takes the steps, and x,
    which is read, is the average of the z weighted by their rates' squares.
    """

    def __init__(self, model: nn.Module, lr: float, betas: tuple[float, float], eps: float = 1e-8) -> None:
        super().__init__(model.parameters(), {"lr": lr})
        self._y = list(model.parameters())
        self._z, self._x = ([p.detach().clone() for p in self._y] for _ in range(2))
        self._square = [torch.zeros_like(p) for p in self._y]
        self._betas, self._eps, self._step, self._weight = betas, eps, 0, 0.0

    @torch.no_grad()
    def step(self) -> None:
        first, second = self._betas
        self._step += 1
        rate = self.param_groups[0]["lr"] * math.sqrt(1 - second**self._step)
        self._weight += rate**2
        share = rate**2 / self._weight
        gradients = [p.grad for p in self._y]
        torch._foreach_mul_(self._square, second)
        torch._foreach_addcmul_(self._square, gradients, gradients, 1 - second)
        roots = torch._foreach_sqrt(self._square)
        torch._foreach_add_(roots, self._eps)
        torch._foreach_addcdiv_(self._z, gradients, roots, -rate)
        torch._foreach_lerp_(self._x, self._z, share)
        for y, z, x in zip(self._y, self._z, self._x, strict=True):
            y.copy_(torch.lerp(z, x, first))

    def loaded(self) -> AbstractContextManager[object]:
        return _put(self._y, self._x)


@contextmanager
def _put(own: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Give parameters other values for the time of the block."""
    kept = [p.detach().clone() for p in own]
    with torch.no_grad():
        for parameter, other in zip(own, others, strict=True):
            parameter.copy_(other)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, before in zip(own, kept, strict=True):
                parameter.copy_(before)


@dataclass
class Run:
    """A model in training; ``factor``, or a function of the step, multiplies the rate."""

    problem: Problem
    rate: float
    seed: int

    def __post_init__(self) -> None:
        self.spec = self.problem.spec(self.seed)
        self.model: TaskModel = build_model(self.spec, self.problem.task, self.problem.data.meta)
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.rate, betas=BETAS, weight_decay=0.0
        )
        self.epoch, self.factor = 0, 1.0
        self.steps = sum(1 for _ in self._batches(1))

    def train_epoch(
        self,
        factor: Callable[[int], float] | None = None,
        after_step: Callable[[int], None] = lambda step: None,
    ) -> None:
        before = self.epoch * self.steps
        self.epoch += 1
        train_pass(
            self.model,
            self._batches(self.epoch),
            self.optimizer,
            rate=lambda step: (
                self.rate
                * min(1.0, (before + step + 1) / WARM_UP_STEPS)
                * (self.factor if factor is None else factor(before + step))
            ),
            clip=self.spec.training.clip,
            epoch=self.epoch,
            after_step=lambda step: after_step(before + step + 1),
        )

    def read(self, reading: Reading) -> None:
        """Validate one reading, keep its weights where they are the best so far, and see whether it has ended."""
        task, data = self.problem.task, self.problem.data
        with reading.loaded():
            found = validation_pass(self.model, task.batches(data, "valid", EVALUATION))
            loss = self.problem.loss(found.metric(task.measures(data.meta).monitor))
            if not math.isfinite(loss):
                raise Diverged("validation is not finite", epoch=self.epoch, step=0)
            reading.curve.append(loss)
            best = loss < min(reading.curve[:-1], default=math.inf)
            if best:
                reading.weights = _copied(self.model)
        if best:
            reading.raw = _copied(self.model)
            reading.optimizer = copy.deepcopy(self.optimizer.state_dict())
        ended = reading.rule and end_of(reading.curve, self.problem.margin_at) is not None
        if ended or self.epoch >= CAP:
            reading.end = self.epoch

    def test(self, weights: dict[str, Tensor]) -> float:
        """Return the metric on the test part."""
        task, data = self.problem.task, self.problem.data
        self.model.load_state_dict(weights)
        found = scoring_pass(self.model, task.batches(data, "test", EVALUATION), seed=self.spec.seed)
        return float(found.metric(task.measures(data.meta).metric))

    def _batches(self, epoch: int):
        options = self.spec.training
        batching = Batching(batch=options.batch, length=options.length, seed=self.spec.data_seed, epoch=epoch)
        return self.problem.task.batches(self.problem.data, "train", batching)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def constant(run: Run) -> list[Reading]:
    """The rate stays; read are the averaged weights and the raw ones, and a tail of decay from either."""
    average = AveragedWeights(run.model, AVERAGE)
    readings = [Reading("averaged", average.loaded), Reading("raw")]
    while any(reading.end is None for reading in readings):
        run.train_epoch(after_step=average.update)
        for reading in readings:
            if reading.end is None:
                run.read(reading)
    averaged = readings[0]
    tails = [
        _tail(run, averaged, weights, name)
        for name, weights in (("averaged, tail", averaged.weights), ("averaged, tail from raw", averaged.raw))
    ]
    return [*readings, *tails]


def averaged(run: Run, second: float, name: str) -> list[Reading]:
    """The rate stays, with another second beta of AdamW's; averaged weights."""
    for group in run.optimizer.param_groups:
        group["betas"] = (BETAS[0], second)
    average = AveragedWeights(run.model, AVERAGE)
    reading = Reading(name, average.loaded)
    while reading.end is None:
        run.train_epoch(after_step=average.update)
        run.read(reading)
    return [reading]


def _tail(run: Run, averaged: Reading, weights: dict[str, Tensor], name: str) -> Reading:
    """From the best averaged epoch on let the rate fall to zero over `TAIL` of the steps so far."""
    run.model.load_state_dict(weights)
    run.optimizer.load_state_dict(copy.deepcopy(averaged.optimizer))
    run.epoch = averaged.best_epoch
    length = max(1, round(TAIL * run.epoch))
    begin, total = run.epoch * run.steps, length * run.steps
    tail = Reading(name, rule=False)
    for _ in range(length):
        run.train_epoch(lambda step: 1 - (step - begin) / total)
        run.read(tail)
    tail.end = averaged.end + length
    return tail


def cosine(run: Run, epochs: int) -> list[Reading]:
    """The rate falls to zero along a cosine over ``epochs``; raw weights."""
    reading = Reading("cosine", rule=False)
    for _ in range(epochs):
        run.train_epoch(lambda step: 0.5 * (1 + math.cos(math.pi * step / (epochs * run.steps))))
        run.read(reading)
    reading.end = epochs
    return [reading]


def plateaus(run: Run) -> list[Reading]:
    """The rate falls tenfold where validation has had no new best for `PATIENCE` epochs (Melis et al. 2018).

    Ended by the rule, or by its own: when a third plateau follows two falls.
    """
    by_rule, own = Reading("plateaus"), Reading("plateaus, own end", rule=False)
    falls, since = 0, 0
    while own.end is None or by_rule.end is None:
        run.train_epoch()
        for reading in (by_rule, own):
            if reading.end is None:
                run.read(reading)
        curve = max(by_rule.curve, own.curve, key=len)
        since = 0 if curve[-1] == min(curve) else since + 1
        if since >= PATIENCE:
            falls, since = falls + 1, 0
            if falls > FALLS:
                own.end = own.end or run.epoch
            else:
                run.factor *= FALL
    return [by_rule, own]


def nt_asgd(run: Run) -> list[Reading]:
    """Averages all weights from where validation is no better than the best of over five epochs ago.

    Non-monotonically triggered averaging (Merity et al. 2018, algorithm 1), with AdamW in the place of SGD.
    """
    mean = Uniform(run.model)
    reading = Reading("NT-ASGD", mean.loaded)
    while reading.end is None:
        run.train_epoch(after_step=lambda step: mean.update())
        run.read(reading)
        curve = reading.curve
        if not mean.begun and len(curve) > NON_MONOTONE and curve[-1] > min(curve[:-NON_MONOTONE]):
            mean.begin()
    return [reading]


def schedule_free(run: Run, second: float, name: str) -> list[Reading]:
    """Schedule-free AdamW, read at its average."""
    run.optimizer = optimizer = ScheduleFree(run.model, run.rate, (0.9, second))
    reading = Reading(name, optimizer.loaded)
    while reading.end is None:
        run.train_epoch()
        run.read(reading)
    return [reading]
