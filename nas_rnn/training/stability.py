"""Whether a cell explodes as it starts, judged before training: by its values and gradients.

A layer of the cell, with the weights that it starts from, reads normal noise over a sequence several times longer than
those that it is trained on. A healthy cell forgets or accumulates: its states stay within bounds, or grow as a power of
the number of steps (an LSTM without a forget gate adds up, so they grow in proportion). States that are multiplied at
each step grow as an exponential instead, until nothing is finite; so do gradients, backwards (Pascanu, Mikolov & Bengio
2013, arXiv:1211.5063, section 2). A power t^p grows by 2^p from one length to its double, whatever the length, and an
exponential by as much as it had grown before: that tells the two apart.

Training may still make something of such a cell where it is cut into short pieces and gradients are clipped;
docs/filter.md has how often. How well other cells will do the test does not say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nas_rnn.cells import Cell
from nas_rnn.execution import RNN
from nas_rnn.training.device import threads
from nas_rnn.training.options import Init

Kind = Literal["values", "gradients"]

SEEDS = 3
"""A cell is unstable that is so with the weights of each of so many seeds."""
BATCH = 4
PIECE = 16
"""States are looked at after every so many steps."""
LAG = 64
"""So many steps back gradients are followed; over one piece more the loss is computed."""
LONG = 256
"""Over so many steps states are."""
GROWTH = 2.0**6
"""By how much states may grow over the second half of the steps: as steps to the sixth power do."""
LARGEST = 1e3
"""States that are no larger than this have grown from next to nothing, as far as they have."""
GRADIENT_GROWTH = 1e4
"""By how much gradients may grow over the second half of the steps that they go back."""


@dataclass(frozen=True)
class Instability:
    """What is wrong with a cell: with its ``values`` or its ``gradients``, and how in words and numbers."""

    kind: Kind
    reason: str


@dataclass(frozen=True)
class Course:
    """The largest absolute state after so many steps, and the norm of the gradient so many steps back.

    ``values`` end with the first that is not finite. ``finite_gradients`` is about those of the parameters as well.
    """

    values: Mapping[int, float]
    gradients: Mapping[int, float]
    finite_gradients: bool = True


def instability(
    cell: Cell, hidden_size: int, input_size: int, *, layers: int = 1, init: Init = "uniform"
) -> Instability | None:
    """Return what is wrong with ``cell`` at this size as it starts; None where nothing is.

    Weights and noise depend on the seeds 0, 1, ... alone, and torch's random state is left as it was. Raises
    `UserError` where the cell cannot have these sizes.
    """
    first: Instability | None = None
    with threads(1):
        for seed in range(SEEDS):
            found = judged(course(cell, hidden_size, input_size, layers=layers, init=init, seed=seed))
            if found is None:
                return None
            first = first or found
    return first


def judged(found: Course) -> Instability | None:
    """Return what a course says against its cell."""
    last, size = max(found.values.items())
    if not math.isfinite(size):
        return Instability("values", f"its states are not finite after {last} steps at its initialisation")
    if not found.finite_gradients:
        return Instability(
            "gradients", f"its gradients over {LAG + PIECE} steps are not finite at its initialisation"
        )
    before = found.values[LONG // 2]
    if size > LARGEST and size > GROWTH * before:
        return Instability(
            "values",
            f"its states grow without bound at its initialisation: up to {before:.2g} in {LONG // 2} steps, "
            f"up to {size:.2g} in {LONG}",
        )
    near, far = found.gradients[LAG // 2], found.gradients[LAG]
    if far > GRADIENT_GROWTH * near:
        return Instability(
            "gradients",
            f"its gradients grow without bound at its initialisation: {far / near:.2g} times from {LAG // 2} to "
            f"{LAG} steps back",
        )
    return None


def course(
    cell: Cell, hidden_size: int, input_size: int, *, layers: int = 1, init: Init = "uniform", seed: int = 0
) -> Course:
    """Return how states and gradients of ``layers`` of the cell go on over the steps, with the weights of ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        rnn = RNN(cell, input_size, hidden_size, layers, backend="eager", init=init)
        x_TBI = torch.randn(LONG, BATCH, input_size)
        direction_BH = torch.randn(BATCH, rnn.state_sizes[0])
    values = dict[int, float]()
    kept = list[tuple[Tensor, ...]]()
    state = rnn.start(BATCH)
    with torch.enable_grad():
        for end in range(PIECE, LAG + PIECE + 1, PIECE):
            output_TBH, state = rnn(x_TBI[end - PIECE : end], state)
            if end <= LAG:
                kept.append(state)
            if not _take(values, end, state):
                return Course(values, {})
        gradients, finite = _gradients(rnn, (output_TBH[-1] * direction_BH).sum(-1).mean(), kept)
    with torch.no_grad():
        for end in range(LAG + 2 * PIECE, LONG + 1, PIECE):
            _, state = rnn(x_TBI[end - PIECE : end], state)
            if not _take(values, end, state):
                break
    return Course(values, gradients, finite)


def _take(values: dict[int, float], steps: int, state: tuple[Tensor, ...]) -> bool:
    """Note the largest absolute value of ``state``; return whether it is finite."""
    largest = torch.stack([path.detach().abs().max() for path in state])
    values[steps] = float(largest.max())  # NaN where there is one
    return math.isfinite(values[steps])


def _gradients(rnn: RNN, loss: Tensor, kept: Sequence[tuple[Tensor, ...]]) -> tuple[dict[int, float], bool]:
    """Return the norm of the gradient of ``loss`` at the ``kept`` states, by lag; and are all finite?"""
    weights = list(rnn.parameters())
    states = [path for after in kept for path in after]
    wanted = [value for value in [*states, *weights] if value.requires_grad]
    found: list[Tensor | None] = [None] * len(wanted)
    if loss.requires_grad:
        found = list(torch.autograd.grad(loss, wanted, allow_unused=True))
    of = {id(value): gradient for value, gradient in zip(wanted, found, strict=True)}
    norms = {
        LAG + PIECE - PIECE * number: math.hypot(*(_norm(of.get(id(path))) for path in after))
        for number, after in enumerate(kept, start=1)
    }
    of_weights = [_norm(of.get(id(weight))) for weight in weights]
    return norms, all(map(math.isfinite, [*norms.values(), *of_weights]))


def _norm(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.double().norm())
