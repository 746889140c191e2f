"""One pass over the data: training by truncated back-propagation through time, and evaluation. Knows no shapes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.metric import Metric, Statistics, totals_of
from nas_rnn.tasks.model import ItemStatistics, State, TaskModel, detached
from nas_rnn.training.errors import Diverged

Batches = Iterable[Batch]


@dataclass(frozen=True, kw_only=True)
class TrainPass:
    """What an epoch of training showed: means over its steps, and how many real targets it had."""

    loss: float
    gradient_norm: float
    clipped: float
    units_per_second: float
    targets: int


@dataclass(frozen=True, kw_only=True)
class EvaluationPass:
    """What evaluation showed: the mean loss in nats a target, how many targets, and each item's statistics."""

    loss: float
    targets: int
    statistics: Statistics

    def metric(self, metric: Metric) -> float:
        """Return a metric of the part; the loss itself is the statistics "loss" and "targets"."""
        own = {"loss": np.asarray(self.loss * self.targets), "targets": np.asarray(float(self.targets))}
        return metric.value({**own, **totals_of(self.statistics)})


def train_pass(
    model: TaskModel,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    clip: float,
    epoch: int,
    after_step: Callable[[int], None] = lambda step: None,
) -> TrainPass:
    """Take one optimiser step a batch, at learning rate ``rate(step)``; ``after_step(step)`` follows each, from 0.

    Raises:
        Diverged: before the step whose loss or gradient is not finite changes the weights, or after the last
            step when a weight is not.
    """
    model.train()
    device = next(model.parameters()).device
    started, step, targets = time.perf_counter(), 0, 0
    losses, norms = list[float](), list[float]()
    state: State = None
    for batch in batches:
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        loss, state = model.loss(batch.to(device), detached(state))
        optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf)
        losses.append(_finite("loss", loss.curve, epoch, step))
        if loss.shown is not None:
            _finite("loss", loss.total, epoch, step)
        norms.append(_finite("gradient norm", norm, epoch, step))
        optimizer.step()
        after_step(step)
        targets += loss.count
        step += 1
    _require_finite_weights(model, epoch, step)
    return TrainPass(
        loss=math.fsum(losses) / step,
        gradient_norm=math.fsum(norms) / step,
        clipped=sum(norm > clip > 0 for norm in norms) / step,
        units_per_second=targets / (time.perf_counter() - started),
        targets=targets,
    )


def validation_pass(model: TaskModel, batches: Batches) -> EvaluationPass:
    """Measure the loss of a part, and the statistics that come along with it, without dropout."""

    def take(batch: Batch, state: State, number: int) -> tuple[float, int, ItemStatistics, State]:
        loss, state = model.loss(batch, state)
        return float(loss.curve), loss.count, loss.statistics, state

    return _evaluated(model, batches, take)


def scoring_pass(model: TaskModel, batches: Batches, *, seed: int) -> EvaluationPass:
    """Score every item of a part once, without dropout; what a model draws there depends on ``seed`` alone."""
    device = next(model.parameters()).device

    def take(batch: Batch, state: State, number: int) -> tuple[float, int, ItemStatistics, State]:
        own_seed = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator(device).manual_seed(own_seed)
        statistics, state = model.score(batch, state, generator=generator)
        return 0.0, 0, statistics, state

    return _evaluated(model, batches, take)


@torch.no_grad()
def _evaluated(model: TaskModel, batches: Batches, take: Callable[..., Any]) -> EvaluationPass:
    model.eval()
    device = next(model.parameters()).device
    items, found = list[Tensor](), list[ItemStatistics]()
    total, targets = 0.0, 0
    state: State = None
    for number, batch in enumerate(batches):
        loss, count, statistics, state = take(batch.to(device), state, number)
        if batch.context:
            continue
        total += loss * count
        targets += count
        if statistics:
            if batch.items is None:
                raise ValueError("batches that are evaluated must say which items they hold (Batch.items)")
            items.append(batch.items)
            found.append(statistics)
    return EvaluationPass(
        loss=total / targets if targets else 0.0, targets=targets, statistics=_by_item(items, found)
    )


def _by_item(items: list[Tensor], found: list[ItemStatistics]) -> Statistics:
    """Return each item's statistics in the order of the data; those of an item in several batches add up."""
    if not items:
        return {}
    item_R = torch.cat(items).cpu().numpy()
    count = int(item_R.max()) + 1
    return {name: _added(item_R, [rows[name] for rows in found], count) for name in found[0]}


def _added(item_R: NDArray[np.int64], rows: list[Tensor], count: int) -> NDArray[np.float64]:
    values = torch.cat([row.detach().double().cpu() for row in rows]).numpy()
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, item_R, values)
    return total


def _finite(what: str, value: Tensor, epoch: int, step: int) -> float:
    number = value.item()
    if not math.isfinite(number):
        raise Diverged(f"{what} became {number}", epoch=epoch, step=step)
    return number


def _require_finite_weights(model: nn.Module, epoch: int, step: int) -> None:
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise Diverged(f"weights {name} became non-finite", epoch=epoch, step=step)
