"""The contract of an operation: derivatives against differences, NaN, and how it is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nas_rnn.cells import Operation, linear, trace_cell
from nas_rnn.cells.operations import sigmoid, tanh
from nas_rnn.execution.reference import evaluate_tensors
from nas_rnn.testing.contracts.cells import check_cell

GRID = (-20.0, -3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0, 20.0)
"""Zeros and equal pairs among them: the places where pieces meet."""
RANDOM_POINTS = 500
STEP = 1e-6
RELATIVE, ABSOLUTE = 1e-5, 1e-6
LARGE = (-100.0, 100.0)
"""Here exp is beyond float32 and within float64."""


def check_operation(operation: Operation) -> list[str]:
    """Return what is wrong with ``operation``, in sentences."""
    points = list(_points(operation.arity).unbind(1))
    if not bool(_value(operation, points).isfinite().any()):
        return ["its value is finite at none of the points tried, from -20 to 20"]
    problems: list[str] = []
    for index in range(operation.arity):
        problems += _derivative(operation, points, index)
    problems += [*_nan(operation), *_overflow(operation), *_commutes(operation, points)]
    return problems or _in_a_cell(operation)


def _points(arity: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    random = 2 * torch.randn(RANDOM_POINTS, arity, dtype=torch.float64, generator=generator)
    grid = torch.tensor(list(itertools.product(GRID, repeat=min(arity, 2))), dtype=torch.float64)
    if arity <= 2:
        return torch.cat([grid, random])
    rest = torch.randn(len(grid), arity - 2, dtype=torch.float64, generator=generator)
    return torch.cat([torch.cat([grid, rest], 1), random])


def _value(operation: Operation, points: list[Tensor]) -> Tensor:
    values = dict(zip(operation.variables, points, strict=True))
    return evaluate_tensors(operation.value_tree, values).expand_as(points[0])


@dataclass(frozen=True)
class _Slopes:
    """Difference quotients of a value in one input, at every point: to the left, to the right, and both."""

    left: Tensor
    right: Tensor
    central: Tensor

    @classmethod
    def of(cls, operation: Operation, points: list[Tensor], index: int, step: float) -> _Slopes:
        h = step * points[index].abs().clamp(min=1.0)

        def shifted(by: Tensor) -> Tensor:
            moved = [point + by if place == index else point for place, point in enumerate(points)]
            return _value(operation, moved)

        here, above, below = _value(operation, points), shifted(h), shifted(-h)
        return cls((here - below) / h, (above - here) / h, (above - below) / (2 * h))


def _derivative(operation: Operation, points: list[Tensor], index: int) -> Iterator[str]:
    """Yield the worst point at which the derivative in input ``index`` is not the value's."""
    value = _value(operation, points)
    slopes = _Slopes.of(operation, points, index, STEP)
    closer = _Slopes.of(operation, points, index, STEP / 10)
    values = dict(zip(operation.variables, points, strict=True)) | {"y": value}
    stated = evaluate_tensors(operation.derivative_trees[index], values).expand_as(value)
    allowed = RELATIVE * slopes.central.abs() + ABSOLUTE * (1 + value.abs())
    smooth = slopes.central.isfinite() & value.isfinite()
    # At a jump the quotient grows as the step shrinks; there is no derivative to compare with.
    smooth &= (closer.central - slopes.central).abs() <= 1e-3 * (1 + slopes.central.abs())
    low = torch.minimum(slopes.left, slopes.right) - allowed
    high = torch.maximum(slopes.left, slopes.right) + allowed
    kink = (slopes.right - slopes.left).abs() > 1e-3 * (1 + slopes.central.abs())
    inside = (stated >= low) & (stated <= high)
    wrong = smooth & torch.where(kink, ~inside, ~((stated - slopes.central).abs() <= allowed))
    if bool(wrong.any()):
        error = torch.where(wrong, (stated - slopes.central).abs().nan_to_num(torch.inf), -1.0)
        worst = int(error.argmax())
        where = _where(operation, points, worst)
        yield (
            f"the derivative in {operation.variables[index]}, {operation.derivative[index]!r}, is wrong at "
            f"{int(wrong.sum())} of {int(smooth.sum())} points: at {where} it is {float(stated[worst]):.6g}, and "
            f"differences of the value give {float(slopes.central[worst]):.6g}"
        )


def _nan(operation: Operation) -> Iterator[str]:
    """Yield the inputs whose NaN is hidden: a run that diverged must be seen to."""
    for index, letter in enumerate(operation.variables):
        for other in (-0.5, 0.5, 2.0):
            inputs = [torch.full((1,), other, dtype=torch.float64) for _ in operation.variables]
            inputs[index][0] = torch.nan
            if not bool(_value(operation, inputs).isnan().all()):
                yield (
                    f"a NaN in {letter} is hidden: the value is {float(_value(operation, inputs)[0]):.6g}; write "
                    f"where(...) so that {letter} itself comes out where comparisons fail, as in "
                    "'where(a <= 0, 0, a)'"
                )
                break


def _overflow(operation: Operation) -> Iterator[str]:
    for point in itertools.product(LARGE, repeat=operation.arity):
        exact = [torch.tensor([value], dtype=torch.float64) for value in point]
        single = _value(operation, [value.float() for value in exact])
        if bool(_value(operation, exact).isfinite().all()) and bool(single.isnan().any()):
            where = _where(operation, exact, 0)
            yield f"at {where} its value is NaN in float32: write it so that no part of it overflows"
            return


def _commutes(operation: Operation, points: list[Tensor]) -> Iterator[str]:
    if operation.commutative:
        here, swapped = _value(operation, points), _value(operation, points[::-1])
        if not torch.allclose(here, swapped, 1e-9, 1e-12, equal_nan=True):
            yield "it is marked commutative, and f(a, b) is not f(b, a)"


def _in_a_cell(operation: Operation) -> list[str]:
    """Return what a cell that uses ``operation`` breaks; its equations show both templates filled."""

    def probe(x, h):  # type: ignore[no-untyped-def]
        return tanh(operation(*(sigmoid(linear(x, h)) for _ in operation.variables)))

    # Its domain may be smaller than what a cell of random weights gives it: that is not its fault.
    return [f"in a cell: {problem}" for problem in check_cell(trace_cell(probe, "probe"), finite=False)]


def _where(operation: Operation, points: list[Tensor], row: int) -> str:
    pairs = zip(operation.variables, points, strict=True)
    return ", ".join(f"{letter}={float(values[row]):.6g}" for letter, values in pairs)
