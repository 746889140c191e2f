"""Which nodes of two cells correspond: a matching of their canonical graphs.

A pair of nodes is worth the more the more alike they are, and every connection that both cells have between matched
nodes is worth something. The best matching is looked for by improvement: start from pairs alike in themselves and their
surroundings (similarity flooding, Melnik, Garcia-Molina & Rahm 2002), then move or exchange single partners until
nothing is gained. Cells are small, and the result need not be the optimum; it is the same every time, and that of
(b, a) is that of (a, b) turned round.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nas_rnn.cells.canonical import Canonical
from nas_rnn.cells.difference.parts import Parts
from nas_rnn.cells.graph import (
    Apply,
    Cell,
    Constant,
    Input,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Scalar,
    State,
    argument_roles,
)
from nas_rnn.errors import UserError

EDGE, CARRY, SAME_ROLE, NAME = 1.0, 0.75, 0.3, 0.05
"""What a shared connection, a shared next state, a shared role and a shared name are worth."""
ROUNDS = 6
MOST_REFINED = 150
"""Larger cells keep the matching that improvement would start from."""
MOST_PAIRS = 100_000
"""How many pairs of values are looked at (some 5 to 10 s), unless the cells are the same."""


@dataclass(frozen=True)
class Matching:
    """``pairs`` maps nodes of ``first``'s canonical form to their partners in ``second``'s, one to one."""

    first: Parts
    second: Parts
    pairs: dict[int, int]

    def turned(self) -> Matching:
        """Return the matching of the second with the first."""
        return Matching(self.second, self.first, {b: a for a, b in self.pairs.items()})


def match(first: Cell, second: Cell) -> Matching:
    """Return the matching of two cells; for cells of one digest it is complete.

    Raises `UserError` for two cells that have more than 100,000 pairs of values.
    """
    count, pairs = len(first.canonical().nodes), len(first.canonical().nodes) * len(second.canonical().nodes)
    if pairs > MOST_PAIRS:
        if first.canonical().nodes != second.canonical().nodes or first.digest != second.digest:
            raise UserError(
                f"two cells are compared by at most {MOST_PAIRS:,} pairs of their values; {first.name!r} has {count:,} "
                f"values and {second.name!r} {pairs // count:,}, which are {pairs:,} pairs; name a smaller cell, such "
                "as lstm"
            )
        same = dict(zip(range(count), range(count), strict=True))
        return Matching(Parts(first.canonical()), Parts(second.canonical()), same)
    if (second.digest, second.to_text()) < (first.digest, first.to_text()):
        return match(second, first).turned()
    return _Matcher(first, second).run()


class _Matcher:
    def __init__(self, first: Cell, second: Cell) -> None:
        self.a, self.b = Parts(first.canonical()), Parts(second.canonical())
        self.names = _names(first), _names(second)
        self.edges_a, self.edges_b = _edges(self.a.canonical), _edges(self.b.canonical)
        self.near_a, self.near_b = _touching(self.a, self.edges_a), _touching(self.b, self.edges_b)
        count_a, count_b = range(len(self.a.nodes)), range(len(self.b.nodes))
        self.worth = {
            (u, v): worth for u in count_a for v in count_b if (worth := self._worth(u, v)) is not None
        }
        self.partners: list[list[int]] = [[] for _ in count_a]
        for u, v in self.worth:
            self.partners[u].append(v)

    def _worth(self, u: int, v: int) -> float | None:
        """Return what the pair is worth by itself; None where it cannot be one."""
        one, other = self.a.nodes[u], self.b.nodes[v]
        worth = _likeness(one, other, self.a.canonical, self.b.canonical)
        if worth is None or not self._may_correspond(u, v):
            return None
        name = self.names[0].get(u)
        alike = name is not None and name == self.names[1].get(v)
        same_role = self.a.role.get(u) is not None and self.a.role.get(u) == self.b.role.get(v)
        return worth + SAME_ROLE * same_role + NAME * alike

    def _may_correspond(self, u: int, v: int) -> bool:
        """Whether roles allow the pair: gates of one kind (or both coupled), and no gate with what is none."""
        roles = self.a.scope_role(u), self.b.scope_role(v)
        coupled = self.a.scope.get(u) in self.a.coupled and self.b.scope.get(v) in self.b.coupled
        if None not in roles:
            return roles[0] == roles[1] or coupled
        alone = u if u in self.a.role else None, v if v in self.b.role else None
        if alone == (None, None):
            return True
        return self.a.is_gatelike(u) == self.b.is_gatelike(v)

    def run(self) -> Matching:
        pairs = self._start()
        if max(len(self.a.nodes), len(self.b.nodes)) <= MOST_REFINED:
            pairs = self._improve(pairs)
        worthless = [u for u, v in sorted(pairs.items()) if self._local(pairs, {u}) <= 0.0 and u > 0]
        for u in worthless:
            del pairs[u]
        return Matching(self.a, self.b, pairs)

    def _start(self) -> dict[int, int]:
        """Return a matching of the pairs that are most alike with their surroundings, best first."""
        similar = dict(self.worth)
        for _ in range(ROUNDS):
            raised = {}
            for (u, v), own in self.worth.items():
                support = sum(
                    max(
                        (similar.get((x, y), 0.0) for y, other in self.near_b[v] if other == kind),
                        default=0.0,
                    )
                    for x, kind in self.near_a[u]
                )
                most = max(len(self.near_a[u]), len(self.near_b[v]), 1)
                raised[u, v] = own + support / most
            top = max(raised.values(), default=1.0) or 1.0
            similar = {pair: value / top for pair, value in raised.items()}
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        for u, v in sorted(similar, key=lambda pair: (-round(similar[pair], 9), pair)):
            if u not in pairs and v not in taken:
                pairs[u] = v
                taken.add(v)
        return pairs

    def _improve(self, pairs: dict[int, int]) -> dict[int, int]:
        """Move and exchange partners while the whole gains by it."""
        holder = {v: u for u, v in pairs.items()}
        gained = True
        while gained:
            gained = False
            for u in range(len(self.a.nodes)):
                for v in [*self.partners[u], None]:
                    if pairs.get(u) == v:
                        continue
                    changed = self._moved(pairs, holder, u, v)
                    touched = {u} | ({holder[v]} if v in holder else set())
                    if self._local(changed, touched) > self._local(pairs, touched) + 1e-9:
                        pairs, gained = changed, True
                        holder = {b: a for a, b in pairs.items()}
        return pairs

    def _moved(self, pairs: dict[int, int], holder: dict[int, int], u: int, v: int | None) -> dict[int, int]:
        """Return ``pairs`` with u at v; who was there takes u's old partner, if that is possible."""
        changed = dict(pairs)
        old = changed.pop(u, None)
        if v is not None:
            other = holder.get(v)
            if other is not None:
                del changed[other]
                if old is not None and (other, old) in self.worth:
                    changed[other] = old
            changed[u] = v
        return changed

    def _local(self, pairs: dict[int, int], nodes: set[int]) -> float:
        """Return what the pairs of ``nodes`` are worth, with all connections that touch them, each once."""
        total = sum(self.worth[u, pairs[u]] for u in nodes if u in pairs)
        edges = {
            (x, y, role) if outward else (y, x, role) for x in nodes for y, (role, outward) in self.near_a[x]
        }
        counts: Counter[tuple[int, int, int]] = Counter()
        for x, y, role in edges:
            if x in pairs and y in pairs:
                counts[pairs[x], pairs[y], role] += self.edges_a[x, y, role]
                shared = min(self.edges_a[x, y, role], self.edges_b.get((pairs[x], pairs[y], role), 0))
                total += shared * (CARRY if role == _NEXT else EDGE)
        return total


_NEXT = -7
"""The connection of a state to its next value, beside the roles of arguments."""

Edges = Counter[tuple[int, int, int]]


def _edges(canonical: Canonical) -> Edges:
    """Return (reader, what it reads, the argument's role), and (state, its next value, _NEXT)."""
    edges: Edges = Counter()
    for index, node in enumerate(canonical.nodes):
        for role, i in zip(argument_roles(node), node.inputs, strict=True):
            edges[index, i, role] += 1
    for number, index in enumerate(canonical.outputs, start=1):
        edges[number, index, _NEXT] += 1
    return edges


def _touching(parts: Parts, edges: Edges) -> list[list[tuple[int, tuple[int, bool]]]]:
    """Return for each node its neighbours, with the role of the connection and whether it leads outward."""
    near: list[list[tuple[int, tuple[int, bool]]]] = [[] for _ in parts.nodes]
    for x, y, role in edges:
        near[x].append((y, (role, True)))
        near[y].append((x, (role, False)))
    return near


def _names(cell: Cell) -> dict[int, str]:
    """Return the names of canonical nodes, where they have one."""
    canonical = cell.canonical()
    named = {}
    for index, original in enumerate(canonical.original):
        name = None if original is None else cell.nodes[original].name
        if name is not None:
            named[index] = name
    return named


def _likeness(one: Node, other: Node, a: Canonical, b: Canonical) -> float | None:
    """Return what a pair of such nodes is worth without their surroundings; None where it cannot be one."""
    if type(one) is not type(other):
        return None
    match one, other:
        case Input(), Input():
            return 2.0
        case State(path=p), State(path=q):
            if (p == 0) != (q == 0):
                return None
            first, second = a.states[p], b.states[q]
            return (
                0.5 - 0.1 * (first.init != second.init) - 0.2 * (first.size != second.size) + 2.0 * (p == 0)
            )
        case Constant(value=left), Constant(value=right):
            return 0.5 if left == right else 0.0
        case (Scalar(init=left), Scalar(init=right)) | (LearnedVector(init=left), LearnedVector(init=right)):
            return 0.5 if left == right else 0.4
        case Linear(), Linear():
            return 0.5 - 0.1 * (one.bias != other.bias) - 0.1 * (one.heads != other.heads)
        case LayerNorm(), LayerNorm():
            return 0.5 - 0.1 * (len(one.among) != len(other.among))
        case Apply(), Apply():
            if len(one.arguments) != len(other.arguments):
                return None
            return 0.5 if one.operation == other.operation else -0.2
    return 0.5
