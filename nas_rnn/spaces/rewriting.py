"""Small changes to the graph of a cell, by which a search walks from one cell to any other.

After Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network Architectures", section 3.1,
whose mutations replace activations and elementwise operations, insert and remove nodes, and let a node read another
one. Here matrices and state paths come and go as well. Each change draws what it needs and may give None, or a cell
that breaks a rule of the language: `rewritten` drops these, and who calls it tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_rnn.cells import Cell, CellError, StatePath
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import Apply, Constant, Linear, Node, State

ACTIVATIONS = ("tanh", "sigmoid", "relu", "leaky_relu", "softplus")
COMBINATIONS = ("add", "sub", "mul")
BIASES = (-1.0, 0.0, 1.0)
"""At what the bias of a `linear` may start: gates that begin open or shut are other cells (section 4 of the paper)."""

Edge = tuple[int, int]
"""A node and the place of one of its arguments; in the place of a node -1: the next value of that state path."""


@dataclass
class Draft:
    """A cell that is being changed: nodes by key, in any order, and the keys of the paths' next values."""

    nodes: dict[int, Node]
    states: list[StatePath]
    outputs: list[int]
    rng: np.random.Generator

    @classmethod
    def of(cls, cell: Cell, rng: np.random.Generator) -> Draft:
        return cls(dict(enumerate(cell.nodes)), list(cell.states), list(cell.outputs), rng)

    def add(self, node: Node) -> int:
        """Put a node in; return its key."""
        key = max(self.nodes) + 1
        self.nodes[key] = node
        return key

    def some(self, options: Sequence[int]) -> int:
        return options[int(self.rng.integers(len(options)))]

    def word(self, options: Sequence[str], but: str = "") -> str:
        """Return any of ``options`` but one."""
        others = [option for option in options if option != but]
        return others[int(self.rng.integers(len(others)))]

    def leaves(self) -> list[int]:
        """Return the input and the previous values of all paths."""
        return list(range(len(self.states) + 1))

    def inner(self, *kinds: type[Node]) -> list[int]:
        """Return the nodes that compute something, of these kinds (none: of any)."""
        return [
            key
            for key, node in self.nodes.items()
            if key not in self.leaves() and not isinstance(node, Constant) and isinstance(node, kinds or Node)
        ]

    def edges(self) -> list[Edge]:
        """Return all places that read a value."""
        read = [(key, place) for key, node in self.nodes.items() for place in range(len(node.inputs))]
        return [*read, *((-1, number) for number in range(len(self.outputs)))]

    def source(self, edge: Edge) -> int:
        """Return what an edge reads."""
        key, place = edge
        return self.outputs[place] if key == -1 else self.nodes[key].inputs[place]

    def redirect(self, edge: Edge, source: int) -> None:
        """Let an edge read another value."""
        key, place = edge
        if key == -1:
            self.outputs[place] = source
            return
        inputs = list(self.nodes[key].inputs)
        inputs[place] = source
        self.nodes[key] = self.nodes[key].with_inputs(inputs)

    def any_edge(self) -> Edge:
        found = self.edges()
        return found[int(self.rng.integers(len(found)))]

    def depends(self, key: int, on: int) -> bool:
        """Return whether a value is computed from another within one step; of itself it is."""
        return on in set(self.reached([key]))

    def reached(self, roots: Sequence[int]) -> Iterator[int]:
        """Yield the values that ``roots`` are computed from within one step, themselves included."""
        seen, stack = set[int](), list(roots)
        while stack:
            key = stack.pop()
            if key not in seen:
                seen.add(key)
                yield key
                stack.extend(self.nodes[key].inputs)

    def read_instead(self, old: int, new: int) -> None:
        """Let all that reads ``old``, but ``new`` itself, read ``new``."""
        for edge in self.edges():
            if edge[0] != new and self.source(edge) == old:
                self.redirect(edge, new)


Change = Callable[[Draft], None]


def swap_activation(draft: Draft) -> None:
    """Make an activation another one."""
    found = [key for key in draft.inner(Apply) if _operation(draft, key) in ACTIVATIONS]
    if found:
        key = draft.some(found)
        _set_operation(draft, key, draft.word(ACTIVATIONS, but=_operation(draft, key)))


def swap_combination(draft: Draft) -> None:
    """Make a sum, difference or product another of these."""
    found = [key for key in draft.inner(Apply) if _operation(draft, key) in COMBINATIONS]
    if found:
        key = draft.some(found)
        _set_operation(draft, key, draft.word(COMBINATIONS, but=_operation(draft, key)))


def swap_bias(draft: Draft) -> None:
    """Let the bias of a `linear` start elsewhere."""
    found = [key for key in draft.inner(Linear) if _linear(draft, key).bias is not None]
    if found:
        key = draft.some(found)
        old = _linear(draft, key)
        others = [bias for bias in BIASES if bias != old.bias]
        draft.nodes[key] = replace(old, bias=others[int(draft.rng.integers(len(others)))])


def redirect(draft: Draft) -> None:
    """Let an edge read another value that does not depend on its reader."""
    edge = draft.any_edge()
    values = [*draft.leaves(), *draft.inner()]
    others = [key for key in values if edge[0] == -1 or not draft.depends(key, edge[0])]
    draft.redirect(edge, draft.some(others))


def insert_activation(draft: Draft) -> None:
    """Put an activation on an edge."""
    edge = draft.any_edge()
    new = Apply(operation=draft.word(ACTIVATIONS), arguments=(draft.source(edge),))
    draft.redirect(edge, draft.add(new))


def insert_combination(draft: Draft) -> None:
    """Combine what an edge reads with another value, which does not depend on its reader."""
    edge = draft.any_edge()
    values = [*draft.leaves(), *draft.inner()]
    others = [key for key in values if edge[0] == -1 or not draft.depends(key, edge[0])]
    _combine(draft, edge, draft.some(others))


def insert_linear(draft: Draft) -> None:
    """Combine what an edge reads with an activation of a new learned sum of one or two leaves."""
    leaves = draft.rng.permutation(draft.leaves())[: int(draft.rng.integers(1, 3))]
    learned = draft.add(Linear(arguments=tuple(sorted(map(int, leaves)))))
    new = draft.add(Apply(operation=draft.word(ACTIVATIONS), arguments=(learned,)))
    _combine(draft, draft.any_edge(), new)


def _combine(draft: Draft, edge: Edge, other: int) -> None:
    arguments = (draft.source(edge), other)
    draft.redirect(edge, draft.add(Apply(operation=draft.word(COMBINATIONS), arguments=arguments)))


def widen(draft: Draft) -> None:
    """Let a `linear` read one value more, which does not depend on it."""
    found = draft.inner(Linear)
    if found:
        key = draft.some(found)
        old = _linear(draft, key)
        values = [*draft.leaves(), *draft.inner()]
        others = [value for value in values if value not in old.arguments and not draft.depends(value, key)]
        if others:
            draft.nodes[key] = old.with_inputs([*old.arguments, draft.some(others)])


def narrow(draft: Draft) -> None:
    """Let a `linear` read one value less."""
    found = [key for key in draft.inner(Linear) if len(_linear(draft, key).arguments) > 1]
    if found:
        key = draft.some(found)
        arguments = list(_linear(draft, key).arguments)
        del arguments[int(draft.rng.integers(len(arguments)))]
        draft.nodes[key] = draft.nodes[key].with_inputs(arguments)


def remove(draft: Draft) -> None:
    """Take a node out: what read it reads one of its inputs instead."""
    found = [key for key in draft.inner() if draft.nodes[key].inputs]
    if found:
        key = draft.some(found)
        kept = draft.some(draft.nodes[key].inputs)
        for edge in draft.edges():
            if draft.source(edge) == key:
                draft.redirect(edge, kept)


def add_state(draft: Draft) -> None:
    """Carry a value on by a path of its own: combined with what the path was before, or read elsewhere."""
    found = draft.inner()
    value = draft.some(found)
    number = len(draft.states)
    used = {path.name for path in draft.states} | {node.name for node in draft.nodes.values()}
    name = next(name for name in (f"s{count}" for count in range(2, 99)) if name not in used)
    # The keys of the leaves are their places, so the new state takes the place behind the others.
    draft.nodes = {
        key if key <= number else key + 1: _moved(node, number) for key, node in draft.nodes.items()
    }
    draft.outputs = [key if key <= number else key + 1 for key in draft.outputs]
    value, state = (value if value <= number else value + 1), number + 1
    draft.nodes[state] = State(path=number, name=name)
    draft.states.append(StatePath(name))
    if draft.rng.random() < 0.5:
        both = draft.add(Apply(operation=draft.word(COMBINATIONS), arguments=(value, state)))
        draft.read_instead(value, both)
        draft.outputs.append(both if draft.rng.random() < 0.5 else value)
        return
    draft.outputs.append(value)
    _combine(draft, draft.any_edge(), state)


def _moved(node: Node, number: int) -> Node:
    return node.with_inputs([key if key <= number else key + 1 for key in node.inputs])


def remove_state(draft: Draft) -> None:
    """Carry a path no longer, which is not the first: what read it reads another leaf."""
    if len(draft.states) > 1:
        state = int(draft.rng.integers(2, len(draft.states) + 1))
        other = draft.some([leaf for leaf in draft.leaves() if leaf != state])
        for edge in draft.edges():
            if draft.source(edge) == state:
                draft.redirect(edge, other)


CHANGES: tuple[Change, ...] = (
    swap_activation,
    swap_combination,
    swap_bias,
    redirect,
    insert_activation,
    insert_combination,
    insert_linear,
    widen,
    narrow,
    remove,
    add_state,
    remove_state,
)


def rewritten(cell: Cell, change: Change, name: str, rng: np.random.Generator) -> Cell | None:
    """Return ``cell`` with one change, without what its output no longer needs; None where that is no cell.

    A cell reads its input, and carries something on that it reads. The result differs from ``cell``.
    """
    draft = Draft.of(cell, rng)
    change(draft)
    try:
        changed = _finished(draft, name)
    except CellError:
        return None
    return changed if changed is not None and changed.digest != cell.digest else None


def _finished(draft: Draft, name: str) -> Cell | None:
    """Return the cell of a draft, without paths and values that its output does not depend on."""
    paths, needed = [0], set[int]()
    for number in paths:  # grows while it is read
        for key in draft.reached([draft.outputs[number]]):
            needed.add(key)
            node = draft.nodes[key]
            if isinstance(node, State) and node.path not in paths:
                paths.append(node.path)
    read = {node.path for key in needed if isinstance(node := draft.nodes[key], State)}
    if 0 not in needed or not read:
        return None
    paths.sort()
    order = [0, *(1 + number for number in paths)]
    order += _sorted(draft, [key for key in needed if key > len(draft.states)], set(draft.leaves()))
    place = {key: number for number, key in enumerate(order)}
    nodes = [draft.nodes[key].with_inputs([place[i] for i in draft.nodes[key].inputs]) for key in order]
    for number in range(len(paths)):
        node = nodes[1 + number]
        assert isinstance(node, State)
        nodes[1 + number] = replace(node, path=number)
    states = [draft.states[number] for number in paths]
    return make_cell(name, "", states, nodes, [place[draft.outputs[number]] for number in paths])


def _sorted(draft: Draft, keys: Sequence[int], known: set[int]) -> list[int]:
    """Return ``keys`` in an order in which each reads only earlier ones; of several the first."""
    left, order = sorted(keys), list[int]()
    while left:
        key = next(key for key in left if known.issuperset(draft.nodes[key].inputs))
        known.add(key)
        order.append(key)
        left.remove(key)
    return order


def _operation(draft: Draft, key: int) -> str:
    node = draft.nodes[key]
    return node.operation if isinstance(node, Apply) else ""


def _set_operation(draft: Draft, key: int, word: str) -> None:
    node = draft.nodes[key]
    assert isinstance(node, Apply)
    draft.nodes[key] = replace(node, operation=word)


def _linear(draft: Draft, key: int) -> Linear:
    node = draft.nodes[key]
    assert isinstance(node, Linear)
    return node
