"""One pass over the data: training by truncated back-propagation through time, and evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.tasks import Task
from nas_rnn.training.errors import Diverged

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class TrainPass:
    """What an epoch of training showed: means over its steps."""

    loss: float
    gradient_norm: float
    clipped: float
    units_per_second: float


@dataclass(frozen=True, kw_only=True)
class EvaluationPass:
    """What evaluation showed: the mean loss in nats, and each item's value and weight (float64, 1-D)."""

    loss: float
    values: Tensor
    weights: Tensor

    @property
    def metric(self) -> float:
        """The weighted mean of the items' values."""
        return float((self.values * self.weights).sum() / self.weights.sum())


def train_pass(
    model: nn.Module,
    task: Task,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    clip: float,
    epoch: int,
) -> TrainPass:
    """Take one optimiser step a batch, at learning rate ``rate(step)``.

    Raises:
        Diverged: before the step whose loss or gradient is not finite changes the weights, or after the last
            step when a weight is not.
    """
    model.train()
    device = next(model.parameters()).device
    started, step, units = time.perf_counter(), 0, 0
    losses, norms = list[float](), list[float]()
    state: Any = None
    for inputs, targets in batches:
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        state = detached(state) if task.carries_state else None
        outputs, state = model(inputs.to(device), state)
        loss = task.loss(outputs, targets.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf)
        losses.append(_finite("loss", loss, epoch, step))
        norms.append(_finite("gradient norm", norm, epoch, step))
        optimizer.step()
        units += targets.numel()
        step += 1
    _require_finite_weights(model, epoch, step)
    return TrainPass(
        loss=math.fsum(losses) / step,
        gradient_norm=math.fsum(norms) / step,
        clipped=sum(norm > clip > 0 for norm in norms) / step,
        units_per_second=units / (time.perf_counter() - started),
    )


@torch.no_grad()
def evaluation_pass(model: nn.Module, task: Task, batches: Batches) -> EvaluationPass:
    """Score every item of a part once, without dropout."""
    model.eval()
    device = next(model.parameters()).device
    values, weights = list[Tensor](), list[Tensor]()
    loss = 0.0
    state: Any = None
    for inputs, targets in batches:
        outputs, state = model(inputs.to(device), state if task.carries_state else None)
        targets = targets.to(device)
        batch_values, batch_weights = task.item_scores(outputs, targets)
        values.append(batch_values.double().cpu())
        weights.append(batch_weights.double().cpu())
        loss += float(task.loss(outputs, targets)) * float(weights[-1].sum())
    all_weights = _in_order(weights, task)
    return EvaluationPass(
        loss=loss / float(all_weights.sum()), values=_in_order(values, task), weights=all_weights
    )


def _in_order(parts: list[Tensor], task: Task) -> Tensor:
    """Return all items in the order of the data: of parallel streams, one stream after the other.

    Neighbours resemble each other, and an interval over items holds its level only where they stand together.
    """
    return torch.stack(parts, dim=1).flatten() if task.carries_state else torch.cat(parts)


def detached(state: Any) -> Any:
    """Return a state (None, a tensor, or a tuple of states) cut off from the graph that computed it."""
    if isinstance(state, Tensor):
        return state.detach()
    return None if state is None else tuple(detached(part) for part in state)


def _finite(what: str, value: Tensor, epoch: int, step: int) -> float:
    number = value.item()
    if not math.isfinite(number):
        raise Diverged(f"{what} became {number}", epoch=epoch, step=step)
    return number


def _require_finite_weights(model: nn.Module, epoch: int, step: int) -> None:
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise Diverged(f"weights {name} became non-finite", epoch=epoch, step=step)
