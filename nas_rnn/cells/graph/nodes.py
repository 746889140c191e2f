"""A cell as a small immutable graph of typed nodes.

Nodes stand in an order in which each reads only earlier ones. The first is the input ``x``, then one `State`
a state path. `nas_rnn.cells.make_cell` is the way to build one.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nas_rnn.cells.graph.operations import find_operation
from nas_rnn.errors import UserError

Size = Literal["input", "hidden"]
ValueSize = Literal["input", "hidden", "one"]


class CellError(UserError):
    """A cell that breaks rules of the language; the message lists every violation with its equation."""


class UnknownWord(CellError):
    """A cell's text with a word that is none of the language's, nor of the operations registered so far."""


@dataclass(frozen=True)
class StatePath:
    """A value carried from step to step: its name, what it starts at, and whose size it has."""

    name: str
    init: float = 0.0
    size: Size = "hidden"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One value of a cell; ``name`` is the local name it was given, if any."""

    name: str | None = None

    @property
    def inputs(self) -> tuple[int, ...]:
        """The indices of the nodes that this one reads, in argument order."""
        return ()

    def with_inputs(self, inputs: Sequence[int]) -> Node:
        """Return this node reading ``inputs`` instead."""
        return self


@dataclass(frozen=True, kw_only=True)
class Input(Node):
    """The layer's input at this time step, of size ``input_size``."""


@dataclass(frozen=True, kw_only=True)
class State(Node):
    """The previous value of state path number ``path``."""

    path: int


@dataclass(frozen=True, kw_only=True)
class Constant(Node):
    """A number."""

    value: float


@dataclass(frozen=True, kw_only=True)
class Scalar(Node):
    """One learned number that starts at ``init``."""

    init: float


@dataclass(frozen=True, kw_only=True)
class LearnedVector(Node):
    """One learned number per unit of ``hidden_size``; all start at ``init``."""

    init: float


@dataclass(frozen=True, kw_only=True)
class Linear(Node):
    """The sum of one matrix product per argument and a bias that starts at ``bias`` (None: no bias).

    With ``heads`` > 1 every matrix is block-diagonal in that many blocks.
    """

    arguments: tuple[int, ...]
    bias: float | None = 0.0
    heads: int = 1

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.arguments

    def with_inputs(self, inputs: Sequence[int]) -> Linear:
        return replace(self, arguments=tuple(inputs))


@dataclass(frozen=True, kw_only=True)
class Antisymmetric(Linear):
    """The one argument, of ``hidden_size``, times A - Aᵀ of a learned matrix A, without a bias.

    To all that computes it is a `Linear`, whose matrix is made of A before a sequence.
    """

    bias: float | None = None


@dataclass(frozen=True, kw_only=True)
class Unary(Node):
    """What `Diagonal` and `Project` share: one argument."""

    argument: int

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.argument,)

    def with_inputs(self, inputs: Sequence[int]) -> Unary:
        return replace(self, argument=inputs[0])


@dataclass(frozen=True, kw_only=True)
class Diagonal(Unary):
    """A learned weight per unit times the argument."""


@dataclass(frozen=True, kw_only=True)
class Project(Unary):
    """The argument brought to ``hidden_size`` by a matrix; the identity where the sizes agree."""


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Node):
    """The argument normalised, with learned gain and bias (Ba, Kiros & Hinton 2016).

    Mean and variance are those of its units and of the units of ``among`` together.
    """

    argument: int
    among: tuple[int, ...] = ()

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.argument, *self.among)

    def with_inputs(self, inputs: Sequence[int]) -> LayerNorm:
        return replace(self, argument=inputs[0], among=tuple(inputs[1:]))


@dataclass(frozen=True, kw_only=True)
class Apply(Node):
    """An operation of the table applied to earlier values."""

    operation: str
    arguments: tuple[int, ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.arguments

    def with_inputs(self, inputs: Sequence[int]) -> Apply:
        return replace(self, arguments=tuple(inputs))


OWNERS = (Scalar, LearnedVector, Linear, Diagonal, Project, LayerNorm)
"""Nodes that own parameters: no two of them are ever the same one."""


def is_commutative(node: Node) -> bool:
    """Whether the order of the node's arguments does not matter (`linear` has one weight per argument)."""
    if isinstance(node, Apply):
        return find_operation(node.operation).commutative
    return isinstance(node, Linear)


def argument_roles(node: Node) -> tuple[int, ...]:
    """Return a number for each argument of ``node``; those that bear the same may change places."""
    if is_commutative(node):
        return (-1,) * len(node.inputs)
    if isinstance(node, LayerNorm):
        return (0, *(1 for _ in node.among))
    return tuple(range(len(node.inputs)))


def in_roles(node: Node, inputs: Sequence[int]) -> list[int]:
    """Return ``inputs`` for ``node``, those that may change places in ascending order."""
    return [index for _, index in sorted(zip(argument_roles(node), inputs, strict=True))]


@dataclass(frozen=True)
class CellGraph:
    """One step of recurrence, as equations: what `nas_rnn.cells.Cell` is made of.

    ``nodes[outputs[p]]`` is the next value of state path ``states[p]``; the first is also the layer's output.
    """

    name: str
    doc: str
    states: tuple[StatePath, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "doc", _clean(self.doc))


def _clean(doc: str) -> str:
    """Return ``doc`` as it comes back from a docstring: not indented and without blanks at line ends."""
    return inspect.cleandoc("\n".join(line.rstrip() for line in inspect.cleandoc(doc).split("\n")))


def value_sizes(states: Sequence[StatePath], nodes: Sequence[Node]) -> list[ValueSize | None]:
    """Return each node's size; None where its arguments do not fit (`verify` reports it)."""
    sizes: list[ValueSize | None] = []
    for node in nodes:
        sizes.append(_size(node, states, sizes))
    return sizes


def _size(node: Node, states: Sequence[StatePath], sizes: Sequence[ValueSize | None]) -> ValueSize | None:
    match node:
        case Input():
            return "input"
        case State(path=path):
            return states[path].size
        case Linear() | Project() | LearnedVector():
            return "hidden"
        case Constant() | Scalar():
            return "one"
        case Diagonal(argument=argument) | LayerNorm(argument=argument):
            return None if sizes[argument] == "one" else sizes[argument]
    wide = {sizes[i] for i in node.inputs} - {"one"}
    if len(wide) > 1 or None in wide:
        return None
    return wide.pop() if wide else "one"
