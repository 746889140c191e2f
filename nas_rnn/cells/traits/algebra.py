"""What an operation does to large values, and how it passes each of its arguments on: read off its row of the table.

So operations of plugins have traits as the built-in ones have.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np

from nas_rnn.cells.graph.expressions import FUNCTIONS, evaluate
from nas_rnn.cells.graph.operations import Operation

STEEPEST = 6.0
"""The largest degree that is told: that of `exp`, and of what has a higher one."""

_NEAR, _FAR = 1e4, 1e6
_FACTORS = (1.0, 1.3, 0.7, 1.1)
"""Of the arguments, so that equally large ones do not cancel each other."""


class Passage(IntEnum):
    """How a value goes through an operation."""

    ADDED = 0
    """The derivative is a number: sums."""
    SCALED = 1
    """The derivative depends on other arguments alone: gates, quotients."""
    CHANGED = 2
    """The derivative depends on the value itself: activations."""


@cache
def passages(operation: Operation) -> tuple[Passage, ...]:
    """Return for each argument of ``operation`` how it is passed on."""
    found = []
    for variable, derivative in zip(operation.variables, operation.derivative_trees, strict=True):
        read = {node.id for node in ast.walk(derivative) if isinstance(node, ast.Name)} - FUNCTIONS.keys()
        changed = variable in read or "y" in read
        found.append(Passage.CHANGED if changed else Passage.SCALED if read else Passage.ADDED)
    return tuple(found)


@cache
def degree(operation: Operation, degrees: tuple[float, ...]) -> float:
    """Return the power with which the result grows where each argument grows with its power of ``degrees``.

    It is measured between two large values, for all signs of the arguments: 0 where the result stays bounded, and
    `STEEPEST` at most.
    """
    if max(degrees) >= STEEPEST:
        degrees = tuple(min(d, STEEPEST) for d in degrees)
    steepest = 0.0
    for signs in itertools.product((1.0, -1.0), repeat=operation.arity):
        near, far = (
            abs(
                _value(
                    operation, [k * s * scale**d for k, s, d in zip(_FACTORS, signs, degrees, strict=False)]
                )
            )
            for scale in (_NEAR, _FAR)
        )
        if not math.isfinite(far):
            return STEEPEST
        if far > 0 and near > 0:
            steepest = max(steepest, math.log(far / near) / math.log(_FAR / _NEAR))
    return min(round(steepest, 2), STEEPEST)


def _value(operation: Operation, arguments: list[float]) -> float:
    values = dict(zip(operation.variables, map(np.float64, arguments), strict=True))
    with np.errstate(all="ignore"):
        return float(evaluate(operation.value_tree, values, _NUMPY))


def _sigmoid(a: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def _erf(a: Any) -> Any:
    return np.float64(math.erf(a))


_NUMPY: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in FUNCTIONS if hasattr(np, name)},
    "sigmoid": _sigmoid,
    "erf": _erf,
    "neg": operator.neg,
    "number": np.float64,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
