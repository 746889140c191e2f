"""The reference interpreter: a cell node by node, step by step; every backend must agree with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.expressions import FUNCTIONS, evaluate
from nas_rnn.cells.graph.nodes import (
    Apply,
    Constant,
    Diagonal,
    Input,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    State,
)
from nas_rnn.execution.layout import Layout, Place

EPSILON = 1e-5
"""Added to the variance in a layer norm, as torch does."""


def run_reference(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says."""
    interpreter = Interpreter(layout, parameters)
    outputs = []
    for t, x_BI in enumerate(x_TBI):
        before = states if restarts_TB1 is None else restarted(layout, states, restarts_TB1[t])
        new = interpreter.step(x_BI, before)
        if mask_TB1 is not None:
            new = tuple(torch.where(mask_TB1[t], n, old) for n, old in zip(new, states, strict=True))
        states = new
        outputs.append(states[0])
    return torch.stack(outputs), states


def restarted(layout: Layout, states: Sequence[Tensor], restart_B1: Tensor) -> tuple[Tensor, ...]:
    """Return ``states``, begun anew where ``restart_B1`` is True."""
    paths = layout.canonical.states
    return tuple(s.masked_fill(restart_B1, path.init) for path, s in zip(paths, states, strict=True))


class Interpreter:
    """Evaluates one step of a cell."""

    def __init__(self, layout: Layout, parameters: Mapping[str, Tensor]) -> None:
        def rows(place: Place) -> Tensor:
            return parameters[place.tensor][place.start : place.stop]

        self.layout = layout
        self.matrices = {
            (m.owner, m.argument): rows(m.place) if m.heads > 1 else rows(m.place)[None]
            for m in layout.matrices
        }
        self.biases = {v.owner: rows(v.place) for v in layout.biases}
        self.diagonals = {v.owner: rows(v.place)[0] for v in layout.diagonals}
        self.gains = {v.owner: rows(v.place)[0] for v in layout.gains}
        self.shifts = {v.owner: rows(v.place)[0] for v in layout.shifts}
        self.scalars = {v.owner: rows(v.place)[0] for v in layout.scalars}
        self.vectors = {v.owner: rows(v.place) for v in layout.vectors}

    def step(self, x_BI: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the next states."""
        values: list[Tensor] = []
        for index, node in enumerate(self.layout.canonical.nodes):
            values.append(self.value(index, node, x_BI, states, values))
        return tuple(values[i] for i in self.layout.canonical.outputs)

    def value(
        self, index: int, node: Node, x_BI: Tensor, states: Sequence[Tensor], values: Sequence[Tensor]
    ) -> Tensor:
        match node:
            case Input():
                return x_BI
            case State(path=path):
                return states[path]
            case Constant(value=number):
                return torch.tensor(number, dtype=x_BI.dtype, device=x_BI.device)
            case Scalar():
                return self.scalars[index]
            case LearnedVector():
                return self.vectors[index].expand(x_BI.shape[0], -1)
            case Linear(arguments=arguments):
                return self.linear(index, [values[i] for i in arguments])
            case Project(argument=argument):
                matrix = self.matrices.get((index, 0))
                return values[argument] if matrix is None else product(values[argument], matrix)
            case Diagonal(argument=argument):
                return self.diagonals[index] * values[argument]
            case LayerNorm():
                return self.layer_norm(index, [values[i] for i in node.inputs])
            case Apply(operation=name, arguments=arguments):
                return apply_operation(name, [values[i] for i in arguments])
        raise AssertionError(f"unknown kind of node: {node}")

    def linear(self, index: int, arguments: Sequence[Tensor]) -> Tensor:
        result = sum(product(value, self.matrices[index, k]) for k, value in enumerate(arguments))
        assert isinstance(result, Tensor)
        return result + self.biases[index] if index in self.biases else result

    def layer_norm(self, index: int, values: Sequence[Tensor]) -> Tensor:
        together = torch.cat(list(values), -1)
        mean = together.mean(-1, keepdim=True)
        variance = ((together - mean) * (together - mean)).mean(-1, keepdim=True)
        return (values[0] - mean) / torch.sqrt(variance + EPSILON) * self.gains[index] + self.shifts[index]


def apply_operation(name: str, arguments: Sequence[Tensor]) -> Tensor:
    """Return the operation's value, which its row's expression gives, in the arguments' common shape."""
    row = find_operation(name)
    result = evaluate_tensors(row.value_tree, dict(zip(row.variables, arguments, strict=True)))
    return result.expand(common_shape(arguments))


def common_shape(values: Sequence[Tensor]) -> tuple[int, ...]:
    """Return the shape to which ``values``, which fit together, broadcast; `torch.broadcast_shapes` imports sympy."""
    shapes = [tuple(value.shape) for value in values]
    longest = max(map(len, shapes))
    sides = zip(*((1,) * (longest - len(shape)) + shape for shape in shapes), strict=True)
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in sides)


def product(value: Tensor, blocks: Tensor) -> Tensor:
    """Return ``value`` times the matrix with ``blocks`` (n, rows, columns) along its diagonal."""
    pieces = value.chunk(len(blocks), -1)
    return torch.cat([piece @ block.T for piece, block in zip(pieces, blocks, strict=True)], -1)


def evaluate_tensors(tree: Any, variables: Mapping[str, Tensor]) -> Tensor:
    """Walk a checked expression with torch's functions."""
    like = next(iter(variables.values()))

    def number(value: float) -> Tensor:
        return torch.tensor(value, dtype=like.dtype, device=like.device)

    functions: dict[str, Callable[..., Tensor]] = {name: getattr(torch, name) for name in (*FUNCTIONS, "neg")}
    functions |= {"+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div, "number": number}
    functions |= {"<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge, "==": torch.eq}
    return evaluate(tree, variables, functions)
