"""How a small change of a recurrent net's state goes on: the Jacobian of each step, and of many steps together.

The gradient that comes back from a loss is multiplied by one such matrix a step, J_t = d s_t / d s_(t-1). Where their
largest singular values stay below 1 it must vanish; where they are above 1 it may explode (Hochreiter 1991; Bengio,
Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, 2.1). A norm of one gradient, as
`nas_rnn.training.gradient_flow` measures it, is what became of a single direction; the largest singular value of the
product is what becomes of the one that fares best.

Shapes: T steps, I inputs, D numbers of the state: all units of all state paths of all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def step_jacobians(rnn: Any, x_TI: Tensor, steps: Sequence[int] | None = None) -> Tensor:
    """Return J_t (D, D) in double for steps t of one sequence, counted from 0; by default all but the first.

    ``rnn`` is an `RNN` that reads in one direction, or a layer of torch's; it is run in evaluation mode. What stands in
    row i is how much number i of the state after the step depends on each number of the state before it; inputs stay.
    """
    wanted = set(range(1, len(x_TI)) if steps is None else steps)
    was_training, found = rnn.training, list[Tensor]()
    rnn.eval()
    try:
        state: tuple[Tensor, ...] | None = None
        for t, x_I in enumerate(x_TI.detach()):
            if t in wanted and state is not None:
                found.append(_jacobian(rnn, x_I, state))
            with torch.no_grad():
                state = _paths(rnn(x_I[None, None], _given(rnn, state))[1])
    finally:
        rnn.train(was_training)
    return torch.stack(found) if found else torch.zeros(0, 0, 0, dtype=torch.float64)


def largest_singular_values(jacobians_TDD: Tensor) -> Tensor:
    """Return the largest singular value of each matrix, (T,); NaN where one is not finite."""
    return torch.stack([_norm(matrix_DD) for matrix_DD in jacobians_TDD])


def back_from_the_end(jacobians_TDD: Tensor) -> Tensor:
    """Return the largest singular value of J_T ... J_t for each t, (T,): what becomes of a gradient back to there."""
    found, product_DD = list[Tensor](), torch.eye(jacobians_TDD.shape[-1], dtype=jacobians_TDD.dtype)
    for matrix_DD in jacobians_TDD.flip(0):
        product_DD = product_DD @ matrix_DD
        found.append(_norm(product_DD))
    return torch.stack(found[::-1]) if found else torch.zeros(0, dtype=jacobians_TDD.dtype)


def _norm(matrix_DD: Tensor) -> Tensor:
    if not bool(torch.isfinite(matrix_DD).all()):
        return torch.tensor(torch.nan, dtype=matrix_DD.dtype)
    largest: Tensor = torch.linalg.matrix_norm(matrix_DD, ord=2)
    return largest


def _jacobian(rnn: Any, x_I: Tensor, state: tuple[Tensor, ...]) -> Tensor:
    """Return (D, D): the state stands in D columns of a batch, and column i asks for number i alone."""
    sizes = [path.shape[0] * path.shape[-1] for path in state]
    count = sum(sizes)
    with torch.enable_grad():
        before = tuple(path.detach().expand(-1, count, -1).contiguous().requires_grad_() for path in state)
        _, after = rnn(x_I.expand(1, count, -1).contiguous(), _given(rnn, before))
        asked = _rows(_paths(after)).diagonal().sum()
        found = torch.autograd.grad(asked, before, allow_unused=True)
    pieces = [torch.zeros_like(b) if g is None else g for g, b in zip(found, before, strict=True)]
    return _rows(pieces).double().cpu()


def _rows(paths: Sequence[Tensor]) -> Tensor:
    """Return (B, D) from paths (layers, B, size)."""
    return torch.cat([path.transpose(0, 1).flatten(1) for path in paths], dim=1)


def _paths(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def _given(rnn: Any, state: tuple[Tensor, ...] | None) -> Any:
    """Return the state as the layer takes it: torch's own with one path take the tensor itself."""
    if state is None:
        return None
    return state[0] if isinstance(rnn, torch.nn.RNN | torch.nn.GRU) else state
