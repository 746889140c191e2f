"""A cell as code bases for architecture search run it: step by step, one `nn.Linear` per product."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
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
from nas_rnn.execution import RNN, Layout, make_layout
from nas_rnn.execution.layout import Matrix, Place
from nas_rnn.execution.reference import EPSILON, apply_operation

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "leaky_relu": nn.functional.leaky_relu,
    "identity": lambda value: value,
    "softplus": nn.functional.softplus,
    "exp": torch.exp,
    "log_sigmoid": nn.functional.logsigmoid,
}
"""Torch's function, or Python's operator on tensors, for each operation that has one."""

Step = tuple[int, Callable[..., Any], tuple[int, ...]]
"""A value's index, the function that gives it, and the indices of what that reads."""


class NaiveRNN(nn.Module):
    """One layer of a cell in torch's modules and functions: x (T, B, input_size) -> outputs (T, B, size).

    Every product of a `linear` is an `nn.Linear` of its own, at every step. A blend takes three operations,
    b + g (a - b), as the authors of DARTS write it, and not the four of the canonical form.
    """

    def __init__(self, cell: Cell, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.layout: Layout = make_layout(cell.canonical(), input_size, hidden_size)
        self.nodes: Sequence[Node] = self.layout.canonical.nodes
        self.linears = nn.ModuleDict(
            {_key(matrix.owner, matrix.argument): self._linears(matrix) for matrix in self.layout.matrices}
        )
        learned = (self.layout.diagonals, self.layout.gains, self.layout.shifts)
        learned = (*learned, self.layout.scalars, self.layout.vectors)
        places = {_place_key(vector.place): vector for vectors in learned for vector in vectors}
        shapes = dict(self.layout.shapes)
        self.rows = nn.ParameterDict(
            {key: torch.empty(shapes[vector.place.tensor][1:]) for key, vector in places.items()}
        )
        self.starts = [path.init for path in cell.states]
        self.steps = self._steps()

    def _linears(self, matrix: Matrix) -> nn.ModuleList:
        """Return the modules of one product, one a head; the first argument's holds the bias."""
        node = self.nodes[matrix.owner]
        biased = isinstance(node, Linear) and node.bias is not None and matrix.argument == 0
        heads = matrix.heads
        sizes = self.layout.width(matrix.source) // heads, self.layout.hidden_size // heads
        return nn.ModuleList([nn.Linear(*sizes, bias=biased) for _ in range(heads)])

    @torch.no_grad()
    def copy_from(self, rnn: RNN) -> NaiveRNN:
        """Take the weights of a layer of the same cell and sizes; return the module."""

        def rows(place: Place) -> Tensor:
            parameter = getattr(rnn, f"{place.tensor}_l0")
            assert isinstance(parameter, Tensor)
            return parameter[place.start : place.stop]

        biases = {vector.owner: vector.place for vector in self.layout.biases}
        for matrix in self.layout.matrices:
            blocks = rows(matrix.place) if matrix.heads > 1 else rows(matrix.place)[None]
            linears = self.linears[_key(matrix.owner, matrix.argument)]
            bias = rows(biases[matrix.owner]) if matrix.owner in biases and matrix.argument == 0 else None
            biased = [None] * matrix.heads if bias is None else bias.chunk(matrix.heads)
            for linear, block, part in zip(linears, blocks, biased, strict=True):  # type: ignore[call-overload]
                linear.weight.copy_(block)
                if part is not None:
                    linear.bias.copy_(part)
        for key, parameter in self.rows.items():
            tensor, _, row = key.rpartition("_")
            parameter.copy_(getattr(rnn, f"{tensor}_l0")[int(row)])
        return self

    def forward(self, x_TBI: Tensor) -> Tensor:
        sizes = self.layout.state_sizes
        states = [x_TBI.new_full((x_TBI.shape[1], n), s) for n, s in zip(sizes, self.starts, strict=True)]
        values: list[Any] = [n.value if isinstance(n, Constant) else None for n in self.nodes]
        first, outputs = len(states) + 1, []
        for x_BI in x_TBI.unbind(0):
            values[0], values[1:first] = x_BI, states
            for index, function, arguments in self.steps:
                values[index] = function(*[values[i] for i in arguments])
            states = [values[i] for i in self.layout.canonical.outputs]
            outputs.append(states[0])
        return torch.stack(outputs)

    # From the graph to functions

    def _steps(self) -> list[Step]:
        steps = [self._step(index, node) for index, node in enumerate(self.nodes)]
        found = [step for step in steps if step is not None]
        needed = set(self.layout.canonical.outputs)
        for index, _, arguments in reversed(found):
            needed.update(arguments if index in needed else ())
        return [step for step in found if step[0] in needed]

    def _step(self, index: int, node: Node) -> Step | None:
        match node:
            case Input() | State() | Constant():
                return None
            case Antisymmetric(arguments=arguments):
                weight = self.linears[_key(index, 0)][0].weight  # type: ignore[index]
                return index, lambda value: value @ (weight.T - weight), arguments
            case Linear(arguments=arguments):
                return index, _sum_of(self._products(index)), arguments
            case Project(argument=argument):
                known = _key(index, 0) in self.linears
                return index, self._products(index)[0] if known else lambda value: value, (argument,)
            case Scalar() | LearnedVector():
                row = self._row("scalar" if isinstance(node, Scalar) else "vector", index)
                return index, lambda: row, ()
            case Diagonal(argument=argument):
                weight = self._row("diagonal", index)
                return index, lambda value: weight * value, (argument,)
            case LayerNorm():
                return index, self._norm(index, node), node.inputs
            case Apply(operation=name, arguments=arguments):
                blended = self._blend(node)
                return (index, _blend, blended) if blended else (index, _function(name), arguments)
        raise AssertionError(f"unknown kind of node: {node}")

    def _products(self, owner: int) -> list[Callable[[Tensor], Tensor]]:
        found = [matrix for matrix in self.layout.matrices if matrix.owner == owner]
        ordered = sorted(found, key=lambda matrix: matrix.argument)
        return [_product(list(self.linears[_key(owner, m.argument)])) for m in ordered]  # type: ignore[call-overload]

    def _row(self, kind: str, owner: int) -> nn.Parameter:
        vectors = {
            "scalar": self.layout.scalars,
            "vector": self.layout.vectors,
            "diagonal": self.layout.diagonals,
            "gain": self.layout.gains,
            "shift": self.layout.shifts,
        }[kind]
        place = next(vector.place for vector in vectors if vector.owner == owner)
        return self.rows[_place_key(place)]  # type: ignore[no-any-return]

    def _norm(self, index: int, node: LayerNorm) -> Callable[..., Tensor]:
        gain, shift = self._row("gain", index), self._row("shift", index)
        if not node.among:
            return lambda value: nn.functional.layer_norm(value, gain.shape, gain, shift, EPSILON)

        def jointly(*values: Tensor) -> Tensor:
            together = torch.cat(values, -1)
            variance, mean = torch.var_mean(together, -1, correction=0, keepdim=True)
            return (values[0] - mean) * torch.rsqrt(variance + EPSILON) * gain + shift

        return jointly

    def _blend(self, node: Apply) -> tuple[int, int, int] | None:
        """Return g, a and b where ``node`` is g a + (1 - g) b, whose parts may be read elsewhere as well."""
        if node.operation != "add":
            return None
        left, right = (self.nodes[i] for i in node.arguments)
        if not all(isinstance(part, Apply) and part.operation == "mul" for part in (left, right)):
            return None
        for first, second in ((left, right), (right, left)):
            for gate, a in (first.inputs, first.inputs[::-1]):
                for rest, b in (second.inputs, second.inputs[::-1]):
                    if self._is_rest(rest, gate):
                        return gate, a, b
        return None

    def _is_rest(self, index: int, gate: int) -> bool:
        node = self.nodes[index]
        if not (isinstance(node, Apply) and node.operation == "sub" and node.arguments[1] == gate):
            return False
        one = self.nodes[node.arguments[0]]
        return isinstance(one, Constant) and one.value == 1.0


def _blend(gate: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return b + gate * (a - b)


def _key(owner: int, argument: int) -> str:
    return f"{owner}_{argument}"


def _place_key(place: Place) -> str:
    return f"{place.tensor}_{place.start}"


def _product(linears: list[nn.Module]) -> Callable[[Tensor], Tensor]:
    if len(linears) == 1:
        return linears[0]

    def blocks(value: Tensor) -> Tensor:
        pieces = value.chunk(len(linears), -1)
        return torch.cat([linear(piece) for linear, piece in zip(linears, pieces, strict=True)], -1)

    return blocks


def _sum_of(products: list[Callable[[Tensor], Tensor]]) -> Callable[..., Tensor]:
    if len(products) == 1:
        return products[0]

    def total(*values: Tensor) -> Tensor:
        result = products[0](values[0])
        for product, value in zip(products[1:], values[1:], strict=True):
            result = result + product(value)
        return result

    return total


def _function(name: str) -> Callable[..., Any]:
    if name in FUNCTIONS:
        return FUNCTIONS[name]

    def by_expression(*values: Any) -> Tensor:
        like = next(value for value in values if isinstance(value, Tensor))
        return apply_operation(name, [torch.as_tensor(value, dtype=like.dtype) for value in values])

    return by_expression
