"""Automorphisms of a cell's graph, and the ranking among equal ones that has the earliest states first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nas_rnn.cells.graph.colouring import Colouring, Surroundings, in_order

Permutation = dict[int, int]
"""Where each node goes; nodes that stay are left out."""


class Orbits:
    """Nodes joined by automorphisms (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def of(self, node: int) -> int:
        """Return the node that stands for the orbit of ``node``."""
        while (parent := self._parent.get(node, node)) != node:
            self._parent[node] = self._parent.get(parent, parent)
            node = self._parent[node]
        return node

    def join(self, automorphism: Permutation) -> None:
        """Join each node with its image."""
        for one, other in automorphism.items():
            if (a := self.of(one)) != (b := self.of(other)):
                self._parent[max(a, b)] = min(a, b)


def symmetry(around: Surroundings, one: Colouring, other: Colouring) -> Permutation | None:
    """Return an automorphism that carries ``one`` to ``other``, if it can be read off, else None.

    Nodes without an equal go where their colour is; what else changes its class changes places with one of them.
    """
    if one.cells.keys() != other.cells.keys():
        return None
    place = {colour: i for i, colour in enumerate(other.colours)}
    moved = {
        i: place[colour]
        for i, colour in enumerate(one.colours)
        if other.colours[i] != colour and colour not in one.cells
    }
    came_from = {image: i for i, image in moved.items()}
    for colour, members in one.cells.items():
        if members is not other.cells[colour]:
            if len(members) != len(other.cells[colour]):
                return None
            for i in members:
                if other.colours[i] != colour:
                    image = came_from.get(i)
                    if image is None or other.colours[image] != colour:
                        return None
                    moved[i] = image
    return moved if moved and is_automorphism(around, moved) else None


def is_automorphism(around: Surroundings, moved: Permutation) -> bool:
    """Whether the graph stays the same when these nodes go where ``moved`` says, and all others stay."""
    if moved.keys() != set(moved.values()):
        return False
    affected = {*moved, *(user for i in moved for user, _ in around.users[i])}
    for i in affected:
        image = moved.get(i, i)
        images = in_order(around.roles[i], [moved.get(j, j) for j in around.inputs[i]])
        if around.labels[i] != around.labels[image]:
            return False
        if images != in_order(around.roles[image], around.inputs[image]):
            return False
    states = {*(i for i in moved if i in around.next_of), *(s for i in moved for s in around.carried[i])}
    return all(
        around.next_of.get(moved.get(s, s)) == moved.get(around.next_of[s], around.next_of[s]) for s in states
    )


def earliest_first(
    around: Surroundings, start: Colouring, rank: list[int], states: Sequence[int]
) -> list[int]:
    """Return ``rank`` after the automorphism that gives the first of ``states`` the earliest place, then the next.

    All automorphisms are generated, for a chain of stabilisers (Sims 1970): those that leave the first states as they
    are, by some that move the next one to each place it can go to.
    """
    levels: list[tuple[int, Colouring]] = []
    colouring = start
    for state in states:
        if colouring.colours[state] in colouring.cells:
            levels.append((state, colouring))
            colouring = around.individualised(colouring, state)
    chain = list(_stabilisers(around, levels, colouring))
    generators: dict[int, list[Permutation]] = {}
    for found in chain:
        for g in found:
            for i in g:
                generators.setdefault(i, []).append(g)
    for (state, _), found in zip(levels, reversed(chain), strict=True):
        for g in _way_to_earliest(state, generators, rank):
            rank = [rank[g.get(i, i)] for i in range(len(rank))]
        for g in reversed(found):  # those for the next state leave this one as it is
            for i in g:
                generators[i].pop()
    return rank


def _stabilisers(
    around: Surroundings, levels: Sequence[tuple[int, Colouring]], last: Colouring
) -> Iterator[list[Permutation]]:
    """Yield for each level, from the last, automorphisms that leave the states of those before as they are."""
    orbits, below = Orbits(), last
    for state, colouring in reversed(levels):
        found: list[Permutation] = []
        others = [state]
        for other in colouring.cells[colouring.colours[state]]:
            if orbits.of(other) in {orbits.of(i) for i in others}:
                continue
            g = _isomorphism(around, below, around.individualised(colouring, other))
            if g is None:
                others.append(other)
            else:
                found.append(g)
                orbits.join(g)
        yield found
        below = colouring


def _isomorphism(around: Surroundings, one: Colouring, other: Colouring) -> Permutation | None:
    """Return an automorphism that carries ``one`` to ``other``; None where there is none."""
    waiting = [iter([(one, other)])]
    while waiting:
        pair = next(waiting[-1], None)
        if pair is None:
            waiting.pop()
            continue
        found = symmetry(around, *pair)
        if found is not None:
            return found
        if _are_alike(*pair) and pair[0].cells:
            waiting.append(_told_apart(around, *pair))
    return None


def _told_apart(
    around: Surroundings, one: Colouring, other: Colouring
) -> Iterator[tuple[Colouring, Colouring]]:
    """Yield both colourings with a node of the same cell told apart, the same node in ``one`` each time."""
    colour = one.smallest
    assert colour is not None
    mine = around.individualised(one, one.cells[colour][0])
    for i in other.cells[colour]:
        yield mine, around.individualised(other, i)


def _are_alike(one: Colouring, other: Colouring) -> bool:
    sizes = [{colour: len(members) for colour, members in each.cells.items()} for each in (one, other)]
    return sizes[0] == sizes[1]


def _way_to_earliest(
    state: int, generators: Mapping[int, Sequence[Permutation]], rank: Sequence[int]
) -> Iterator[Permutation]:
    """Yield, the last one first, automorphisms that carry ``state`` to the earliest place they can."""
    came: dict[int, tuple[int, Permutation]] = {}
    stack, seen = [state], {state}
    while stack:
        here = stack.pop()
        for g in generators.get(here, ()):
            if g[here] not in seen:
                seen.add(g[here])
                came[g[here]] = here, g
                stack.append(g[here])
    here = min(seen, key=rank.__getitem__)
    while here != state:
        here, g = came[here]
        yield g
