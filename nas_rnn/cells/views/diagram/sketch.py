"""Reads from a cell what its picture shows.

A `linear` and what is added to it become one box with the activation that reads it; numbers become part of
the label of what they are added to or multiplied with; `blend` is drawn as the operations it stands for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    CellGraph,
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
from nas_rnn.cells.graph.operations import find_operation
from nas_rnn.cells.graph.text import number
from nas_rnn.cells.views.diagram.grouping import join, lines
from nas_rnn.cells.views.diagram.parts import Link, Part, PartKind, Sketch, Weight
from nas_rnn.cells.views.equations.naming import Naming
from nas_rnn.cells.views.equations.notation import GREEK

SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−"}
MAX_NAME = 18


def sketch(cell: CellGraph) -> Sketch:
    """Return what a picture of ``cell`` shows; what no next state depends on is left out."""
    parts, links = _Sketcher(cell).run()
    parts, links = join(parts, links)
    return Sketch(tuple(parts), tuple(links), lines(cell, parts, links))


@dataclass(frozen=True)
class _Summand:
    """A value that a learned sum adds, and the weight it has there."""

    source: int
    weight: Weight


class _Sketcher:
    def __init__(self, cell: CellGraph) -> None:
        self.cell = cell
        naming = Naming(cell)
        self.names = naming.names
        self.letters = naming.scalars
        self.carried = set(cell.outputs)
        self.nodes: list[Node] = list(cell.nodes)
        self.origin = list(range(len(cell.nodes)))
        self._expand_blends()
        self.live = self._live()
        self.uses: Counter[int] = Counter(cell.outputs)
        for index in self.live:
            self.uses.update(self.nodes[index].inputs)
        self.parts: list[Part] = []
        self.links: list[Link] = []
        self.part_of: dict[int, int] = {}

    def _expand_blends(self) -> None:
        """Replace each `blend` by a sum, whose terms are new nodes at the end of the list."""
        for index, node in enumerate(self.cell.nodes):
            if isinstance(node, Apply) and node.operation == "blend":
                gate, first, second = node.arguments
                one = self._new(Constant(value=1.0), index)
                rest = self._new(Apply(operation="sub", arguments=(one, gate)), index)
                kept = self._new(Apply(operation="mul", arguments=(gate, first)), index)
                mixed = self._new(Apply(operation="mul", arguments=(rest, second)), index)
                self.nodes[index] = Apply(operation="add", arguments=(kept, mixed), name=node.name)

    def _new(self, node: Node, origin: int) -> int:
        self.nodes.append(node)
        self.origin.append(origin)
        return len(self.nodes) - 1

    def _live(self) -> list[int]:
        """Return the nodes that a next state depends on, each after what it reads."""
        order: list[int] = []
        stack = [(index, False) for index in reversed(self.cell.outputs)]
        seen: set[int] = set()
        while stack:
            index, done = stack.pop()
            if done:
                order.append(index)
            elif index not in seen:
                seen.add(index)
                stack.append((index, True))
                stack += [(i, False) for i in reversed(self.nodes[index].inputs)]
        return order

    def run(self) -> tuple[list[Part], list[Link]]:
        absorbed = {i for index in self.live for i in self._sum_below(index)[1]}
        states = [i for i in self.live if isinstance(self.nodes[i], Input | State)]
        for index in sorted(states):
            self.part_of[index] = self._port(index)
        for index in self.live:
            if index not in absorbed and index not in self.part_of and not self._is_number(index):
                self.part_of[index] = self._part(index)
        for path, index in zip(self.cell.states, self.cell.outputs, strict=True):
            self.parts.append(Part(kind="next", label=path.name))
            self.links.append(Link(source=self.part_of[index], target=len(self.parts) - 1))
        return self.parts, self.links

    def _port(self, index: int) -> int:
        node = self.nodes[index]
        if isinstance(node, State):
            self.parts.append(Part(kind="state", label=self.cell.states[node.path].name, nodes=(index,)))
        else:
            self.parts.append(Part(kind="input", label=node.name or "x", nodes=(index,)))
        return len(self.parts) - 1

    def _is_number(self, index: int) -> bool:
        return isinstance(self.nodes[index], Constant | Scalar)

    def _is_private(self, index: int) -> bool:
        """Whether nothing but the one node that reads it knows the node."""
        return self.uses[index] == 1 and self.nodes[index].name is None and index not in self.carried

    def _sum_below(self, index: int) -> tuple[list[_Summand], list[int]]:
        """Return the learned sum that the box of node ``index`` shows, and the nodes that it takes in."""
        node = self.nodes[index]
        match node:
            case Linear() | Diagonal():
                return self._weighted(node), []
            case LayerNorm(argument=argument, among=()):
                pass
            case Apply(operation=operation, arguments=(argument,)) if operation not in ("neg", "identity"):
                pass
            case Apply(operation="add"):
                found, inside = self._summands(index, own=True)
                learned = any(isinstance(self.nodes[i], Linear) for i in inside)
                return (found, inside) if learned and all(s.weight != "none" for s in found) else ([], [])
            case _:
                return [], []
        found, inside = self._summands(argument)
        return (found, inside) if any(s.weight != "none" for s in found) else ([], [])

    def _summands(self, index: int, own: bool = False) -> tuple[list[_Summand], list[int]]:
        node = self.nodes[index]
        inside = [] if own else [index]
        if own or self._is_private(index):
            if isinstance(node, LearnedVector):
                return [], inside
            if isinstance(node, Linear | Diagonal):
                return self._weighted(node), inside
            if (
                isinstance(node, Apply)
                and node.operation == "add"
                and not any(map(self._is_number, node.inputs))
            ):
                found: list[_Summand] = []
                for i in node.inputs:
                    more, deeper = self._summands(i)
                    found += more
                    inside += deeper
                return found, inside
        return [_Summand(index, "none")], []

    def _weighted(self, node: Linear | Diagonal) -> list[_Summand]:
        return [_Summand(i, "matrix" if isinstance(node, Linear) else "diagonal") for i in node.inputs]

    def _part(self, index: int) -> int:
        """Add the part that shows node ``index``, with its links; return its number."""
        node = self.nodes[index]
        summands, inside = self._sum_below(index)
        if isinstance(node, Apply) and node.operation == "identity":
            return (
                self.part_of[node.arguments[0]]
                if not self._is_number(node.arguments[0])
                else self._plain(index)
            )
        if not summands:
            return self._plain(index)
        kind: PartKind = "learned"
        label = "p" if isinstance(node, Diagonal) else "LN" if isinstance(node, LayerNorm) else "W"
        if isinstance(node, Antisymmetric):
            label = "A − Aᵀ"
        if isinstance(node, Apply) and node.operation != "add":
            kind = "gate" if node.operation == "sigmoid" else "candidate"
            label = operation_label(node.operation)
        part = self._add(kind, label, index, inside)
        for summand in dict.fromkeys(summands):
            weight: Weight = "none" if isinstance(node, Diagonal) else summand.weight
            self.links.append(Link(source=self.part_of[summand.source], target=part, weight=weight))
        return part

    def _plain(self, index: int) -> int:
        """Add a part without a learned sum."""
        node = self.nodes[index]
        values = [i for i in node.inputs if not self._is_number(i)]
        match node:
            case LayerNorm():
                part = self._add("learned", "LN", index)
            case LearnedVector():
                part = self._add("learned", "b", index)
            case Project():
                part = self._add("learned", "P", index)
            case Apply(operation=operation) if operation in SIGNS and len(values) == len(node.inputs):
                part = self._add("circle", SIGNS[operation], index)
            case Apply(operation=operation):
                part = self._add("function", self._label(operation, node.inputs), index)
            case _:
                raise AssertionError(f"unknown kind of node: {node!r}")
        for place, i in enumerate(values):
            mark = self._mark(node, place) if len(values) > 1 else ""
            weight: Weight = "matrix" if isinstance(node, Project) else "none"
            self.links.append(Link(source=self.part_of[i], target=part, mark=mark, weight=weight))
        return part

    def _mark(self, node: Node, place: int) -> str:
        if isinstance(node, LayerNorm):
            return "a" if place == 0 else ""
        if not isinstance(node, Apply) or find_operation(node.operation).commutative:
            return ""
        if node.operation in SIGNS:
            return SIGNS[node.operation] if place == 1 else ""
        return "abcd"[place]

    def _add(self, kind: PartKind, label: str, index: int, inside: list[int] | None = None) -> int:
        # what leaves the cell is named where it does; a gate keeps its name, by which one looks for it
        name = "" if index in self.carried and kind != "gate" else self.names.get(index, "")
        nodes = tuple(dict.fromkeys(self.origin[i] for i in [index, *(inside or [])]))
        self.parts.append(Part(kind=kind, label=label, name=short(name), nodes=nodes))
        return len(self.parts) - 1

    def _label(self, operation: str, inputs: tuple[int, ...]) -> str:
        """Return the label of an operation, with the numbers among its arguments written out."""
        written = [self._number(i) if self._is_number(i) else "" for i in inputs]
        if operation in SIGNS and len(written) == 2:
            left, right = written
            gap = " " if left and right else ""
            if not left or operation in ("add", "mul"):
                return (
                    f"{SIGNS[operation]} {left}{gap}{right}"
                    if not gap
                    else f"{left} {SIGNS[operation]} {right}"
                )
            return f"{left} {SIGNS[operation]}{gap}{right}"
        if not any(written):
            return operation_label(operation)
        return f"{operation_label(operation)}({', '.join(text or '·' for text in written)})"

    def _number(self, index: int) -> str:
        node = self.nodes[index]
        if isinstance(node, Constant):
            return number(node.value).replace("-", "−")
        return GREEK.get(self.letters[index], short(self.letters[index]))


def operation_label(operation: str) -> str:
    """Return how the operation is written in a box."""
    names = {"sigmoid": "σ", "log_sigmoid": "log σ", "maximum": "max", "minimum": "min", "neg": "−"}
    return names.get(operation, short(operation))


def short(name: str) -> str:
    """Return ``name``, cut where it would be wider than a box should be."""
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
