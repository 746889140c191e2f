"""Canonical labelling of a cell's graph: the same ranking of its nodes for all ways of writing it.

Colours are refined until stable. What stays tied is told apart by trying each member and keeping the smallest encoding,
pruned by the automorphisms met on the way, and by the part of the encoding that is fixed already (McKay & Piperno
2014, "Practical graph isomorphism, II"). Where two members lead to colourings that differ in a few places, the
automorphism is read off these at once (Darga, Sakallah & Markov 2008, "Faster symmetry discovery using sparsity of
symmetries"): equal state paths or equations, however many, cost one try each.

Parts that refinement cannot tell apart and that are nevertheless not alike, such as rings of states, each of another
length, would be tried in every order. Once a later member is found to be better than an earlier one, those are tried
first whose like comes first on the best path, so that most of the others are pruned at once: some fifteen rings of
different lengths are told apart. What stays exponential are such parts where nodes that remain tied hide how they
differ, such as rings beside a larger number of equal gates. How much is looked at is limited (`MAX_WORK`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas_rnn.cells.graph.colouring import Colouring, Surroundings
from nas_rnn.cells.graph.nodes import Node
from nas_rnn.cells.graph.symmetry import Orbits, Permutation, symmetry


class Labelling:
    """Finds the ranking of the nodes whose encoding is smallest, in `rank`, and what generates its
    automorphisms.

    ``labels`` say what each node is; nodes of one label may be told apart only by what they read and who
    reads them. Raises `UserError` for a cell that is too symmetrical.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int], labels: Sequence[object]) -> None:
        self.around = Surroundings(nodes, outputs, labels)
        self.start = self.around.start()
        self.rank: list[int] = []
        self.automorphisms: list[Permutation] = []
        self.leaves = 0
        self._best: list[Any] = []
        self._best_path: list[int] = []
        self._path: list[int] = []
        self._branches: list[_Branch] = []
        self._as_in_best: dict[int, int] = {}
        self._kinds: dict[tuple[Any, ...], int] = {}
        self._kind_of: dict[int, int] = {}
        self._search()

    @property
    def work(self) -> int:
        """How many neighbourhoods were looked at."""
        return self.around.work

    def _search(self) -> None:
        """Walk the tree of individualised nodes depth-first; the path holds those of the open branch."""
        path, branches = self._path, self._branches
        self._open(self.start)
        while branches:
            branch = branches[-1]
            del path[len(branches) - 1 :]
            if branch.colour is None:
                self._leaf(branch.colouring.colours)
                continue
            member = branch.next_member()
            if member is None:
                branches.pop()
                continue
            branch.tried.append(member)
            child = self.around.individualised(branch.colouring, member)
            found = next(
                (g for _, other in branch.children if (g := symmetry(self.around, other, child))), None
            )
            branch.children.append((member, child))
            if found:
                branch.children.pop()
                self._found(found)
            elif not self._is_worse(child):
                path.append(member)
                self._open(child)

    def _open(self, colouring: Colouring) -> None:
        self._branches.append(_Branch(colouring))
        if self._as_in_best:
            self._branches[-1].members.sort(key=self._guess)

    def _sort_as_in_best(self) -> None:
        """From now on try members first whose like comes first on the best path.

        Else each part that is found to make a better beginning would have the order of the others searched anew.
        """
        self._as_in_best = {}
        for member in self._best_path:
            self._as_in_best.setdefault(self._kind(member), len(self._as_in_best))
        for branch in self._branches:
            branch.members.sort(key=self._guess)

    def _guess(self, member: int) -> tuple[int, int]:
        kind = self._kind(member)
        return self._as_in_best.get(kind, len(self._as_in_best)), kind

    def _kind(self, member: int) -> int:
        """Return a number that nodes have in common which tell the same apart at the start."""
        if member not in self._kind_of:
            child = self.around.individualised(self.start, member)
            told_apart = sorted(
                (colour, i)
                for i, colour in enumerate(child.colours)
                if colour not in child.cells and self.start.colours[i] in self.start.cells
            )
            found = tuple((place, self._encoded(i, child)) for place, i in told_apart)
            self._kind_of[member] = self._kinds.setdefault(found, len(self._kinds))
        return self._kind_of[member]

    def _settled(self, colouring: Colouring) -> list[Any]:
        """Return the beginning of the encoding that all rankings with these colours have."""
        end = min(colouring.cells, default=len(colouring.colours))
        at = {colour: i for i, colour in enumerate(colouring.colours) if colour < end}
        return [self._encoded(at[place], colouring) for place in range(end)]

    def _encoded(self, index: int, colouring: Colouring) -> Any:
        around = self.around
        around.count(1)
        return around.labels[index], around.neighbourhood(index, colouring.colours, colouring.cells)

    def _is_worse(self, colouring: Colouring) -> bool:
        """Whether all rankings with these colours have a larger encoding than the best."""
        if not self.rank:
            return False
        end = min(colouring.cells, default=len(colouring.colours))
        at = {colour: i for i, colour in enumerate(colouring.colours) if colour < end}
        for place in range(end):
            here = self._encoded(at[place], colouring)
            if here != self._best[place]:
                return bool(here > self._best[place])
        return False

    def _leaf(self, rank: list[int]) -> None:
        """Compare a full ranking with the best; if they encode alike, go back to where their paths part."""
        self.leaves += 1
        self._branches.pop()
        encoding = self._settled(Colouring(rank, {}))
        if not self.rank or encoding < self._best:
            improves = bool(self.rank)
            self._best, self.rank, self._best_path = encoding, rank, list(self._path)
            if improves:
                self._sort_as_in_best()
        elif encoding == self._best:
            inverse = sorted(range(len(rank)), key=self.rank.__getitem__)
            self._found({i: j for i, place in enumerate(rank) if (j := inverse[place]) != i})
            pairs = zip(self._path, self._best_path, strict=True)
            shared = next(i for i, (a, b) in enumerate(pairs) if a != b)
            del self._branches[shared + 1 :]

    def _found(self, automorphism: Permutation) -> None:
        """Record an automorphism: it joins nodes in all open branches whose path it leaves as it is."""
        self.automorphisms.append(automorphism)
        for depth, branch in enumerate(self._branches):
            if depth and self._path[depth - 1] in automorphism:
                break
            branch.orbits.join(automorphism)


class _Branch:
    """A stable colouring, the smallest of its tied classes, and which members of that have been tried."""

    def __init__(self, colouring: Colouring) -> None:
        self.colouring = colouring
        self.colour = colouring.smallest
        self.members = [] if self.colour is None else list(colouring.cells[self.colour])
        self.tried: list[int] = []
        self.children: list[tuple[int, Colouring]] = []
        self.orbits = Orbits()

    def next_member(self) -> int | None:
        """Return a tied node that no automorphism known so far carries to one already tried."""
        covered = {self.orbits.of(member) for member in self.tried}
        return next((member for member in self.members if self.orbits.of(member) not in covered), None)
