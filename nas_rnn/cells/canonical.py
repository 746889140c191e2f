"""The canonical form of a cell: one simplified graph in one order for all ways of writing the same cell.

First the graph is simplified by steps that change no value: dead nodes go, `blend` is expanded, identities and
arithmetic on numbers are folded, and parameter-free equal nodes become one. Then its nodes are labelled canonically:
colours are refined until stable (1-dimensional Weisfeiler-Leman), and what stays tied is told apart by trying each
member and keeping the smallest encoding, pruned by the automorphisms met on the way (McKay & Piperno 2014,
"Practical graph isomorphism, II"). The labelling does not depend on names, nor on the order of equations, of
commutative inputs, or of the state paths after the first; it does tell one shared gate from two equal ones.
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
    Linear,
    Node,
    Scalar,
    State,
    StatePath,
    is_commutative,
)
from nas_rnn.cells.operations import find_operation
from nas_rnn.errors import UserError

VERSION = 1
"""Part of every digest; to be raised whenever a cell's canonical form changes."""

MAX_LEAVES = 20_000

Label = tuple[object, ...]


@dataclass(frozen=True)
class Canonical:
    """The canonical form: ``nodes`` without names; ``original[i]`` is the node of the cell that node i stands for.

    ``states`` keep the order that the cell gives them. Parameters are stored in the order of these nodes.
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
    rank = _Labelling(nodes, outputs, labels).best()
    order = _topological(nodes, rank)
    place = {old: new for new, old in enumerate(order)}
    moved: list[Node] = []
    for old in order:
        inputs = [place[i] for i in nodes[old].inputs]
        moved.append(nodes[old].with_inputs(sorted(inputs) if is_commutative(nodes[old]) else inputs))
    encoding = [(labels[old], moved[place[old]].inputs) for old in order]
    paths = sorted((place[number + 1], place[index]) for number, index in enumerate(outputs))
    digest = hashlib.sha256(repr((VERSION, encoding, paths)).encode()).hexdigest()[:16]
    # The states come first in the user's order, so that the layer's interface stays; the rest in canonical order.
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
            return (kind, path == 0, states[path].init, states[path].size)
        case Constant(value=value) | Scalar(init=value):
            return (kind, value)
        case Linear(arguments=arguments, bias=bias, heads=heads):
            return (kind, len(arguments), "none" if bias is None else bias + 0.0, heads)
        case Apply(operation=name):
            return (kind, name)
    return (kind,)


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


class _Labelling:
    """Finds the ranking of the nodes whose encoding is smallest."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int], labels: Sequence[Label]) -> None:
        self.nodes = nodes
        self.labels = labels
        self.outputs = outputs
        self.ordered = [not is_commutative(node) for node in nodes]
        self.users: list[list[tuple[int, int]]] = [[] for _ in nodes]
        for index, node in enumerate(nodes):
            for position, i in enumerate(node.inputs):
                self.users[i].append((index, position if self.ordered[index] else -1))
        self.next_of = {number + 1: index for number, index in enumerate(outputs)}
        self.carried: list[list[int]] = [[] for _ in nodes]
        for state, index in self.next_of.items():
            self.carried[index].append(state)
        self.best_encoding: tuple[object, ...] | None = None
        self.best_rank: list[int] = []
        self.automorphisms: list[list[int]] = []
        self.leaves = 0

    def best(self) -> list[int]:
        start = _dense([repr(label) for label in self.labels])
        self.search(self.refine(start), [])
        return self.best_rank

    def refine(self, colours: list[int]) -> list[int]:
        """Split colours by the colours of what each node reads and is read by, until nothing splits."""
        count = len(set(colours))
        while True:
            keys = [(colours[i], self.neighbourhood(i, colours)) for i in range(len(colours))]
            colours = _dense(keys)
            if max(colours) + 1 == count:
                return colours
            count = max(colours) + 1

    def neighbourhood(self, index: int, colours: list[int]) -> tuple[object, ...]:
        inputs = [colours[i] for i in self.nodes[index].inputs]
        if not self.ordered[index]:
            inputs.sort()
        users = sorted((colours[user], position) for user, position in self.users[index])
        following = colours[self.next_of[index]] if index in self.next_of else -1
        return (tuple(inputs), tuple(users), following, tuple(sorted(colours[s] for s in self.carried[index])))

    def search(self, colours: list[int], prefix: list[int]) -> None:
        classes: dict[int, list[int]] = {}
        for index, colour in enumerate(colours):
            classes.setdefault(colour, []).append(index)
        tied = [members for _, members in sorted(classes.items()) if len(members) > 1]
        if not tied:
            self.leaf(colours)
            return
        tried: list[int] = []
        for member in min(tied, key=len):
            if any(self.same_orbit(member, other, prefix) for other in tried):
                continue
            tried.append(member)
            split = [2 * colour + (index != member) for index, colour in enumerate(colours)]
            self.search(self.refine(_dense(split)), [*prefix, member])

    def same_orbit(self, member: int, other: int, prefix: list[int]) -> bool:
        """Whether automorphisms already met, which fix ``prefix``, carry ``other`` to ``member``."""
        fixing = [g for g in self.automorphisms if all(g[i] == i for i in prefix)]
        orbit, stack = {other}, [other]
        while stack:
            here = stack.pop()
            for image in (g[here] for g in fixing):
                if image not in orbit:
                    orbit.add(image)
                    stack.append(image)
        return member in orbit

    def leaf(self, rank: list[int]) -> None:
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            raise UserError(f"the cell is too symmetrical to be identified: more than {MAX_LEAVES} labellings tie")
        order = sorted(range(len(rank)), key=rank.__getitem__)
        encoding = tuple((repr(self.labels[i]), self.neighbourhood(i, rank)) for i in order)
        if self.best_encoding is None or encoding < self.best_encoding:
            self.best_encoding, self.best_rank = encoding, rank
        elif encoding == self.best_encoding:
            inverse = sorted(range(len(rank)), key=self.best_rank.__getitem__)
            forward = [inverse[rank[i]] for i in range(len(rank))]
            backward = [0] * len(rank)
            for source, target in enumerate(forward):
                backward[target] = source
            self.automorphisms += [forward, backward]


def _dense(keys: Sequence[object]) -> list[int]:
    """Return each key's place among the distinct keys in ascending order."""
    places = {key: place for place, key in enumerate(sorted(set(keys)))}  # type: ignore[type-var]
    return [places[key] for key in keys]


def _topological(nodes: Sequence[Node], rank: Sequence[int]) -> list[int]:
    """Return the nodes in the order in which each follows what it reads, by ``rank`` where that leaves a choice."""
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
