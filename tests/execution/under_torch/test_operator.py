"""The operators themselves, as torch's own checks and transforms see them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from nas_rnn.cells import Cell
from nas_rnn.execution import RNN, layout
from nas_rnn.execution.fused.operator import FORMAT
from tests.execution.test_linear_recurrences import ZOO
from tests.random_cells import random_cell

WAY = f"compiled {FORMAT}"
SEQUENCE = torch.ops.nas_rnn.sequence.default


class Problem:
    """A layer's arguments for the operator, in double."""

    def __init__(self, cell: Cell | str, lengths: tuple[int, ...] = ()) -> None:
        torch.manual_seed(0)
        rnn = RNN(cell, 3, 4, dtype=torch.float64)
        self.key = rnn.layer(0)[0].key
        self.parameters = [p.detach().clone().requires_grad_() for p in rnn.all_weights[0]]
        self.x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
        self.states = [
            torch.randn(2, size, dtype=torch.float64).div(2).requires_grad_() for size in rnn.state_sizes
        ]
        self.mask = None
        if lengths:
            self.mask = (torch.arange(5)[:, None] < torch.tensor(lengths))[:, :, None]
        self.restarts = torch.tensor([[0, 1], [0, 0], [1, 0], [0, 1], [0, 0]]).bool() if lengths else None

    @property
    def arguments(self) -> tuple[object, ...]:
        return WAY, self.key, self.x, self.states, self.parameters, self.mask, self.restarts

    def output(self, x: Tensor, *parameters: Tensor) -> Tensor:
        found: Tensor = SEQUENCE(WAY, self.key, x, self.states, list(parameters), self.mask, self.restarts)[0]
        return found

    def loss(self, x: Tensor, *parameters: Tensor) -> Tensor:
        return (self.output(x, *parameters) ** 2).sum()


CASES = [("lstm", ()), ("gru", (5, 3)), ("mingru", ())]


@pytest.mark.parametrize(("cell", "lengths"), CASES)
def test_torchs_own_checks(cell: str, lengths: tuple[int, ...]) -> None:
    """But for those that compare what the backward pass alone reads, and writes over."""
    names = ("test_schema", "test_autograd_registration", "test_faketensor")
    problem = Problem(cell, lengths)
    torch.library.opcheck(SEQUENCE, problem.arguments, test_utils=names)


@pytest.mark.parametrize(("cell", "lengths"), CASES)
def test_the_backward_operator_gives_the_gradients_that_autograd_gives(
    cell: str, lengths: tuple[int, ...]
) -> None:
    problem = Problem(cell, lengths)
    inputs = [problem.x, *problem.states, *problem.parameters]
    output, finals, _ = SEQUENCE(*problem.arguments)
    directions = [torch.randn_like(t) for t in (output, *finals)]
    with torch.no_grad():
        made = SEQUENCE(*problem.arguments)[2]
    expected = torch.autograd.grad((output, *finals), inputs, directions)
    needs = [True] * len(inputs)
    with torch.no_grad():
        found = torch.ops.nas_rnn.sequence_backward(
            *problem.arguments[:2], directions[0], directions[1:], *problem.arguments[2:], output, made, needs
        )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    some = [n % 2 == 0 for n in range(len(inputs))]
    with torch.no_grad():
        again = torch.ops.nas_rnn.sequence_backward(
            *problem.arguments[:2], directions[0], directions[1:], *problem.arguments[2:], output, made, some
        )
    for ours, theirs, wanted in zip(again, found, some, strict=True):
        assert torch.equal(ours, theirs) if wanted else ours.numel() == 0


@pytest.mark.parametrize(("cell", "lengths"), CASES)
def test_second_derivatives(cell: str, lengths: tuple[int, ...]) -> None:
    problem = Problem(cell, lengths)
    inputs = (problem.x, *problem.parameters)
    assert torch.autograd.gradgradcheck(problem.output, inputs, fast_mode=True, atol=1e-6)


def test_second_derivatives_where_one_tensor_has_two_places() -> None:
    """Each place has a gradient of its own, of which autograd makes the sum."""
    found = []
    for backend in ("fused", "eager"):
        torch.manual_seed(0)
        rnn = RNN("rnn", 4, 4, dtype=torch.float64, backend=backend)
        rnn.weight_hh_l0 = rnn.weight_ih_l0
        loss = rnn(torch.randn(5, 2, 4, dtype=torch.float64))[0].sin().sum()
        (first,) = torch.autograd.grad(loss, rnn.weight_ih_l0, create_graph=True)
        found.append((first, *torch.autograd.grad(first.sin().sum(), rnn.weight_ih_l0)))
    torch.testing.assert_close(*found)


class Named(Tensor):
    """A subclass of torch's tensors."""


@pytest.mark.parametrize("first", range(3))
def test_gradients_of_any_class_one_after_the_other(first: int) -> None:
    """Those that the backward pass wrote over activations are never taken for activations."""
    problem = Problem("lstm")
    output = problem.output(problem.x, *problem.parameters)
    d_output = torch.randn_like(output)
    expected = torch.autograd.grad(output, problem.parameters, d_output, retain_graph=True)
    output = problem.output(problem.x, *problem.parameters)
    given = [d_output, torch.nn.Parameter(d_output), d_output.as_subclass(Named)]
    for d in (*given[first:], *given[:first], *given):
        found = torch.autograd.grad(output, problem.parameters, d, retain_graph=True)
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours.as_subclass(Tensor), theirs)


def test_transforms() -> None:
    problem = Problem("lstm")
    x, parameters = problem.x, problem.parameters
    (expected,) = torch.autograd.grad(problem.loss(x, *parameters), x)
    torch.testing.assert_close(torch.func.grad(problem.loss)(x, *parameters), expected)
    both = torch.stack([x, 2 * x])
    for run in (torch.vmap(problem.output, (0, *[None] * len(parameters))), _unrolled(problem.output)):
        torch.testing.assert_close(run(both, *parameters)[1], problem.output(2 * x, *parameters))
    each = torch.vmap(torch.func.grad(problem.loss), (0, *[None] * len(parameters)))(both, *parameters)
    torch.testing.assert_close(each[0], expected)
    stacked = [torch.stack([p, p / 2]) for p in parameters]
    found = torch.vmap(problem.output, (None, *[0] * len(parameters)))(x, *stacked)
    torch.testing.assert_close(found[1], problem.output(x, *(p / 2 for p in parameters)))


def _unrolled(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda both, *parameters: torch.stack([run(x, *parameters) for x in both])


def test_autocast_keeps_float32() -> None:
    rnn = RNN("lstm", 3, 4)
    key, x = rnn.layer(0)[0].key, torch.randn(5, 2, 3)
    states, weights = [torch.zeros(2, 4)] * 2, rnn.all_weights[0]
    expected = SEQUENCE(WAY, key, x.bfloat16().float(), states, weights, None, None)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = SEQUENCE(WAY, key, x.bfloat16(), states, weights, None, None)[0]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_a_layout_s_text_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [*ZOO.values(), *(random_cell(np.random.default_rng(seed)) for seed in range(60))]
    for cell in cells:
        made = layout.make_layout(cell.canonical(), 6, 12)
        key = made.key
        monkeypatch.setattr(layout, "_known", {})
        again = layout.layout_of(key)
        assert (again.canonical.digest, again.shapes, again.state_sizes) == (
            cell.digest,
            made.shapes,
            made.state_sizes,
        )
        assert again.canonical.nodes == made.canonical.nodes
        assert [path.init for path in again.canonical.states] == [path.init for path in cell.states]
