"""A cell as a small immutable graph of typed nodes.

Nodes stand in an order in which each reads only earlier ones. The first is the input ``x``, then one `State` a state
path. `make_cell` brings a traced or parsed list of nodes into the one order and naming that the text form keeps,
so that printing and parsing a cell gives an equal value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from nas_rnn.cells.operations import RESERVED, find_operation, operations
from nas_rnn.errors import UserError

if TYPE_CHECKING:
    from nas_rnn.cells.canonical import Canonical

Size = Literal["input", "hidden"]
ValueSize = Literal["input", "hidden", "one"]
MAX_INLINE_DEPTH = 12
"""An expression deeper than this is broken up by naming a part of it."""


class CellError(UserError):
    """A cell that breaks rules of the language; the message lists every violation with its equation."""


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
class Unary(Node):
    """What `Diagonal`, `Project` and `LayerNorm` share: one argument."""

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
class LayerNorm(Unary):
    """The argument normalised over its units, with learned gain and bias (Ba, Kiros & Hinton 2016)."""


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


OWNERS = (Scalar, Linear, Diagonal, Project, LayerNorm)
"""Nodes that own parameters: no two of them are ever the same one."""


def is_commutative(node: Node) -> bool:
    """Whether the order of the node's arguments does not matter (`linear` has one weight per argument)."""
    if isinstance(node, Apply):
        return find_operation(node.operation).commutative
    return isinstance(node, Linear)


@dataclass(frozen=True)
class Cell:
    """One step of recurrence, as equations.

    ``nodes[outputs[p]]`` is the next value of state path ``states[p]``; the first is also the layer's output. Cells
    are compared by value; `digest` says whether two are the same cell up to renaming and reordering.
    """

    plugin_kind: ClassVar[str] = "cell"

    name: str
    doc: str
    states: tuple[StatePath, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @cached_property
    def _canonical(self) -> Canonical:
        from nas_rnn.cells.canonical import canonicalise

        return canonicalise(self)

    @property
    def digest(self) -> str:
        """The identity of the cell's structure: version and hash, e.g. ``c1-0f3a…``."""
        return self._canonical.digest

    def canonical(self) -> Canonical:
        """Return the canonical form: simplified, canonically ordered nodes, in which order parameters are stored."""
        return self._canonical

    def to_text(self) -> str:
        """Return the cell in its text form (the content of a ``.cell`` file)."""
        from nas_rnn.cells.text import print_cell

        return print_cell(self)

    def __str__(self) -> str:
        from nas_rnn.cells.equations import plain_equations

        return plain_equations(self)

    def latex(self) -> str:
        """Return the cell's equations as a LaTeX ``aligned`` environment."""
        from nas_rnn.cells.equations import latex_equations

        return latex_equations(self)

    def diagram(self, format: str = "svg") -> bytes:
        """Return a picture of the cell: ``format`` is ``"svg"`` or ``"png"``."""
        from nas_rnn.cells.diagram import draw

        return draw(self, format)


def make_cell(
    name: str, doc: str, states: Sequence[StatePath], nodes: Sequence[Node], outputs: Sequence[int]
) -> Cell:
    """Return a verified cell from ``nodes`` in any order in which each reads only earlier ones.

    ``nodes[0]`` is the input and the next ones are the states. Raises `CellError` listing every violation.
    """
    from nas_rnn.cells.verify import verify

    folded = [_fold_negative(node, nodes) for node in nodes]
    statements = _statements(folded, outputs, len(states))
    order = _linear_order(folded, outputs, statements, len(states))
    place = {old: new for new, old in enumerate(order)}
    moved = [folded[old].with_inputs([place[i] for i in folded[old].inputs]) for old in order]
    named = _unique_names(moved, states, {place[i] for i in statements}, [place[i] for i in outputs])
    cell = Cell(name, doc, tuple(states), tuple(named), tuple(place[i] for i in outputs))
    verify(cell)
    return cell


def _fold_negative(node: Node, nodes: Sequence[Node]) -> Node:
    """Turn the negation of a number into a negative number, as the text form reads it; -0.0 into 0.0."""
    if isinstance(node, Apply) and node.operation == "neg":
        operand = nodes[node.arguments[0]]
        if isinstance(operand, Constant):
            return Constant(value=0.0 - operand.value)
    if isinstance(node, Constant):
        return Constant(value=node.value + 0.0)
    return node


def _statements(nodes: Sequence[Node], outputs: Sequence[int], states: int) -> set[int]:
    """Return the nodes that the text form gives a line of their own: named, read twice, dead, or deep."""
    uses = [0] * len(nodes)
    for index in [*(i for node in nodes for i in node.inputs), *outputs]:
        uses[index] += 1
    statements: set[int] = set()
    depth = [0] * len(nodes)
    for index, node in enumerate(nodes):
        if index <= states or isinstance(node, Constant):
            continue
        depth[index] = 1 + max((depth[i] for i in node.inputs), default=0)
        if node.name is not None or uses[index] != 1 or depth[index] > MAX_INLINE_DEPTH:
            statements.add(index)
            depth[index] = 0
    return statements


def _linear_order(nodes: Sequence[Node], outputs: Sequence[int], statements: set[int], states: int) -> list[int]:
    """Return the order in which reading the text form meets the nodes: post-order within each line."""
    order = list(range(states + 1))
    seen = set(order)

    def visit(index: int) -> None:
        if index in seen:
            return
        for argument in nodes[index].inputs:
            visit(argument)
        if index not in seen:
            seen.add(index)
            order.append(index)

    for index in sorted(statements):
        visit(index)
    for index in outputs:
        visit(index)
    return order


def _unique_names(
    nodes: list[Node], states: Sequence[StatePath], statements: set[int], outputs: Sequence[int]
) -> list[Node]:
    """Give every statement a name that no other has; a path's next value may bear the path's own name.

    That is allowed only where nothing reads the old value any more after the line that gives the new one.
    """
    paths = {path.name: number for number, path in enumerate(states)}
    last_read = {i: max((n for n, node in enumerate(nodes) if i in node.inputs), default=0) for i in range(len(states) + 1)}
    taken = {"x", *paths, *RESERVED, *operations()}
    if nodes and nodes[0].name:
        taken.add(nodes[0].name)
    result: list[Node] = []
    for index, node in enumerate(nodes):
        if index not in statements:
            result.append(node if index <= len(states) else replace(node, name=None))
            continue
        name = node.name
        own = name is not None and name in paths and outputs[paths[name] : paths[name] + 1] == [index]
        if own and last_read[paths[name] + 1] <= index and paths[name] + 1 not in outputs:  # type: ignore[index]
            result.append(node)
            continue
        name = _free_name(name, taken)
        taken.add(name)
        result.append(replace(node, name=name))
    return result


def _free_name(name: str | None, taken: Iterable[str]) -> str:
    base = "v" if name is None else name
    candidates = [base] if name is not None else []
    number = 1 if name is None else 2
    while not candidates or candidates[-1] in taken:
        candidates.append(f"{base}{number}" if name is None else f"{base}_{number}")
        number += 1
    return candidates[-1]


def value_sizes(states: Sequence[StatePath], nodes: Sequence[Node]) -> list[ValueSize | None]:
    """Return each node's size; None where its arguments disagree (`verify` reports it)."""
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
        case Linear() | Project():
            return "hidden"
        case Constant() | Scalar():
            return "one"
        case Diagonal(argument=argument) | LayerNorm(argument=argument):
            return sizes[argument]
    wide = {sizes[i] for i in node.inputs} - {"one"}
    if len(wide) > 1 or None in wide:
        return None
    return wide.pop() if wide else "one"
