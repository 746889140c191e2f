"""What remains of a cell when one element is taken out of it: the variants of an ablation study.

As in Greff et al. 2015, "LSTM: A search space odyssey", every variant differs from the cell in one element and in
nothing else; what thereby has no effect any more (a product with 1, a state path that nothing reads) goes too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nas_rnn.cells import Cell, CellError
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import (
    Apply,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    State,
)
from nas_rnn.cells.views.difference import Parts
from nas_rnn.cells.views.difference.phrases import Side
from nas_rnn.errors import UserError, unknown

ELEMENTS = ("gate", "activation", "product", "path", "norm", "peephole", "matrix")
"""What can be taken out, by kind."""
USUAL = ELEMENTS[:-1]
MOST_REBUILT = 30_000
"""How many values are put together in all: every change gives a whole cell, which would be trained on every seed."""

Edge = tuple[int, int]
"""A node and the place of one of its arguments."""


@dataclass(frozen=True)
class Ablation:
    """A cell without one element: its kind, what was changed in words, and what remains."""

    element: str
    what: str
    cell: Cell


def ablations(cell: Cell, elements: Iterable[str] = USUAL) -> tuple[Ablation, ...]:
    """Return every cell that taking out one element of ``cell`` gives, each structure once, in a fixed order.

    ``gate``: it is 1 throughout. ``activation``: the identity, or tanh where it is another. ``product``: without one of
    its factors. ``path``: a state path is not carried on; the first, the output, is not read back. ``norm``,
    ``peephole``: a layer norm, or an added value with a weight per unit, is left out. ``matrix``: a learned sum does
    not read one of its values.

    Raises UserError for an unknown kind of element, where nothing can be taken out, or where there are so many
    changes that more than 30,000 values would have to be put together (150 changes of a cell of 200 values).
    """
    wanted = tuple(elements)
    for element in wanted:
        if element not in ELEMENTS:
            raise unknown("element to take out:", element, ELEMENTS)
    found = _Ablating(cell).run(wanted)
    if not found:
        raise UserError(f"nothing of the kinds {', '.join(wanted)} can be taken out of {cell.name!r}")
    return found


class _Ablating:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.parts = Parts(cell.canonical())
        self.side = Side(cell, self.parts, set())
        self.seen = {cell.digest}
        self.names: set[str] = {cell.name}

    def run(self, elements: Sequence[str]) -> tuple[Ablation, ...]:
        ways: dict[str, Callable[[], Iterator[tuple[str, _Change]]]] = {
            "gate": self._gates,
            "activation": self._activations,
            "product": self._products,
            "path": self._paths,
            "norm": self._norms,
            "peephole": self._peepholes,
            "matrix": self._matrices,
        }
        changes = {element: list(ways[element]()) for element in ELEMENTS if element in elements}
        self._check_size(changes)
        found = []
        for element, of_kind in changes.items():
            for what, change in of_kind:
                made = self._made(what, change)
                if made is not None:
                    found.append(Ablation(element, what, made))
        return tuple(found)

    def _check_size(self, changes: Mapping[str, Sequence[tuple[str, _Change]]]) -> None:
        count, values = sum(map(len, changes.values())), len(self.parts.nodes)
        if count * values > MOST_REBUILT:
            each = ", ".join(f"{element} {len(found)}" for element, found in changes.items() if found)
            raise UserError(
                f"an ablation rebuilds at most {MOST_REBUILT:,} values, and {count:,} changes ({each}) of "
                f"{self.cell.name!r}, which has {values:,} values, need {count * values:,}; name fewer kinds of "
                "elements, or a smaller cell"
            )

    def _made(self, what: str, change: _Change) -> Cell | None:
        """Return the cell after ``change``; None where it is no cell, or one that is known already."""
        try:
            cell = _rebuilt(self.cell, change, self._name(what))
        except CellError:
            return None
        if cell is None or cell.digest in self.seen:
            return None
        self.seen.add(cell.digest)
        self.names.add(cell.name)
        return cell

    def _name(self, what: str) -> str:
        stem = re.sub(r"[^a-z0-9]+", "_", _plain(what).lower()).strip("_")[:40].strip("_")
        name = stem = stem if stem[:1].isalpha() else f"v_{stem}"
        number = 1
        while name in self.names:
            number += 1
            name = f"{stem}_{number}"
        return name

    def _applies(self, *operations: str) -> Iterator[tuple[int, Apply]]:
        for index, node in enumerate(self.parts.nodes):
            if isinstance(node, Apply) and node.operation in operations:
                yield index, node

    def _gates(self) -> Iterator[tuple[str, _Change]]:
        for gate in self.parts.gates:
            role = self.side.role(gate.node)
            halves = [i for i, _ in self._applies("sub") if self.parts.complement_of(i) == gate.node]
            if not halves:
                yield f"{role} is 1", _Change(values={gate.node: 1.0})
                continue
            edges = {
                (i, place): 1.0
                for i, node in enumerate(self.parts.nodes)
                for place, argument in enumerate(node.inputs)
                if argument == gate.node and i not in halves
            }
            other = self.side.value(halves[0])
            yield f"{role} is 1, {other} stays", _Change(edges=edges)
            yield f"{other} is 1, {role} stays", _Change(values=dict.fromkeys(halves, 1.0))

    def _activations(self) -> Iterator[tuple[str, _Change]]:
        gates = {gate.node for gate in self.parts.gates}
        for index, node in enumerate(self.parts.nodes):
            if not self.parts.is_unary(index) or index in gates or not isinstance(node, Apply):
                continue
            where = f"of {self.side.role(index)}" if index in self.parts.role else ""
            where = where or f"on {self.side.value(node.arguments[0])}"
            yield f"no {node.operation} {where}", _Change(same={index: node.arguments[0]})
            if node.operation != "tanh":
                other = Apply(operation="tanh", arguments=node.arguments)
                yield f"tanh for {node.operation} {where}", _Change(nodes={index: other})

    def _products(self) -> Iterator[tuple[str, _Change]]:
        for index, node in self._applies("mul"):
            for place, argument in enumerate(node.arguments):
                kept = node.arguments[1 - place]
                what = f"{self.side.value(kept)} without the factor {self.side.value(argument)}"
                yield f"{what}, in {self.side.place(index)}", _Change(same={index: kept})

    def _paths(self) -> Iterator[tuple[str, _Change]]:
        for number, path in enumerate(self.cell.states, start=1):
            what = f"{path.name} is not read back" if number == 1 else f"no state path {path.name}"
            yield what, _Change(values={number: path.init}, without=None if number == 1 else number)

    def _norms(self) -> Iterator[tuple[str, _Change]]:
        for index, node in enumerate(self.parts.nodes):
            if isinstance(node, LayerNorm):
                what = f"no layer norm on {self.side.value(node.argument)}, in {self.side.place(index)}"
                yield what, _Change(same={index: node.argument})

    def _peepholes(self) -> Iterator[tuple[str, _Change]]:
        for index, node in enumerate(self.parts.nodes):
            if isinstance(node, Diagonal):
                what = f"no weight per unit for {self.side.value(node.argument)}"
                yield f"{what}, in {self.side.place(index)}", _Change(values={index: 0.0})

    def _matrices(self) -> Iterator[tuple[str, _Change]]:
        for index, node in enumerate(self.parts.nodes):
            if isinstance(node, Linear) and len(node.arguments) > 1:
                for place, argument in enumerate(node.arguments):
                    what = f"no matrix for {self.side.value(argument)}, in {self.side.place(index)}"
                    yield what, _Change(edges={(index, place): 0.0})


class _Change:
    """What a variant has otherwise: numbers for nodes or single arguments, nodes in place of others."""

    def __init__(
        self,
        *,
        values: Mapping[int, float] | None = None,
        edges: Mapping[Edge, float] | None = None,
        same: Mapping[int, int] | None = None,
        nodes: Mapping[int, Node] | None = None,
        without: int | None = None,
    ) -> None:
        self.values, self.edges = dict(values or {}), dict(edges or {})
        self.same, self.nodes = dict(same or {}), dict(nodes or {})
        self.without = without


Result = int | float
"""A node of the cell that is being built, or a number that it always is."""


def _rebuilt(cell: Cell, change: _Change, name: str) -> Cell | None:
    """Return the cell with ``change`` carried out and folded; None where its output is a number."""
    canonical = cell.canonical()
    nodes: list[Node] = []
    place: list[Result] = []
    for index, node in enumerate(canonical.nodes):
        if index <= len(cell.states):
            nodes.append(cell.nodes[index])
            place.append(change.values.get(index, index))
            continue
        if index in change.values:
            place.append(change.values[index])
            continue
        if index in change.same:
            place.append(place[change.same[index]])
            continue
        node = change.nodes.get(index, node)
        inputs = [change.edges.get((index, k), place[i]) for k, i in enumerate(node.inputs)]
        original = canonical.original[index]
        named = replace(node, name=None if original is None else cell.nodes[original].name)
        place.append(_put(nodes, named, inputs))
    outputs: list[int] = []
    for output in (place[i] for i in canonical.outputs):
        outputs.append(_lifted(nodes, output))
    dropped = {change.without} if change.without is not None else set()
    return _without_unread(name, cell, nodes, outputs, dropped)


def _put(nodes: list[Node], node: Node, inputs: Sequence[Result]) -> Result:
    """Add ``node`` with these inputs, or return what it folds to."""
    numbers = [value for value in inputs if isinstance(value, float)]
    match node:
        case Linear(bias=bias):
            kept = tuple(value for value in inputs if isinstance(value, int))
            if kept:
                return _add(nodes, replace(node, arguments=kept))
            return 0.0 if bias is None else _add(nodes, LearnedVector(init=bias, name=node.name))
        case Diagonal() | Project() | LayerNorm() if numbers:
            kept = tuple(value for value in inputs if isinstance(value, int))
            if isinstance(node, LayerNorm) and isinstance(inputs[0], int):
                return _add(nodes, node.with_inputs(kept))
            return 0.0
        case Apply(operation=operation) if numbers:
            folded = _folded(operation, inputs)
            if folded is not None:
                return folded
    return _add(nodes, node.with_inputs([_lifted(nodes, value) for value in inputs]))


def _folded(operation: str, inputs: Sequence[Result]) -> Result | None:
    """Return what the operation always is with these numbers among its inputs; None where it must be computed."""
    if len(inputs) == 1:
        return 0.0 if operation in ("tanh", "relu", "neg", "identity") and inputs[0] == 0.0 else None
    left, right = inputs[0], inputs[-1]
    number, other = (left, right) if isinstance(left, float) else (right, left)
    if len(inputs) > 2 or not isinstance(number, float):
        return None
    match operation:
        case "mul":
            return 0.0 if number == 0.0 else other if number == 1.0 else None
        case "add" | "sub" if isinstance(left, float) and isinstance(right, float):
            return left + right if operation == "add" else left - right
        case "add" if number == 0.0:
            return other
        case "sub" if isinstance(right, float) and right == 0.0:
            return left
    return None


def _add(nodes: list[Node], node: Node) -> int:
    nodes.append(node)
    return len(nodes) - 1


def _lifted(nodes: list[Node], value: Result) -> int:
    return value if isinstance(value, int) else _add(nodes, Constant(value=value))


def _without_unread(
    name: str, cell: Cell, nodes: list[Node], outputs: list[int], dropped: set[int]
) -> Cell | None:
    """Return the cell without ``dropped`` paths and those that the output does not depend on."""
    if isinstance(nodes[outputs[0]], Constant):
        return None
    needed, stack = {1}, [outputs[0]]
    reached: set[int] = set()
    while stack:
        index = stack.pop()
        if index in reached:
            continue
        reached.add(index)
        stack.extend(nodes[index].inputs)
        if isinstance(nodes[index], State) and index not in needed:
            needed.add(index)
            stack.append(outputs[index - 1])
    if needed & dropped:
        return None
    kept = [0, *sorted(needed), *sorted(i for i in reached if i > len(cell.states))]
    place = {old: new for new, old in enumerate(kept)}
    rebuilt: list[Node] = []
    for old in kept:
        node = nodes[old].with_inputs([place[i] for i in nodes[old].inputs])
        rebuilt.append(replace(node, path=place[old] - 1) if isinstance(node, State) else node)
    states = [cell.states[i - 1] for i in sorted(needed)]
    return make_cell(name, "", states, rebuilt, [place[outputs[i - 1]] for i in sorted(needed)])


def _plain(what: str) -> str:
    """Return words for a name: without articles, and letters without what only a reader needs."""
    words = what.replace("ₜ₋₁", "_old").replace("ₜ", "").replace("1 -", "one minus")
    words = words.replace("⊙", "times")
    return re.sub(r"\b(the|of|a)\b ", "", words)
