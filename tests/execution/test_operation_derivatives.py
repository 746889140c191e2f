"""The derivatives that the operations' rows state, against autograd of their values."""

from __future__ import annotations

import itertools

import pytest
import torch

from nas_rnn.cells import find_operation
from nas_rnn.execution.reference import apply_operation, evaluate_tensors
from tests.random_cells import OPERATIONS

POINTS = (-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0, 20.0, -20.0)
"""Zeros and equal pairs among them: the places where pieces meet."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_derivatives_are_those_of_the_value(name: str) -> None:
    row = find_operation(name)
    grid = torch.tensor(list(itertools.product(POINTS, repeat=row.arity)), dtype=torch.float64)
    grid = grid if name != "div" else grid[grid[:, 1] != 0]
    grid = grid if name != "sqrt" else grid[grid[:, 0] > 0]  # autograd gives NaN for what is cut off below 0
    inputs = [column.clone().requires_grad_() for column in grid.unbind(1)]
    output = apply_operation(name, inputs)
    expected = torch.autograd.grad(output.sum(), inputs, materialize_grads=True)
    values = dict(zip(row.variables, inputs, strict=True)) | {"y": output}
    for tree, gradient in zip(row.derivative_trees, expected, strict=True):
        stated = evaluate_tensors(tree, values).expand_as(gradient)
        torch.testing.assert_close(stated, gradient, rtol=1e-12, atol=1e-15)


def test_the_derivative_of_a_root_is_bounded() -> None:
    """0 up to zero, and never above 1000."""
    row = find_operation("sqrt")
    a = torch.tensor([-4.0, 0.0, 1e-12, 1e-6, 4.0], dtype=torch.float64)
    y = apply_operation("sqrt", [a])
    torch.testing.assert_close(
        y, torch.tensor([0, 0, 1e-6, 1e-3, 2], dtype=torch.float64), rtol=1e-15, atol=0
    )
    stated = evaluate_tensors(row.derivative_trees[0], {"a": a, "y": y})
    torch.testing.assert_close(
        stated, torch.tensor([0, 0, 1000, 500, 0.25], dtype=torch.float64), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_nan_comes_out_where_it_goes_in(name: str) -> None:
    """A run that diverged must be seen to: no operation hides a NaN, in any of its inputs."""
    row = find_operation(name)
    for position in range(row.arity):
        inputs = [torch.full((2,), 0.5, dtype=torch.float64) for _ in range(row.arity)]
        inputs[position][0] = float("nan")
        output = apply_operation(name, inputs)
        assert output[0].isnan()
        assert output[1].isfinite()
