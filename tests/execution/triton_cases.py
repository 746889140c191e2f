"""Layers that run in Triton's interpreter, compared with the reference interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from nas_rnn.cells import Cell
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.triton.backend import run_triton
from nas_rnn.execution.layout import make_layout
from nas_rnn.execution.reference import run_reference
from tests.random_cells import random_cell

Runner = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
CLOSE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Largest error, over the tensor's largest value."""


class Case:
    """A layer of ``tested`` with parameters, an input, states' starts and what to multiply its results by."""

    def __init__(
        self,
        tested: Cell,
        dtype: torch.dtype = torch.float64,
        sizes: tuple[int, int, int, int] = (3, 2, 4, 6),
        lengths: tuple[int, ...] = (),
        restarts: Sequence[Sequence[int]] = (),
    ) -> None:
        steps, batch, inputs, hidden = sizes
        rnn = RNN(tested, inputs, hidden, dtype=torch.float64)
        self.layout = make_layout(tested.canonical(), inputs, hidden)
        self.parameters = {
            name: (rnn.get_parameter(f"{name}_l0") + 0.2 * torch.randn(shape, dtype=torch.float64)).to(dtype)
            for name, shape in self.layout.shapes
        }
        self.x = torch.randn(steps, batch, inputs, dtype=dtype)
        self.states = [torch.randn(batch, size, dtype=dtype) / 2 for size in self.layout.state_sizes]
        self.mask = None
        if lengths:
            self.mask = (torch.arange(steps)[:, None] < torch.tensor(lengths))[:, :, None]
        self.restarts = torch.tensor(restarts).bool()[..., None] if restarts else None
        self.factors = [torch.randn(steps, batch, self.layout.state_sizes[0], dtype=dtype)]
        self.factors += [torch.randn_like(state) for state in self.states]

    def leaves(self) -> list[Tensor]:
        found = [self.x, *self.states, *self.parameters.values()]
        return [leaf.detach().clone().requires_grad_() for leaf in found]

    def run(self, runner: Runner, leaves: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return output and final states, and a number that depends on all of them."""
        paths = len(self.states)
        named = dict(zip(self.parameters, leaves[1 + paths :], strict=True))
        output, finals = runner(
            self.layout, named, leaves[0], tuple(leaves[1 : 1 + paths]), self.mask, self.restarts
        )
        if self.mask is not None:
            output = torch.where(self.mask, output, 0.0)
        results = [output, *finals]
        return results, sum((r * f).sum() for r, f in zip(results, self.factors, strict=True))  # type: ignore[return-value]

    def results(self, runner: Runner) -> list[Tensor]:
        """Return outputs, final states, and the gradients of the input, the starts and all parameters."""
        leaves = self.leaves()
        results, value = self.run(runner, leaves)
        if value.requires_grad:
            value.backward()
        gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        return [*(result.detach() for result in results), *gradients]

    def worst(self) -> float | None:
        """Return the largest error relative to its tensor's largest value; None where the cell overflows."""
        expected = self.results(run_reference)
        if not all(tensor.isfinite().all() for tensor in expected):
            return None
        errors = [0.0]
        for ours, right in zip(self.results(run_triton), expected, strict=True):
            assert ours.dtype == right.dtype and ours.shape == right.shape
            if right.numel():
                scale = max(float(right.abs().max()), 1e-3)
                errors.append(float((ours - right).abs().nan_to_num(float("inf")).max()) / scale)
        return max(errors)


def check(tested: Cell, dtype: torch.dtype = torch.float64, **options: tuple[int, ...]) -> None:
    worst = Case(tested, dtype, **options).worst()  # type: ignore[arg-type]
    assert worst is None or worst < CLOSE[dtype]


def drawn(seed: int) -> Cell:
    return random_cell(np.random.default_rng(seed))
