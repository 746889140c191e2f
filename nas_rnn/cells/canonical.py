"""The canonical form of a cell: one simplified graph in one order for all ways of writing the same cell.

First the graph is simplified by steps that change no value: dead nodes go, `blend` is expanded, identities
and arithmetic on numbers are folded, and parameter-free equal nodes become one. Then `Labelling` ranks its
nodes. The ranking does not depend on names, nor on the order of equations, of commutative inputs, or of the
state paths after the first; it does tell one shared gate from two equal ones.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas_rnn.cells.graph import (
    OWNERS,
    Apply,
    Cell,
    Constant,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Scalar,
    State,
    StatePath,
    in_roles,
    is_commutative,
)
from nas_rnn.cells.labelling import Labelling
from nas_rnn.cells.symmetry import earliest_first

VERSION = 1
"""Part of every digest; to be raised whenever a cell's canonical form changes."""

Label = tuple[object, ...]


@dataclass(frozen=True)
class Canonical:
    """The canonical form: ``nodes`` without names; ``original[i]`` is the node of the cell that node i stands
    for.

    ``states`` keep the order that the cell gives them. Parameters are stored in the order of these nodes.
    Cells of one digest and one order of states have equal nodes; `original` may differ where the cell is
    symmetrical.
    """

    digest: str
    states: tuple[StatePath, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    original: tuple[int | None, ...]


def canonicalise(cell: Cell) -> Canonical:
    """Return the canonical form of ``cell``."""
    nodes, outputs, original = _Simplifier(cell).run()
    labels = [_label(node, cell.states) for node in nodes]
    rank = _ranking(nodes, outputs, labels, len(cell.states))
    order = _topological(nodes, rank)
    place = {old: new for new, old in enumerate(order)}
    moved: list[Node] = []
    for old in order:
        inputs = [place[i] for i in nodes[old].inputs]
        moved.append(nodes[old].with_inputs(in_roles(nodes[old], inputs)))
    encoding = [(labels[old], moved[place[old]].inputs) for old in order]
    paths = sorted((place[number + 1], place[index]) for number, index in enumerate(outputs))
    digest = hashlib.sha256(repr((VERSION, encoding, paths)).encode()).hexdigest()[:16]
    # The states come first in the user's order, as the layer's interface has them; the rest canonically.
    final = [*range(len(cell.states) + 1), *(old for old in order if old > len(cell.states))]
    position = {old: new for new, old in enumerate(final)}
    kept = [nodes[old].with_inputs([position[order[i]] for i in moved[place[old]].inputs]) for old in final]
    return Canonical(
        digest=f"c{VERSION}-{digest}",
        states=cell.states,
        nodes=tuple(kept),
        outputs=tuple(position[i] for i in outputs),
        original=tuple(original[old] for old in final),
    )


def _label(node: Node, states: Sequence[StatePath]) -> Label:
    """Return what a node is, without names and without what it reads."""
    kind = type(node).__name__
    match node:
        case State(path=path):
            return (kind, path == 0, states[path].init + 0.0, states[path].size)
        case Constant(value=value) | Scalar(init=value) | LearnedVector(init=value):
            return (kind, value + 0.0)
        case LayerNorm(among=among) if among:
            return (kind, 1 + len(among))
        case Linear(arguments=arguments, bias=bias, heads=heads):
            return (kind, len(arguments), "none" if bias is None else bias + 0.0, heads)
        case Apply(operation=name):
            return (kind, name)
    return (kind,)


def _ranking(
    nodes: Sequence[Node], outputs: Sequence[int], labels: Sequence[Label], states: int
) -> list[int]:
    """Return the canonical ranking; where symmetry leaves several, the one with the earliest states first."""
    labelling = Labelling(nodes, outputs, labels)
    if all(i > states for g in labelling.automorphisms for i in g):
        return labelling.rank
    # the first state is the output and has no equal; the last has no choice left
    return earliest_first(labelling.around, labelling.start, labelling.rank, range(2, states))


class _Simplifier:
    """Rebuilds a cell's graph bottom-up, folding as it goes, and keeps what the next states need."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.nodes: list[Node] = []
        self.original: list[int | None] = []
        self.known: dict[tuple[object, ...], int] = {}

    def run(self) -> tuple[list[Node], list[int], list[int | None]]:
        place: list[int] = []
        for index, node in enumerate(self.cell.nodes):
            place.append(self.put(node.with_inputs([place[i] for i in node.inputs]), index))
        return self.live([place[i] for i in self.cell.outputs])

    def add(self, node: Node, origin: int | None) -> int:
        node = replace(node, name=None)
        if not isinstance(node, OWNERS):
            inputs = tuple(sorted(node.inputs)) if is_commutative(node) else node.inputs
            key = (*_label(node, self.cell.states), getattr(node, "path", None), inputs)
            if key in self.known:
                return self.known[key]
            self.known[key] = len(self.nodes)
        self.nodes.append(node)
        self.original.append(origin)
        return len(self.nodes) - 1

    def put(self, node: Node, origin: int | None) -> int:
        """Add ``node``, or return the node that it folds to."""
        if not isinstance(node, Apply):
            return self.add(node, origin)
        if node.operation == "blend":
            return self.expand_blend(node, origin)
        folded = self.fold(node.operation, node.arguments)
        if isinstance(folded, float):
            return self.add(Constant(value=folded), origin)
        return self.add(node, origin) if folded is None else folded

    def expand_blend(self, node: Apply, origin: int | None) -> int:
        gate, first, second = node.arguments
        one = self.add(Constant(value=1.0), None)
        rest = self.put(Apply(operation="sub", arguments=(one, gate)), None)
        left = self.put(Apply(operation="mul", arguments=(gate, first)), None)
        right = self.put(Apply(operation="mul", arguments=(rest, second)), None)
        return self.put(Apply(operation="add", arguments=(left, right)), origin)

    def number(self, index: int) -> float | None:
        node = self.nodes[index]
        return node.value if isinstance(node, Constant) else None

    def fold(self, operation: str, arguments: tuple[int, ...]) -> int | float | None:
        """Return the node or the number that the operation always equals; None where it must be computed."""
        numbers = [self.number(i) for i in arguments]
        if operation in _ARITHMETIC and None not in numbers:
            return _arithmetic(operation, [n for n in numbers if n is not None])
        match operation, arguments, numbers:
            case "identity", (a,), _:
                return a
            case "neg", (a,), _:
                inner = self.nodes[a]
                if isinstance(inner, Apply) and inner.operation == "neg":
                    return inner.arguments[0]
            case "add", (a, b), (left, right):
                return b if left == 0.0 else a if right == 0.0 else None
            case "sub" | "div" as name, (a, _), (_, right):
                return a if right == (0.0 if name == "sub" else 1.0) else None
            case "mul", (a, b), (left, right):
                return b if left == 1.0 else a if right == 1.0 else None
            case "maximum" | "minimum", (a, b), _:
                return a if a == b else None
        return None

    def live(self, outputs: list[int]) -> tuple[list[Node], list[int], list[int | None]]:
        """Drop what no next state needs; the input and the states stay, first and in order."""
        needed = set(range(len(self.cell.states) + 1))
        stack = list(outputs)
        while stack:
            index = stack.pop()
            if index not in needed:
                needed.add(index)
                stack.extend(self.nodes[index].inputs)
        order = sorted(needed)
        place = {old: new for new, old in enumerate(order)}
        nodes = [self.nodes[i].with_inputs([place[j] for j in self.nodes[i].inputs]) for i in order]
        return nodes, [place[i] for i in outputs], [self.original[i] for i in order]


_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "neg"})


def _arithmetic(operation: str, numbers: list[float]) -> float | None:
    try:
        match operation, numbers:
            case "neg", [a]:
                result = 0.0 - a
            case "add", [a, b]:
                result = a + b
            case "sub", [a, b]:
                result = a - b
            case "mul", [a, b]:
                result = a * b
            case "div", [a, b]:
                result = a / b
            case _:
                return None
    except ZeroDivisionError:
        return None
    return result + 0.0 if math.isfinite(result) else None


def _topological(nodes: Sequence[Node], rank: Sequence[int]) -> list[int]:
    """Return the nodes so that each follows what it reads, by ``rank`` where that leaves a choice."""
    waiting = [len(set(node.inputs)) for node in nodes]
    users: list[set[int]] = [set() for _ in nodes]
    for index, node in enumerate(nodes):
        for i in node.inputs:
            users[i].add(index)
    ready = [(rank[i], i) for i, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, (rank[user], user))
    return order


def parameter_owners(canonical: Canonical) -> list[int]:
    """Return the indices of the nodes that own parameters, in the order in which those are stored."""
    return [i for i, node in enumerate(canonical.nodes) if isinstance(node, OWNERS)]
