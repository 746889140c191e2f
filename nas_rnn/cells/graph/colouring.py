"""Colours of a cell's nodes, refined until nodes of one colour look alike (1-dimensional Weisfeiler-Leman).

A node's colour is the number of nodes with smaller colours, so that splitting one class leaves the colours of all
others as they are, and only neighbours of what was split off need another look (McKay 1981, "Practical graph
isomorphism"; Hopcroft's rule: the largest part of a class needs none).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from nas_rnn.cells.graph.nodes import Node, argument_roles
from nas_rnn.errors import UserError

MAX_WORK = 3_000_000
"""How many neighbourhoods are looked at before a cell counts as too symmetrical (some 20 s)."""

Item = TypeVar("Item")
Neighbourhood = tuple[object, ...]
NO_CELLS: Mapping[int, Sequence[int]] = {}


@dataclass(frozen=True)
class Colouring:
    """``colours`` of all nodes, and ``cells``: the members of each colour that several nodes have.

    Two such nodes cannot be told apart by the colours of what they read and what reads them.
    """

    colours: list[int]
    cells: dict[int, list[int]]

    @property
    def smallest(self) -> int | None:
        """The colour of the smallest cell, of several the first; None where all nodes differ."""
        return min(self.cells, key=lambda colour: (len(self.cells[colour]), colour), default=None)


class Surroundings:
    """A cell's graph as refinement sees it: nodes by their ``labels``, and what each reads and is read by.

    ``work`` counts the neighbourhoods looked at. Raises `UserError` once they are more than `MAX_WORK`.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int], labels: Sequence[object]) -> None:
        self.labels = [repr(label) for label in labels]
        self.inputs = [node.inputs for node in nodes]
        self.roles = [argument_roles(node) for node in nodes]
        self.users: list[list[tuple[int, int]]] = [[] for _ in nodes]
        for index, inputs in enumerate(self.inputs):
            for role, i in zip(self.roles[index], inputs, strict=True):
                self.users[i].append((index, role))
        self.next_of = {number + 1: index for number, index in enumerate(outputs)}
        self.carried: list[list[int]] = [[] for _ in nodes]
        for state, index in self.next_of.items():
            self.carried[index].append(state)
        self.near = [
            sorted(
                {*self.inputs[i], *(user for user, _ in self.users[i]), *self.carried[i]}
                | ({self.next_of[i]} if i in self.next_of else set())
            )
            for i in range(len(nodes))
        ]
        self.work = 0

    def neighbourhood(
        self, index: int, colours: Sequence[int], open_cells: Mapping[int, Sequence[int]] = NO_CELLS
    ) -> Neighbourhood:
        """Return the colours of what the node reads and is read by, in an order that depends on nothing else.

        With ``open_cells``, it is what a node that has no equal will have once all nodes of these are told apart: such
        a node is connected with all nodes of a cell alike.
        """
        read = [(colours[i], role) for i, role in zip(self.inputs[index], self.roles[index], strict=True)]
        users = [(colours[user], role) for user, role in self.users[index]]
        carried = [(colours[s], 0) for s in self.carried[index]]
        if open_cells:
            read, users, carried = (_spread(each, open_cells) for each in (read, users, carried))
        following = colours[self.next_of[index]] if index in self.next_of else -1
        return (
            tuple(colour for _, colour in sorted((role, colour) for colour, role in read)),
            tuple(sorted(users)),
            following,
            tuple(sorted(colour for colour, _ in carried)),
        )

    def start(self) -> Colouring:
        """Return the refined colours by label and by the formula below, so that long chains refine at once."""
        formulas: list[str] = []
        for label, inputs, roles in zip(self.labels, self.inputs, self.roles, strict=True):
            formula = repr((label, in_order(roles, [formulas[i] for i in inputs])))
            formulas.append(hashlib.sha256(formula.encode()).hexdigest())
        whole = list(range(len(self.labels)))
        colouring = Colouring([0] * len(whole), {0: whole})
        self._split(colouring, {0: dict(zip(whole, zip(self.labels, formulas, strict=True), strict=True))})
        first = {
            colour: {i: self.neighbourhood(i, colouring.colours) for i in members}
            for colour, members in colouring.cells.items()
        }
        self.count(len(whole))
        self._spread_from(colouring, self._split(colouring, first))
        return colouring

    def individualised(self, colouring: Colouring, member: int) -> Colouring:
        """Return ``colouring`` with ``member`` before all others of its colour, refined."""
        found = Colouring(list(colouring.colours), dict(colouring.cells))
        colour = colouring.colours[member]
        self.count(1 + len(found.colours) // 16)
        self._split(found, {colour: {i: i != member for i in colouring.cells[colour]}})
        self._spread_from(found, [member])
        return found

    def count(self, looked_at: int) -> None:
        """Add to the work; raise `UserError` where it is too much."""
        self.work += looked_at
        if self.work > MAX_WORK:
            raise UserError(
                f"the cell is too symmetrical to be identified: many of its {len(self.inputs):,} values are alike, "
                f"and telling them apart takes more than {MAX_WORK:,} looks at one of them; "
                "use fewer equations that differ only in which of several like values they read"
            )

    def _spread_from(self, colouring: Colouring, changed: list[int]) -> None:
        """Split classes by what changed in the colours of their neighbours, until nothing splits."""
        colours, cells = colouring.colours, colouring.cells
        while changed:
            touched: dict[int, set[int]] = {}
            for index in changed:
                for other in self.near[index]:
                    if colours[other] in cells:
                        touched.setdefault(colours[other], set()).add(other)
            keys: dict[int, dict[int, object]] = {}
            for colour, nodes in touched.items():
                members = cells[colour]
                keys[colour] = {i: self.neighbourhood(i, colours) for i in nodes}
                if len(nodes) < len(members):  # all that were not touched look alike
                    untouched = [i for i in members if i not in nodes]
                    keys[colour] |= dict.fromkeys(untouched, self.neighbourhood(untouched[0], colours))
                self.count(1 + len(nodes) + len(members) // 8)
            changed = self._split(colouring, keys)

    def _split(self, colouring: Colouring, keys: Mapping[int, Mapping[int, object]]) -> list[int]:
        """Split cells by the given keys of their members; return the nodes of all parts but each largest."""
        changed: list[int] = []
        for colour, key_of in keys.items():
            parts: dict[Any, list[int]] = {}
            for i in colouring.cells[colour]:
                parts.setdefault(key_of[i], []).append(i)
            if len(parts) == 1:
                continue
            del colouring.cells[colour]
            largest = max(parts.values(), key=len)
            for key in sorted(parts):
                part = parts[key]
                for i in part:
                    colouring.colours[i] = colour
                if len(part) > 1:
                    colouring.cells[colour] = part
                if part is not largest:
                    changed += part
                colour += len(part)
        return changed


def _spread(
    entries: Sequence[tuple[int, int]], open_cells: Mapping[int, Sequence[int]]
) -> list[tuple[int, int]]:
    """Replace the colour of each open cell by those that its members will have, each as often."""
    found: list[tuple[int, int]] = []
    for (colour, role), count in Counter(entries).items():
        size = len(open_cells.get(colour, (colour,)))
        found += [(colour + k, role) for k in range(size) for _ in range(count // size)]
    return found


def in_order(roles: Sequence[int], items: Sequence[Item]) -> list[Item]:
    """Return ``items`` by role, those of one role in ascending order."""
    return [item for _, item in sorted(zip(roles, items, strict=True))]
