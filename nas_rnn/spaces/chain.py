"""Chain spaces: spaces whose candidates all own the same weights, so that one set of them can stand for all.

The owner number k of one candidate, in the order of its equations, is the owner number k of every other: the same word
of the language, with as many arguments of the same sizes. What the owners read, and which operations stand between
them, is what a candidate chooses. `shared_cell` asks for no more than that.

`chain_of` asks for more, so that choices can be weighted against each other: every choice says what some nodes read, or
which operation of one argument some nodes are, and what depends on it stands together in the equations and is read
elsewhere through its last node alone. Such a stretch is a `ChoiceNode`: a node of DARTS, which picks an earlier one and
an activation (Liu, Simonyan & Yang 2019, 2.1). In the equations each of them has a name: the space's function holds it
in a local variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from textwrap import shorten

import numpy as np

from nas_rnn.cells import Cell, value_sizes
from nas_rnn.cells.graph.nodes import (
    OWNERS,
    Apply,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Scalar,
)
from nas_rnn.spaces.choices import Choice, Decisions, Label, SpaceError
from nas_rnn.spaces.constrained import Rejected
from nas_rnn.spaces.space import Candidate, DecisionSpace, Space

SAMPLES = 20
"""How many random candidates are looked at, besides one for every label of every choice."""


@dataclass(frozen=True)
class Axis:
    """A choice, and what it decides: by node, what that reads or which operation it is, for each of the labels."""

    choice: Choice
    reads: Mapping[int, tuple[tuple[int, ...], ...]]
    operations: Mapping[int, tuple[str, ...]]

    @property
    def nodes(self) -> set[int]:
        """The nodes that the choice changes."""
        return {*self.reads, *self.operations}


@dataclass(frozen=True)
class ChoiceNode:
    """The nodes ``first`` to ``last`` of the cell; those in ``dependent`` differ with the choices of ``axes``.

    Of these, only ``last`` is read by later nodes or by a next state.
    """

    first: int
    last: int
    axes: tuple[Axis, ...]
    dependent: frozenset[int]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many labels each choice has."""
        return tuple(len(axis.choice.labels) for axis in self.axes)


@dataclass(frozen=True)
class Chain:
    """What the candidates of a chain space have in common.

    ``cell`` is the candidate of all first labels, ``nodes`` are where others differ from it, in order, and ``fixed``
    are the decisions that have one label only.
    """

    cell: Cell
    nodes: tuple[ChoiceNode, ...]
    fixed: Decisions

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All choices that have several labels."""
        return tuple(axis for node in self.nodes for axis in node.axes)

    def decisions(self, picks: Sequence[Sequence[int]]) -> Decisions:
        """Return the decisions that ``picks`` are: for each node, the number of the label on each of its axes."""
        chosen: Decisions = {}
        for node, numbers in zip(self.nodes, picks, strict=True):
            for axis, number in zip(node.axes, numbers, strict=True):
                chosen[axis.choice.key] = axis.choice.labels[number]
        return {**self.fixed, **chosen}

    def graph(self, decisions: Decisions) -> tuple[Node, ...]:
        """Return the nodes of the candidate with these decisions; its outputs are those of ``cell``."""
        nodes = list(self.cell.nodes)
        for axis in self.axes:
            number = axis.choice.labels.index(decisions[axis.choice.key])
            for index, inputs in axis.reads.items():
                nodes[index] = nodes[index].with_inputs(inputs[number])
            for index, operations in axis.operations.items():
                node = nodes[index]
                assert isinstance(node, Apply)
                nodes[index] = replace(node, operation=operations[number])
        return tuple(nodes)

    def draw(self, rng: np.random.Generator) -> tuple[Node, ...]:
        """Return the nodes of a candidate whose choices are drawn uniformly."""
        picks = [[int(rng.integers(size)) for size in node.shape] for node in self.nodes]
        return self.graph(self.decisions(picks))


def owners(cell: Cell) -> tuple[int, ...]:
    """Return the nodes that own weights, in the order of the equations."""
    return tuple(index for index, node in enumerate(cell.nodes) if isinstance(node, OWNERS))


def shared_cell(space: Space) -> Cell:
    """Return the candidate of all first labels, whose weights stand for those of all candidates.

    Candidates are looked at, not proven: one for every label, and `SAMPLES` random ones.

    Raises:
        SpaceError: for a space without decisions, or one whose candidates own different weights.
    """
    return _looked_at(space).first.cell


def chain_of(space: Space) -> Chain:
    """Return where the candidates of a chain space differ; see the module's text.

    Raises:
        SpaceError: for a space that is none, or whose choices decide anything else.
    """
    found = _looked_at(space)
    cell, choices = found.first.cell, found.first.choices
    axes = [_axis(space.name, found, choice) for choice in choices if len(choice.labels) > 1]
    fixed = {choice.key: choice.labels[0] for choice in choices if len(choice.labels) == 1}
    chain = Chain(cell, tuple(_nodes(space.name, cell, axes)), fixed)
    for sampled in found.drawn:
        if not _is_of(chain, sampled):
            raise _no_chain(space.name, f"choices depend on each other ({_told(sampled)})")
    return chain


@dataclass(frozen=True)
class _LookedAt:
    """Candidates of a space: of all first labels, of one other label (by key and label), and random ones."""

    first: Candidate
    varied: Mapping[tuple[str, Label], Candidate]
    drawn: tuple[Candidate, ...]


def _looked_at(space: Space) -> _LookedAt:
    """Return candidates that own the same weights; `SpaceError` where some own others."""
    if not isinstance(space, DecisionSpace):
        raise SpaceError(
            f"the space {space.name!r} works on cells, and a one-shot strategy needs decisions; the strategy 'random' "
            "works with every space"
        )
    return _of_decisions(space)


@lru_cache(maxsize=4)  # a strategy is made several times for a search, and a hundred cells take a second
def _of_decisions(space: DecisionSpace) -> _LookedAt:
    first = _build(space, {})
    varied = {
        (choice.key, label): _build(space, {choice.key: label})
        for choice in first.choices
        for label in choice.labels
    }
    rng = np.random.default_rng(0)
    drawn = tuple(space.sample(rng) for _ in range(SAMPLES))
    weights = _weights(first.cell)
    for other in [*varied.values(), *drawn]:
        if _weights(other.cell) != weights:
            raise SpaceError(
                f"the candidates of the space {space.name!r} own different weights, such as {_told(first)} and "
                f"{_told(other)}, so none can share them; a one-shot strategy needs a chain space, such as 'darts'; "
                "'random', 'tpe' and 'evolution' search any space of decisions"
            )
    return _LookedAt(first, varied, drawn)


def _build(space: DecisionSpace, decisions: Mapping[str, Label]) -> Candidate:
    """Return the candidate of ``decisions`` and else of first labels, also where it breaks a constraint."""
    try:
        return space.build(lambda choice: decisions.get(choice.key, choice.labels[0]))
    except Rejected as rejected:
        return rejected.candidate


def _weights(cell: Cell) -> list[tuple[object, ...]]:
    """Return what the owners are, without what they read; of one that no next state needs, that it is idle."""
    sizes, needed = value_sizes(cell.states, cell.nodes), set(cell.canonical().original)
    found: list[tuple[object, ...]] = []
    for index in owners(cell):
        node = cell.nodes[index]
        of_node: tuple[object, ...] = ()
        match node:
            case Linear():
                of_node = (node.bias, node.heads)
            case Scalar() | LearnedVector():
                of_node = (node.init,)
            case Diagonal() | LayerNorm():
                of_node = (sizes[index],)
        read = tuple(sizes[argument] for argument in node.inputs)
        found.append((type(node).__name__, index in needed, read, *of_node))
    return found


def _axis(space: str, looked_at: _LookedAt, choice: Choice) -> Axis:
    """Return what ``choice`` decides: where the candidates of its labels differ from the first."""
    first = looked_at.first
    found = [looked_at.varied[choice.key, label] for label in choice.labels]
    if any(other.choices != first.choices for other in found):
        raise _no_chain(space, f"what is asked depends on the choice {choice.key!r}")
    cells = [other.cell for other in found]
    if any((len(c.nodes), c.outputs) != (len(first.cell.nodes), first.cell.outputs) for c in cells):
        raise _no_chain(space, f"the choice {choice.key!r} changes how many values there are")
    reads: dict[int, tuple[tuple[int, ...], ...]] = {}
    operations: dict[int, tuple[str, ...]] = {}
    for index, node in enumerate(first.cell.nodes):
        others = [replace(cell.nodes[index], name=node.name) for cell in cells]
        if all(other == node for other in others):
            continue
        if all(other.with_inputs(node.inputs) == node for other in others):
            reads[index] = tuple(other.inputs for other in others)
        elif isinstance(node, Apply) and _are_operations(node, others):
            operations[index] = tuple(other.operation for other in others if isinstance(other, Apply))
        else:
            raise _no_chain(space, f"{choice.key!r} changes more than what is read, or an operation")
    return Axis(choice, reads, operations)


def _are_operations(node: Apply, others: Sequence[Node]) -> bool:
    """Whether ``others`` are operations of the one value that ``node`` reads."""
    return len(node.arguments) == 1 and all(
        isinstance(other, Apply) and other.arguments == node.arguments for other in others
    )


def _nodes(space: str, cell: Cell, axes: Sequence[Axis]) -> Iterator[ChoiceNode]:
    """Yield the stretches of the cell that depend on choices; choices whose stretches overlap have one together."""
    if idle := [axis.choice.key for axis in axes if not axis.nodes]:
        raise _no_chain(space, f"the choice {idle[0]!r} decides nothing")
    waiting = sorted(axes, key=lambda axis: min(axis.nodes))
    while waiting:
        together = [waiting.pop(0)]
        node = _stretch(space, cell, together)
        while waiting and min(waiting[0].nodes) <= node.last:
            together.append(waiting.pop(0))
            node = _stretch(space, cell, together)
        yield node


def _stretch(space: str, cell: Cell, axes: Sequence[Axis]) -> ChoiceNode:
    """Return the nodes from the first that ``axes`` change to the first through which all that depends on them is read.

    `SpaceError` where there is none, or where they choose among values that are not there yet, or of several sizes.
    """
    keys = " and ".join(repr(axis.choice.key) for axis in axes)
    changed = set[int]().union(*(axis.nodes for axis in axes))
    first, sizes = min(changed), value_sizes(cell.states, cell.nodes)
    for axis in axes:
        for options in axis.reads.values():
            read = {index for inputs in options for index in inputs}
            chosen = read - set(options[0]).intersection(*options[1:])
            if any(index >= first for index in chosen) or len({sizes[index] for index in chosen}) > 1:
                raise _no_chain(
                    space, f"{keys} choose among values that are not all there before, or of several sizes"
                )
    last_reader = {read: index for index, node in enumerate(cell.nodes) for read in node.inputs}
    last_reader |= dict.fromkeys(cell.outputs, len(cell.nodes))
    dependent: set[int] = set()
    for index in range(first, len(cell.nodes)):
        if index not in changed and not dependent & set(cell.nodes[index].inputs):
            continue
        is_whole = index >= max(changed) and all(last_reader.get(i, 0) <= index for i in dependent)
        dependent.add(index)
        if is_whole:
            return ChoiceNode(first, index, tuple(axes), frozenset(dependent))
    raise _no_chain(space, f"what depends on {keys} is read in several places")


def _is_of(chain: Chain, candidate: Candidate) -> bool:
    """Whether the chain has this candidate: its nodes, but for their names."""
    decisions = candidate.decisions or {}
    if set(decisions) != {*chain.fixed, *(axis.choice.key for axis in chain.axes)}:
        return False
    nodes = [replace(node, name=None) for node in chain.graph(decisions)]
    theirs = [replace(node, name=None) for node in candidate.cell.nodes]
    return nodes == theirs and candidate.cell.outputs == chain.cell.outputs


def _no_chain(space: str, why: str) -> SpaceError:
    return SpaceError(
        f"the strategy 'differentiable' weighs what a node reads and which operation it is, and in the space {space!r} "
        f"{why}; the strategy 'weight-sharing' needs only that all candidates own the same weights"
    )


def _told(candidate: Candidate) -> str:
    told = ", ".join(f"{key}={label}" for key, label in (candidate.decisions or {}).items())
    return shorten(told, 100, placeholder=" ...")
