"""Canonical labelling of a cell's graph: the same ranking of its nodes for all ways of writing it.

Colours are refined until stable (1-dimensional Weisfeiler-Leman). What stays tied is told apart by trying
each member and keeping the smallest encoding, pruned by the automorphisms met on the way (McKay & Piperno
2014, "Practical graph isomorphism, II").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from nas_rnn.cells.graph import Node, argument_roles
from nas_rnn.errors import UserError

MAX_WORK = 3_000_000
"""How many neighbourhoods are looked at before a cell counts as too symmetrical (some 10 s)."""

Permutation = list[int]
Item = TypeVar("Item")


class Labelling:
    """Finds the ranking of the nodes whose encoding is smallest, in `rank`, and what generates its
    automorphisms.

    ``labels`` say what each node is; nodes of one label may be told apart only by what they read and who
    reads them. Raises `UserError` for a cell that is too symmetrical.
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
        self.rank: list[int] = []
        self.automorphisms: list[Permutation] = []
        self.leaves = 0
        self.work = 0
        self._best: tuple[object, ...] = ()
        self._best_path: list[int] = []
        self._search()

    def _refine(self, colours: list[int]) -> list[int]:
        """Split colours by the colours of what each node reads and is read by, until nothing splits."""
        count = len(set(colours))
        while True:
            self.work += len(colours)
            if self.work > MAX_WORK:
                raise UserError(
                    "the cell is too symmetrical to be identified: too many of its equations are alike"
                )
            colours = dense([(colours[i], self._neighbourhood(i, colours)) for i in range(len(colours))])
            if max(colours) + 1 == count:
                return colours
            count = max(colours) + 1

    def _neighbourhood(self, index: int, colours: list[int]) -> tuple[object, ...]:
        inputs = in_order(self.roles[index], [colours[i] for i in self.inputs[index]])
        users = sorted((colours[user], role) for user, role in self.users[index])
        following = colours[self.next_of[index]] if index in self.next_of else -1
        return (
            tuple(inputs),
            tuple(users),
            following,
            tuple(sorted(colours[s] for s in self.carried[index])),
        )

    def _search(self) -> None:
        """Walk the tree of individualised nodes depth-first; ``path`` holds those of the open branch."""
        colours = self._refine(self._start())
        path: list[int] = []
        open_branches = [_Branch(colours)]
        while open_branches:
            branch = open_branches[-1]
            depth = len(open_branches) - 1
            del path[depth:]
            if not branch.tied:
                self._leaf(branch.colours, path, open_branches)
                continue
            member = self._next_member(branch, path)
            if member is None:
                open_branches.pop()
                continue
            branch.tried.append(member)
            path.append(member)
            split = [2 * colour + (index != member) for index, colour in enumerate(branch.colours)]
            open_branches.append(_Branch(self._refine(dense(split))))

    def _start(self) -> list[int]:
        """Return colours by label and by the formula below, so that long chains refine at once."""
        formulas: list[str] = []
        for label, inputs, roles in zip(self.labels, self.inputs, self.roles, strict=True):
            formula = repr((label, in_order(roles, [formulas[i] for i in inputs])))
            formulas.append(hashlib.sha256(formula.encode()).hexdigest())
        return dense(list(zip(self.labels, formulas, strict=True)))

    def _next_member(self, branch: _Branch, path: list[int]) -> int | None:
        """Return a tied node that no automorphism known so far carries to one already tried."""
        fixing = [g for g in self.automorphisms if all(g[i] == i for i in path)]
        covered = set(orbit(branch.tried, fixing))
        return next((member for member in branch.tied if member not in covered), None)

    def _leaf(self, rank: list[int], path: list[int], open_branches: list[_Branch]) -> None:
        """Compare a full ranking with the best; if they encode alike, go back to where their paths part."""
        self.leaves += 1
        order = sorted(range(len(rank)), key=rank.__getitem__)
        encoding = tuple((self.labels[i], self._neighbourhood(i, rank)) for i in order)
        open_branches.pop()
        if not self.rank or encoding < self._best:
            self._best, self.rank, self._best_path = encoding, rank, list(path)
        elif encoding == self._best:
            inverse = sorted(range(len(rank)), key=self.rank.__getitem__)
            forward = [inverse[place] for place in rank]
            backward = sorted(range(len(rank)), key=forward.__getitem__)
            self.automorphisms += [forward, backward]
            shared = next(i for i, (a, b) in enumerate(zip(path, self._best_path, strict=True)) if a != b)
            del open_branches[shared + 1 :]


class _Branch:
    """A stable colouring, the smallest of its tied classes, and which members of that have been tried."""

    def __init__(self, colours: list[int]) -> None:
        self.colours = colours
        classes: dict[int, list[int]] = {}
        for index, colour in enumerate(colours):
            classes.setdefault(colour, []).append(index)
        ties = [members for _, members in sorted(classes.items()) if len(members) > 1]
        self.tied = min(ties, key=len, default=[])
        self.tried: list[int] = []


def in_order(roles: Sequence[int], items: Sequence[Item]) -> list[Item]:
    """Return ``items`` by role, those of one role in ascending order."""
    return [item for _, item in sorted(zip(roles, items, strict=True))]


def orbit(starts: Sequence[int], generators: Sequence[Permutation]) -> list[int]:
    """Return ``starts`` and everything that ``generators`` carry them to."""
    found = dict.fromkeys(starts)
    stack = list(starts)
    while stack:
        here = stack.pop()
        for image in (g[here] for g in generators):
            if image not in found:
                found[image] = None
                stack.append(image)
    return list(found)


def dense(keys: Sequence[object]) -> list[int]:
    """Return each key's place among the distinct keys in ascending order."""
    places = {key: place for place, key in enumerate(sorted(set(keys)))}  # type: ignore[type-var]
    return [places[key] for key in keys]
