"""The difference of two cells in sentences, the cell being their subject: "has no output gate (o)"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nas_rnn.cells.graph.nodes import (
    Apply,
    CellGraph,
    Constant,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    State,
)
from nas_rnn.cells.graph.text import number
from nas_rnn.cells.views.difference.changes import changed_nodes, is_replaced, is_rewired
from nas_rnn.cells.views.difference.matching import Matching
from nas_rnn.cells.views.difference.parts import Gate, Parts
from nas_rnn.cells.views.difference.phrases import KINDS, SIGNS, Side, article, count, listed


class Wording:
    """Finds the sentences; every node without a partner ends up in one."""

    def __init__(self, cell: CellGraph, base: CellGraph, found: Matching) -> None:
        self.name = base.name
        self.pairs = found.pairs
        self.matching = found
        here = {i for i in range(len(found.first.nodes)) if i not in found.pairs}
        there = set(range(len(found.second.nodes))) - set(found.pairs.values())
        self.here, self.base = Side(cell, found.first, here), Side(base, found.second, there)

    def sentences(self) -> tuple[str, ...]:
        """Return the sentences, what matters most first."""
        told = [
            *self._paths(),
            *self._gates(self.base, self.here, "has no", ""),
            *self._gates(self.here, self.base, "has a", f" that {self.name} lacks"),
            *self._turned(),
            *_together(self._linears()),
            *self._replaced(),
            *self._activations(),
            *_together(self._reads()),
            *self._others(),
        ]
        if not told:
            lines = sorted({self.here.place(i) for i in changed_nodes(self.matching)})
            told = [f"has the same operations, connected differently, in {listed(lines)}"]
        return tuple(dict.fromkeys(told))

    def _paths(self) -> Iterator[str]:
        for side, word in ((self.base, "fewer"), (self.here, "more")):
            states = side.cell.states
            names = [path.name for place, path in enumerate(states, start=1) if place in side.alone]
            side.told |= set(range(1, len(states) + 1))
            if names:
                yield f"{count(len(names), word, 'state path', 'state paths')}: {listed(names)}"
        for place, path in enumerate(self.here.cell.states, start=1):
            partner = self.pairs.get(place)
            other = None if partner is None else self.base.cell.states[partner - 1]
            if other is not None and path.init != other.init:
                yield f"{path.name} starts at {number(path.init)} instead of {number(other.init)}"
            if other is not None and path.size != other.size:
                yield f"{path.name} has {path.size}_size instead of {other.size}_size"

    def _gates(self, side: Side, other: Side, verb: str, ending: str) -> Iterator[str]:
        """Tell of gates that only one side has, with all that belongs to them."""
        for gate in side.parts.gates:
            if gate.node not in side.alone:
                continue
            self._swallow(side, gate)
            instead = [g for g in other.parts.gates if g.coupled and _is_other_half(g, gate)]
            name = gate.role + side.letter(gate.node)
            if instead and verb == "has no":
                half = f"1 - {other.value(instead[0].node)} takes its place"
                yield f"has no {name} of its own: {half}"
            elif instead:
                half = f"{self.name} uses 1 - {other.value(instead[0].node)}"
                yield f"has {article(gate.role)} {name} of its own; {half}"
            else:
                begin = verb if verb == "has no" else f"has {article(gate.role)}"
                yield f"{begin} {name}{ending}"

    def _swallow(self, side: Side, gate: Gate) -> None:
        """Count what belongs to a gate as told: its sum, the products with it, its other half, or its stand-in."""
        parts = side.parts
        of_gate = {i for i, owner in parts.scope.items() if owner == gate.node}
        halves = {i for i in range(len(parts.nodes)) if parts.complement_of(i) is not None}
        of_gate |= {user for user in parts.users[gate.node] if user in halves}
        for i in [gate.node, *of_gate]:
            of_gate |= {u for u in parts.users[i] if _operation(parts.nodes[u]) == "mul"}
        side.told |= {i for i in of_gate if i in side.alone}
        for both in (self.here, self.base):
            for i in both.alone:
                gate_of = both.parts.complement_of(i)
                products = [u for u in both.parts.users[i] if _operation(both.parts.nodes[u]) == "mul"]
                if gate_of is not None:
                    both.told |= {i, *products, *(j for j in both.parts.nodes[i].inputs if j != gate_of)}

    def _replaced(self) -> Iterator[str]:
        """Tell of operations that stand in another's place."""
        for index, partner in sorted(self.pairs.items()):
            one, other = self.here.parts.nodes[index], self.base.parts.nodes[partner]
            if not is_replaced(self.matching, index) or isinstance(one, State):
                continue
            if isinstance(one, Apply) and isinstance(other, Apply):
                new, old = one.operation, other.operation
                if index in self.here.parts.role:
                    yield f"{self.here.role(index)} uses {new} instead of {old}"
                else:
                    yield f"{self._a(new)} instead of {self._a(old)} in {self.here.place(index)}"
            elif not isinstance(one, Linear):
                new, old = self.here.value(index), self.base.value(partner)
                if isinstance(one, Scalar | LearnedVector) and isinstance(other, Scalar | LearnedVector):
                    new, old = number(one.init), number(other.init)
                    kind = KINDS[type(one)][0]
                    yield f"the {kind} in {self.here.place(index)} starts at {new} instead of {old}"
                else:
                    yield f"{new} instead of {old} in {self.here.place(index)}"

    def _linears(self) -> Iterator[tuple[str, str]]:
        """Give places and how the bias and the heads of their learned combinations differ."""
        for index, partner in sorted(self.pairs.items()):
            one, other = self.here.parts.nodes[index], self.base.parts.nodes[partner]
            if not (isinstance(one, Linear) and isinstance(other, Linear)):
                continue
            place = self.here.place(index)
            if one.bias != other.bias:
                if one.bias is None or other.bias is None:
                    yield place, f"has {'no' if one.bias is None else 'a'} bias"
                else:
                    start = f"{number(one.bias)} instead of {number(other.bias)}"
                    yield place, f"has a bias that starts at {start}"
            if one.heads != other.heads:
                yield place, f"has {one.heads} heads instead of {other.heads}"

    def _turned(self) -> Iterator[str]:
        """Tell of coupled gates that stand the other way round."""
        for index, partner in sorted(self.pairs.items()):
            mine, its = self.here.parts.role.get(index), self.base.parts.role.get(partner)
            if mine != its and index in self.here.parts.coupled and partner in self.base.parts.coupled:
                old, new = ("the candidate", "the old state")[:: 1 if mine == "input gate" else -1]
                gate = self.here.value(index)
                yield f"{gate} weights {old} and 1 - {gate} {new}; in {self.name} it is the other way round"

    def _activations(self) -> Iterator[str]:
        """Tell of activations of one value that only one side has."""
        for side, said in ((self.base, "applies no"), (self.here, "also applies")):
            for index in sorted(side.alone - side.told):
                if not side.parts.is_unary(index):
                    continue
                side.told.add(index)
                operation, argument = _operation(side.parts.nodes[index]), side.parts.nodes[index].inputs[0]
                if side.parts.role.get(index) == "candidate" and argument not in side.alone:
                    name = side.role(index)
                    if side is self.base:
                        yield f"{name} has no activation ({operation} in {self.name})"
                    else:
                        yield f"{name} has an activation, {operation}"
                else:
                    yield f"{said} {operation} to {side.value(argument)}"

    def _reads(self) -> Iterator[tuple[str, str]]:
        """Give places and which values they read in addition, or no more."""
        back = {v: k for k, v in self.pairs.items()}
        for index, partner in sorted(self.pairs.items()):
            if not is_rewired(self.matching, index):
                continue
            one, other = self.here.parts.nodes[index], self.base.parts.nodes[partner]
            mapped = [self.pairs.get(i, -1 - i) for i in one.inputs]
            more, fewer = _left(mapped, other.inputs), _left(other.inputs, mapped)
            if isinstance(one, Linear):
                known = [self.pairs.get(i, -1 - i) for i in _read_in_scope(self.here.parts, index)]
                more = [i for i in more if i not in _read_in_scope(self.base.parts, partner)]
                fewer = [i for i in fewer if i not in known]
            elif any(i < 0 for i in more) or any(i in self.base.alone for i in fewer):
                continue  # what was put between, or left out, is told of by itself
            elif self._is_turned(index):
                continue
            new = [self.here.value(-1 - i if i < 0 else back[i]) for i in more]
            old = [self.base.value(i) for i in fewer]
            place = self.here.place(index)
            if isinstance(one, Linear):
                yield from ((place, f"has a matrix for {listed(new)} too") for _ in new[:1])
                yield from ((place, f"has no matrix for {listed(old)}") for _ in old[:1])
            elif new and old:
                yield place, f"reads {listed(new)} instead of {listed(old)}"

    def _is_turned(self, index: int) -> bool:
        """Whether a product has another factor only because its coupled gate stands the other way round."""
        parts = self.here.parts
        factors = {parts.complement_of(i) or i for i in parts.nodes[index].inputs}
        return any(
            i in self.pairs and parts.role.get(i) != self.base.parts.role.get(self.pairs[i]) for i in factors
        )

    def _others(self) -> Iterator[str]:
        """Tell of all that is left, counted by kind, with the places where it is."""
        for side, word in ((self.here, "more"), (self.base, "fewer")):
            left: dict[tuple[str, str], list[int]] = {}
            for index in sorted(side.alone - side.told):
                node = side.parts.nodes[index]
                if isinstance(node, Apply):
                    names = SIGNS.get(node.operation, (node.operation, node.operation))
                else:
                    names = KINDS.get(type(node), ("value", "values"))
                if not isinstance(node, Constant):
                    left.setdefault(names, []).append(index)
            joins = {("sum", "sums")} if any(key not in SIGNS.values() for key in left) else set()
            for names, indices in left.items():
                if names not in joins:
                    places = list(dict.fromkeys(side.place(i) for i in indices))
                    yield f"{count(len(indices), word, *names)}, in {listed(places)}"

    def _a(self, operation: str) -> str:
        return f"{article(SIGNS[operation][0])} {SIGNS[operation][0]}" if operation in SIGNS else operation


def _read_in_scope(parts: Parts, index: int) -> list[int]:
    """Return what the learned sums of the node's gate or candidate read; of the node alone outside of these."""
    if index not in parts.scope:
        return list(parts.nodes[index].inputs)
    inside = [i for i, owner in parts.scope.items() if owner == parts.scope[index]]
    owners = [i for i in inside if isinstance(parts.nodes[i], Linear | Project)]
    return [i for owner in owners for i in parts.nodes[owner].inputs]


def _together(told: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Say once what several places have in common: ``the equations of a and b have no bias``."""
    places: dict[str, list[str]] = {}
    for place, what in told:
        places.setdefault(what, []).append(place)
    for what, where in places.items():
        unique = list(dict.fromkeys(where))
        verb, _, rest = what.partition(" ")
        plural = {"has": "have", "reads": "read"}[verb]
        yield f"{listed(unique)} {verb if len(unique) == 1 else plural} {rest}"


def _is_other_half(coupled: Gate, gone: Gate) -> bool:
    return {coupled.role, gone.role} == {"forget gate", "input gate"}


def _operation(node: Node) -> str:
    return node.operation if isinstance(node, Apply) else ""


def _left(items: Sequence[int], taken: Sequence[int]) -> list[int]:
    """Return ``items`` without those in ``taken``, each as often as it is there."""
    return list((Counter(items) - Counter(taken)).elements())
