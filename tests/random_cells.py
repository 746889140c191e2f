"""Random valid cells that together use every word of the cell language, for tests of anything that takes a
cell.

`random_cell` draws from a seeded numpy generator, `cells` is the same as a hypothesis strategy. Values are
kept tame: what is carried from step to step is mostly bounded, `exp` and `/` mostly read values that cannot
overflow; a few cells do without that care. With 2 among ``heads`` (the default), run the cells at even
sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from hypothesis import strategies as st

from nas_rnn.cells import (
    Cell,
    Operation,
    StatePath,
    antisymmetric,
    diagonal,
    find_operation,
    layer_norm,
    linear,
    project,
)
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import Constant, LearnedVector, Scalar, Size
from nas_rnn.cells.language.tracing import Trace, Value

T = TypeVar("T")

OPERATIONS = tuple(
    sorted(row.name for row in vars(sys.modules[Operation.__module__]).values() if isinstance(row, Operation))
)
"""Every operation that comes with the package (none that another test registers)."""

CONSTANTS = (0.0, 0.5, 1.0, -1.0, 2.0, 0.25)
INITS = (0.0, 0.0, 0.0, 1.0, 0.5, -10.0)
BIASES = (0.0, 0.0, 1.0, -0.5, None)


class Chooser(Protocol):
    """Where the random choices come from."""

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""

    def chance(self, share: float) -> bool:
        """Return True in about ``share`` of the cases."""


class NumpyChooser:
    """Draws from a numpy generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)


class DrawChooser:
    """Draws through hypothesis, which shrinks towards small numbers and False."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def chance(self, share: float) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - round(100 * share)


class Builder:
    """Grows one cell, node by node; ``values[size]`` holds what may be read."""

    def __init__(self, chooser: Chooser, heads: Sequence[int]) -> None:
        self.chooser = chooser
        self.heads = tuple(heads)
        paths = [self.path(number) for number in range(chooser.integer(1, 3))]
        self.trace = Trace("random_cell", "x", paths)
        self.values: dict[Size, list[Value]] = {"input": [], "hidden": []}
        self.numbers: list[Value] = []
        self.values["input"].append(self.trace.arguments[0])
        for path, value in zip(paths, self.trace.arguments[1:], strict=True):
            self.values[path.size].append(value)

    def path(self, number: int) -> StatePath:
        size: Size = "input" if number > 0 and self.chooser.chance(0.2) else "hidden"
        return StatePath(f"s{number}", self.pick(INITS), size)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.chooser.integer(0, len(options) - 1)]

    def value(self, size: Size | None = None) -> Value:
        """Return some value of ``size``, preferring what was made last; a hidden one at need from x."""
        everything = self.values["input"] + self.values["hidden"]
        known = everything if size is None else self.values[size]
        if not known:
            return project(self.pick(self.values["input"]))
        return known[-1] if self.chooser.chance(0.4) else self.pick(known)

    def apply(self, name: str, *values: Value) -> Value:
        result = find_operation(name)(*values)
        assert isinstance(result, Value)
        return result

    def linear(self) -> Value:
        arguments = [self.value() for _ in range(self.chooser.integer(1, 3))]
        return linear(*arguments, bias=self.pick(BIASES), heads=self.pick(self.heads))

    def number(self) -> Value:
        """Return a single number: learned, constant, or computed from such."""
        kind = self.chooser.integer(0, 3)
        if kind == 0 and self.numbers:
            return self.apply(self.pick(("sigmoid", "tanh", "softplus")), self.pick(self.numbers))
        if kind <= 1:
            return self.trace.add(Constant(value=self.pick(CONSTANTS)))
        self.numbers.append(self.trace.add(Scalar(init=self.pick(CONSTANTS))))
        return self.numbers[-1]

    def operand(self, size: Size) -> Value:
        return self.number() if self.chooser.chance(0.15) else self.value(size)

    def operation(self, size: Size) -> Value:
        """Return any operation of the table applied to values of ``size``."""
        row: Operation = find_operation(self.pick(OPERATIONS))
        arguments = [self.value(size)]
        while len(arguments) < row.arity:
            arguments.append(self.operand(size))
        careful = not self.chooser.chance(0.1)
        if careful and row.name == "exp":
            arguments[0] = self.apply(self.pick(("tanh", "log_sigmoid")), arguments[0])
        if row.name == "sqrt":  # where it is steep, what backends round otherwise would grow
            arguments[0] = 0.25 + self.apply("sigmoid", arguments[0])
        if careful and row.name == "div":
            arguments[1] = 1.0 + self.apply("sigmoid", arguments[1])
        if row.arity == 2 and row.name != "div" and self.chooser.chance(0.2):
            arguments.reverse()
        return self.apply(row.name, *arguments)

    def grow(self) -> None:
        """Add one value."""
        kind = self.chooser.integer(0, 10)
        size: Size = self.pick(("hidden", "hidden", "hidden", "input"))
        made: Value
        if kind <= 1:
            made, size = self.apply(self.pick(("sigmoid", "tanh", "relu")), self.linear()), "hidden"
        elif kind == 2:
            made = antisymmetric(self.value("hidden")) if self.chooser.chance(0.3) else self.linear()
            size = "hidden"
        elif kind == 3:
            made = diagonal(self.value(size))
        elif kind == 4:
            made = layer_norm(self.value(size), *(self.value() for _ in range(self.pick((0, 0, 1, 2)))))
        elif kind == 5:
            made, size = project(self.value()), "hidden"
        elif kind == 6:
            made = self.apply(
                "blend", self.apply("sigmoid", self.value(size)), self.value(size), self.operand(size)
            )
        elif kind == 10:
            made, size = self.trace.add(LearnedVector(init=self.pick(CONSTANTS))), "hidden"
        else:
            made = self.operation(size)
        if self.chooser.chance(0.3):
            self.trace.name_value(made, f"n{len(self.trace.nodes)}")
        self.values[size].append(made)

    def next_state(self, number: int, path: StatePath) -> Value:
        """Return a next value for a state path: mostly bounded, sometimes anything (``last = x``)."""
        kind = self.chooser.integer(0, 5)
        value = self.value(path.size)
        if kind == 0:
            return value
        if kind <= 2:
            return self.apply(self.pick(("tanh", "sigmoid")), value)
        gate = self.apply("sigmoid", self.value(path.size))
        old = self.trace.arguments[number + 1]
        return gate * old + (1.0 - gate) * self.apply("tanh", value)

    def finish(self) -> Cell:
        nexts = [self.next_state(number, path) for number, path in enumerate(self.trace.states)]
        outputs = [self.trace.index(value, "return") for value in nexts]
        return make_cell(self.trace.name, "", self.trace.states, self.trace.nodes, outputs)


def _build(chooser: Chooser, max_nodes: int, heads: Sequence[int]) -> Cell:
    builder = Builder(chooser, heads)
    for _ in range(chooser.integer(1, max_nodes)):
        builder.grow()
    return builder.finish()


def random_cell(rng: np.random.Generator, max_nodes: int = 10, heads: Sequence[int] = (1, 1, 2)) -> Cell:
    """Return a random valid cell of at most about ``max_nodes`` equations, drawn from ``rng``."""
    return _build(NumpyChooser(rng), max_nodes, heads)


@st.composite
def cells(draw: st.DrawFn, max_nodes: int = 10, heads: Sequence[int] = (1, 1, 2)) -> Cell:
    """Random valid cells as a hypothesis strategy; they shrink towards few equations."""
    return _build(DrawChooser(draw), max_nodes, heads)
