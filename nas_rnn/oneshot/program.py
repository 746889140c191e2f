"""One step of a cell, or of a mixture of all cells of a chain space, on shared weights.

Shapes: B sequences, I inputs, H hidden. What depends on a node's choices has one leading axis for each of them, as long
as it has labels, or 1 where it does not depend on that one: such a value holds all alternatives at once. Where the node
is whole, they are added up, each times its probability; so a mixture in which one alternative has all of it is that
very cell (Liu, Simonyan & Yang 2019, equation 2, with one softmax over all alternatives of a node).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.nodes import (
    OWNERS,
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
from nas_rnn.execution.eager.closures import Code, compile_operation
from nas_rnn.execution.reference import EPSILON, common_shape, product
from nas_rnn.oneshot.weights import Owned, by_owner
from nas_rnn.spaces.chain import Axis, ChoiceNode

Registers = list[Any]
Instruction = Callable[[Registers], Tensor]


class Program:
    """Evaluates one step: of the cell that ``nodes`` and ``outputs`` are, or of a mixture.

    ``shared`` is what the owners have, in order. ``mixed`` are the nodes that differ between cells, each with the
    ``probabilities`` (one axis a choice) of its alternatives.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[int],
        shared: Sequence[Owned],
        mixed: Sequence[ChoiceNode] = (),
        probabilities: Sequence[Tensor] = (),
    ) -> None:
        self._nodes, self._outputs = nodes, outputs
        self._owned = by_owner(shared, nodes, OWNERS)
        self._size = len(nodes)
        self._code: list[tuple[int, Instruction]] = []
        node_of = {index: number for number, node in enumerate(mixed) for index in node.dependent}
        for index, node in enumerate(nodes):
            number = node_of.get(index)
            if number is None:
                self._emit(index, node)
                continue
            self._emit_alternatives(index, node, mixed[number])
            if index == mixed[number].last:
                self._code.append((index, _weighted(index, probabilities[number])))

    def step(self, x_BI: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the next states (B, H)."""
        registers: Registers = [None] * self._size
        registers[0], registers[1 : 1 + len(states)] = x_BI, states
        for target, instruction in self._code:
            registers[target] = instruction(registers)
        return tuple(registers[index] for index in self._outputs)

    def _emit(self, index: int, node: Node) -> None:
        if not isinstance(node, Input | State):
            self._code.append((index, _instruction(node, self._owned.get(index, Owned()))))

    def _emit_alternatives(self, index: int, node: Node, mixed: ChoiceNode) -> None:
        """Add what computes a node for all labels of the choices that it depends on."""
        for number, axis in enumerate(mixed.axes):
            if index in axis.reads:
                node = node.with_inputs(self._stacked(axis.reads[index], number, len(mixed.axes)))
        for number, axis in enumerate(mixed.axes):
            if index in axis.operations:
                self._code.append((index, _all_operations(node, axis, index, number, len(mixed.axes))))
                return
        self._emit(index, node)

    def _stacked(self, options: Sequence[tuple[int, ...]], number: int, axes: int) -> list[int]:
        """Return registers of the arguments; of those that a choice decides, all alternatives along its axis."""
        found = []
        for alternatives in zip(*options, strict=True):
            if len(set(alternatives)) == 1:
                found.append(alternatives[0])
                continue
            self._code.append((self._size, _stack(alternatives, number, axes)))
            found.append(self._size)
            self._size += 1
        return found


def _stack(alternatives: tuple[int, ...], number: int, axes: int) -> Instruction:
    leading = [1] * axes
    leading[number] = len(alternatives)

    def run(r: Registers) -> Tensor:
        stacked = torch.stack([r[index] for index in alternatives])
        return stacked.view(*leading, *stacked.shape[1:])

    return run


def _all_operations(node: Node, axis: Axis, index: int, number: int, axes: int) -> Instruction:
    """Return what computes each operation of a choice, along its axis."""
    assert isinstance(node, Apply)
    source = node.arguments[0]
    functions = [_operation(name, (0,)) for name in axis.operations[index]]

    def run(r: Registers) -> Tensor:
        value = r[source]
        value = value.view((1,) * (axes + 2 - value.dim()) + value.shape)
        parts = value.split(1, number) if value.shape[number] > 1 else [value] * len(functions)
        results = [_value(f, [part]) for f, part in zip(functions, parts, strict=True)]
        return torch.cat(results, number)

    return run


def _weighted(index: int, probabilities: Tensor) -> Instruction:
    def run(r: Registers) -> Tensor:
        value: Tensor = r[index]
        size = value.shape[-2:]
        whole = value.expand(*probabilities.shape, *size).reshape(probabilities.numel(), -1)
        return (probabilities.reshape(1, -1) @ whole).view(size)

    return run


def _instruction(node: Node, own: Owned) -> Instruction:
    """Return what computes ``node`` from registers, whatever leading axes they have."""
    match node:
        case Constant(value=number):
            return lambda r: r[0].new_full((), number)
        case Scalar():
            return lambda r: _present(own.row)
        case LearnedVector():
            return lambda r: _present(own.row).expand(r[0].shape[0], -1)
        case Linear(arguments=arguments):
            return _linear(arguments, own)
        case Project(argument=argument):
            if not own.matrices:
                return lambda r: r[argument]
            return lambda r: product(r[argument], own.matrices[0])
        case Diagonal(argument=argument):
            return lambda r: _present(own.row) * r[argument]
        case LayerNorm():
            inputs = node.inputs
            return lambda r: _normed([r[i] for i in inputs], own)
        case Apply(operation=name, arguments=arguments):
            code = _operation(name, arguments)
            return code if callable(code) else lambda r: _value(code, r)
    raise AssertionError(f"unknown kind of node: {node}")


@lru_cache(maxsize=4096)
def _operation(name: str, arguments: tuple[int, ...]) -> Code:
    return compile_operation(find_operation(name), arguments)


def _value(code: Code, registers: Registers) -> Tensor:
    """Return what an operation's code gives; a plain number in the shape of the first register."""
    value: Tensor = code(registers) if callable(code) else torch.full_like(registers[0], code)
    return value


def _linear(arguments: tuple[int, ...], own: Owned) -> Instruction:
    def run(r: Registers) -> Tensor:
        parts = [
            F.linear(r[i], blocks[0]) if len(blocks) == 1 else product(r[i], blocks)
            for i, blocks in zip(arguments, own.matrices, strict=True)
        ]
        total = parts[0] if own.bias is None else parts[0] + own.bias
        for part in parts[1:]:
            total = total + part
        return total

    return run


def _normed(values: Sequence[Tensor], own: Owned) -> Tensor:
    lead = common_shape([value[..., :1] for value in values])[:-1]
    together = torch.cat([value.expand(*lead, value.shape[-1]) for value in values], -1)
    mean = together.mean(-1, keepdim=True)
    variance = ((together - mean) * (together - mean)).mean(-1, keepdim=True)
    return (values[0] - mean) / torch.sqrt(variance + EPSILON) * _present(own.row) + _present(own.shift)


def _present(tensor: Tensor | None) -> Tensor:
    assert tensor is not None, "an owner has what its kind needs"
    return tensor
