"""How far back the loss reaches: the norm of its gradient with respect to every state path, by lag.

A recurrent network learns what lies ``k`` steps back only through the gradient that arrives there; where it falls or
grows by a factor a step, it vanishes or explodes (Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu, Mikolov &
Bengio 2013, "On the difficulty of training recurrent neural networks", whose ``dE_t / dx_k`` this is).

**What is measured.** One batch of B sequences of T steps runs through the model, from the cell's start values and
without dropout, step by step through the reference interpreter. The loss is that of the *last step alone*: where a
task's outputs and targets have a step for every input (a language model), only their last step counts; where it has
one answer a sequence (a classifier), that answer. The gradient of this loss, a mean over the B sequences, is taken to
the value of every state path of every layer after each step; lag 0 is after the last step, lag T the start value. Its
norm is over all B sequences and all units together, so sequences are averaged over by the root of the mean square.
It is the whole gradient of that value: all ways from it to the loss count, also those within its own step (in the
LSTM's ``h = o * tanh(c)``, ``c`` of lag 0 has one).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.unrolled import Unrolled
from nas_rnn.tasks import Task, TaskData
from nas_rnn.training.model import build_model
from nas_rnn.training.plain import from_plain, to_plain
from nas_rnn.training.spec import EpochRecord, RunSpec

STEPS = 64
"""How far back is looked, at least, where the data has sequences that long."""
REMEMBERED = 0.01
"""The share of the gradient that still counts as remembered."""
PROBE_STEPS, PROBE_BATCH = 100, 32

Weights = Literal["fresh", "trained"]


@dataclass(frozen=True, kw_only=True)
class PathFlow:
    """One state path of one layer (from 0): ``norms[k]`` at lag k, 0 .. T; None where it is not finite."""

    path: str
    layer: int
    norms: list[float | None]

    @property
    def first(self) -> int | None:
        """The smallest lag at which there is a gradient; None where there is none at all."""
        return next((lag for lag, norm in enumerate(self.norms) if norm is None or norm > 0.0), None)

    @property
    def relative(self) -> list[float | None]:
        """The norms as multiples of the first that is not zero."""
        start = None if self.first is None else self.norms[self.first]
        return [None if norm is None or not start else norm / start for norm in self.norms]

    @property
    def factors(self) -> list[float | None]:
        """By which factor the norm changes from lag k to k + 1, T numbers; None where that says nothing."""
        return [
            None if before is None or after is None or before == 0.0 else after / before
            for before, after in zip(self.norms, self.norms[1:], strict=False)
        ]

    @property
    def growth(self) -> float | None:
        """The factor a step: the geometric mean of `factors`, as far as there is a gradient; None without any."""
        logarithms = [math.log(factor) for factor in self.factors if factor]
        return math.exp(math.fsum(logarithms) / len(logarithms)) if logarithms else None

    @property
    def horizon(self) -> int | None:
        """The memory horizon: the lag from which on the norm stays at or below 1 % of its first; None beyond T."""
        if self.first is None:
            return 0
        start = self.norms[self.first]
        above = [
            lag
            for lag, norm in enumerate(self.norms)
            if norm is None or start is None or norm > REMEMBERED * start
        ]
        return above[-1] + 1 if above[-1] + 1 < len(self.norms) else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with what follows from the norms."""
        return {**to_plain(self), "factors": self.factors, "growth": self.growth, "horizon": self.horizon}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PathFlow:
        return from_plain(cls, {key: data.get(key) for key in ("path", "layer", "norms")})


@dataclass(frozen=True, kw_only=True)
class GradientFlow:
    """The gradient flow of one model over ``steps`` steps: one entry a layer and state path.

    ``clip`` is the norm to which training clipped (0: never) and ``clipped`` the share of steps in which it did, by
    epoch; both say nothing of the measurement itself, where nothing is clipped.
    """

    cell: str
    weights: Weights
    steps: int
    batch: int
    paths: list[PathFlow]
    clip: float = 0.0
    clipped: list[float] = field(default_factory=list)

    @property
    def clipped_share(self) -> float | None:
        """The share of all steps of training that were clipped; None for weights that were not trained."""
        return math.fsum(self.clipped) / len(self.clipped) if self.clipped else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**vars(self), "paths": [path.to_dict() for path in self.paths], "clipped": list(self.clipped)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> GradientFlow:
        """Return what `to_dict` described."""
        return from_plain(cls, {**data, "paths": [PathFlow.from_dict(row) for row in data["paths"]]})


def model_flow(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    *,
    weights: Weights,
    clip: float = 0.0,
    clipped: Sequence[float] = (),
) -> GradientFlow:
    """Measure a task's ``model``, whose recurrent layers are its attribute ``rnn``, on one batch (see the module).

    The model is left as it was. Raises UserError where its recurrent layers are not an `RNN`, or are not what the
    loss depends on.
    """
    rnn = getattr(model, "rnn", None)
    if not isinstance(rnn, RNN):
        raise UserError(
            f"gradient flow needs a model whose attribute rnn is an nas_rnn.RNN, not a {type(rnn).__name__}"
        )
    unrolled, was_training = Unrolled(rnn), model.training
    device = next(model.parameters()).device
    model.eval()
    model.rnn = unrolled
    try:
        with torch.enable_grad():
            outputs, _ = model(inputs.to(device), None)
            last, wanted = _last_step(outputs, targets.to(device))
            paths = _paths(loss(last, wanted), unrolled)
    finally:
        model.rnn = rnn
        model.train(was_training)
    steps = len(unrolled.states[0]) - 1
    return GradientFlow(
        cell=rnn.cell.name,
        weights=weights,
        steps=steps,
        batch=len(unrolled.states[0][0][0]),
        paths=paths,
        clip=clip,
        clipped=list(clipped),
    )


def rnn_flow(rnn: RNN, *, seed: int = 0) -> GradientFlow:
    """Measure recurrent layers without a task: normal noise as input, a fixed random direction of the output as loss.

    T is `PROBE_STEPS`, B `PROBE_BATCH`; all is drawn from ``seed``.
    """
    generator = torch.Generator().manual_seed(seed)
    like = next(rnn.parameters(), torch.zeros(0))
    x_TBI = torch.randn(PROBE_STEPS, PROBE_BATCH, rnn.input_size, generator=generator).to(like)
    unrolled = Unrolled(rnn)
    with torch.enable_grad():
        output_TBH, _ = unrolled(x_TBI.transpose(0, 1) if rnn.batch_first else x_TBI)
        last_BH = output_TBH[:, -1] if rnn.batch_first else output_TBH[-1]
        direction_BH = torch.randn(last_BH.shape, generator=generator).to(like)
        paths = _paths((last_BH * direction_BH).sum(-1).mean(), unrolled)
    return GradientFlow(
        cell=rnn.cell.name, weights="fresh", steps=PROBE_STEPS, batch=PROBE_BATCH, paths=paths
    )


def fresh_flow(cell: Cell, input_size: int, hidden_size: int, *, seed: int = 0) -> GradientFlow:
    """Measure one layer of ``cell`` with the weights that it starts from (see `rnn_flow`)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        rnn = RNN(cell, input_size, hidden_size, backend="reference")
    return rnn_flow(rnn, seed=seed)


def flows_of_run(
    spec: RunSpec, task: Task, data: TaskData, trained: nn.Module | None, records: Sequence[EpochRecord] = ()
) -> list[GradientFlow]:
    """Return the flow of the run's model before training and, given the ``trained`` one, after it.

    The batch is the first of the training part, as long as `STEPS` where the data allows it.
    """
    inputs, targets = _batch(spec, task, data)
    fresh = build_model(spec, task, data.meta)
    flows = [model_flow(fresh, task.loss, inputs, targets, weights="fresh")]
    if trained is not None:
        clipped = [record.clipped for record in records]
        flows.append(
            model_flow(
                trained,
                task.loss,
                inputs,
                targets,
                weights="trained",
                clip=spec.training.clip,
                clipped=clipped,
            )
        )
    return flows


def _batch(spec: RunSpec, task: Task, data: TaskData) -> tuple[Tensor, Tensor]:
    """Return a batch of long sequences, or of those that training uses where there is no room for long ones."""
    options = spec.training
    try:
        length = max(STEPS, options.length)
        return next(iter(task.batches(data, "train", batch=options.batch, length=length, seed=None)))
    except UserError:
        return next(iter(task.batches(data, "train", batch=options.batch, length=options.length, seed=None)))


def _last_step(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last step of (T, B, ...) outputs and targets that have steps; else both as they are."""
    has_steps = targets.dim() >= 2 and outputs.shape[:2] == targets.shape[:2]
    return (outputs[-1:], targets[-1:]) if has_steps else (outputs, targets)


def _paths(loss: Tensor, unrolled: Unrolled) -> list[PathFlow]:
    """Return the flow of every state path of every layer; see the module."""
    values = [value for layer in unrolled.states for after in layer for value in after]
    learned = [value for value in values if value.requires_grad]
    if not loss.requires_grad:
        raise UserError("the loss does not depend on the recurrent layers, so there is no gradient to follow")
    # Gradients are taken with respect to values, not to their names: paths that are one value share its gradient.
    found = torch.autograd.grad(loss, learned, allow_unused=True)
    norms = {id(value): _norm(gradient) for value, gradient in zip(learned, found, strict=True)}
    return [
        PathFlow(
            path=path.name,
            layer=layer,
            norms=[norms.get(id(after[number]), 0.0) for after in reversed(kept)],
        )
        for layer, kept in enumerate(unrolled.states)
        for number, path in enumerate(unrolled.rnn.cell.states)
    ]


def _norm(gradient: Tensor | None) -> float | None:
    """Return the norm over everything, None where it is not finite; in double, so that squares do not vanish."""
    if gradient is None:
        return 0.0
    norm = float(gradient.double().norm())
    return norm if math.isfinite(norm) else None
