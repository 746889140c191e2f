"""What of a cell is computed when: stages of elementwise code, and the matrix products between them.

Stages come first for what the input alone decides ("bulk": computed once for the whole sequence), then those
of a step. The products of a stage read what it and earlier ones computed, and add up in *slots*, one for each
`linear`, which later stages read. So the number of a step's stages is the number of dependency levels plus
one, and all products of one level that read one value are a single product.

A value is computed in the latest stage that serves all its readers, so that few values cross stages; those
that do, and those that products read, are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.nodes import (
    Apply,
    ValueSize,
)
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.layout import Layout, Matrix, Place

COSTLY = ("exp", "log", "sqrt", "sin", "cos", "erf", "tanh", "sigmoid", "/")
"""Marks in an operation's expression that make it worth storing instead of computing it twice."""


@dataclass(frozen=True)
class Run:
    """One product: matrices that read the value at ``source``, for neighbouring slots from ``slot`` on.

    ``adds``: whether the slots hold something to which it is added.
    """

    source: Leaf
    slot: int
    matrices: tuple[Matrix, ...]
    adds: bool

    @cached_property
    def neighbours(self) -> tuple[tuple[int, tuple[Matrix, ...]], ...]:
        """The matrices in groups that lie side by side in the packed parameters, each with its first one's number."""
        found: list[tuple[int, tuple[Matrix, ...]]] = []
        for number, matrix in enumerate(self.matrices):
            before = found[-1][1][-1].place if found else None
            if before and (before.tensor, before.stop) == (matrix.place.tensor, matrix.place.start):
                found[-1] = found[-1][0], (*found[-1][1], matrix)
            else:
                found.append((number, (matrix,)))
        return tuple(found)


@dataclass(frozen=True)
class Stage:
    """Elementwise code, then products. ``nodes`` are those computed here, ``forward`` its products; backwards
    the same products are grouped as ``backward`` says."""

    number: int
    bulk: bool
    nodes: tuple[int, ...]
    forward: tuple[Run, ...]
    backward: tuple[Run, ...]


@dataclass(frozen=True)
class Schedule:
    """``slots[k]`` is the node whose products slot k sums up; ``active[k]`` the operation that alone reads it
    and can be differentiated from its own value, which then takes the sum's place.

    ``sizes`` are the nodes' sizes, where all is hidden_size if a projection that needs no matrix makes the
    input's size so; ``same_as`` gives the argument of such a projection, and else the node itself. ``stored``
    says where a computed value lies; ``stage_of`` in which stage each node is computed. ``fixed`` nodes
    depend on learned numbers alone; ``rows`` and ``numbers`` list what stages read of these, as (what, node):
    "bias" (with all products of fixed values), "diagonal", "gain", "shift" or "value". ``delayed`` state
    paths hold what the input alone decided a step before; ``output_stages`` says where each path's next value
    is written.
    """

    layout: Layout
    sizes: tuple[ValueSize, ...]
    same_as: tuple[int, ...]
    stages: tuple[Stage, ...]
    slots: tuple[int, ...]
    active: tuple[int | None, ...]
    stored: dict[int, Leaf]
    stage_of: dict[int, int]
    kept: tuple[int, ...]
    norms: tuple[int, ...]
    fixed: frozenset[int]
    rows: tuple[tuple[str, int], ...]
    numbers: tuple[tuple[str, int], ...]
    delayed: frozenset[int]
    output_stages: tuple[int, ...]

    def place_of(self, what: str, node: int) -> Place | None:
        """Return where among the packed parameters a row or number stands; None where it is computed."""
        vectors = {
            "bias": self.layout.biases,
            "diagonal": self.layout.diagonals,
            "gain": self.layout.gains,
            "shift": self.layout.shifts,
            "value": (*self.layout.scalars, *self.layout.vectors),
        }[what]
        adds = what == "bias" and any(
            m.owner == node and m.source in self.fixed for m in self.layout.matrices
        )
        return None if adds else next((v.place for v in vectors if v.owner == node), None)

    @cached_property
    def learned(self) -> tuple[Place | tuple[str, int], ...]:
        """Where the rows and numbers come from, in their order: neighbours as one place, or what is computed."""
        found: list[Place | tuple[str, int]] = []
        for what, node in (*self.rows, *self.numbers):
            place, last = self.place_of(what, node), found[-1] if found else None
            if place is None:
                found.append((what, node))
            elif isinstance(last, Place) and (last.tensor, last.stop) == (place.tensor, place.start):
                found[-1] = Place(place.tensor, last.start, place.stop)
            else:
                found.append(place)
        return tuple(found)

    @cached_property
    def is_gathered(self) -> bool:
        """Whether all of them stand among the parameters, none being computed from several."""
        return all(isinstance(source, Place) for source in self.learned)

    @cached_property
    def learned_size(self) -> int:
        """How many numbers the rows and numbers have together."""
        hidden, inputs = self._row_counts
        return hidden * self.layout.hidden_size + inputs * self.layout.input_size + len(self.numbers)

    @cached_property
    def _row_counts(self) -> tuple[int, int]:
        sizes = [self.sizes[node] for _, node in self.rows]
        return sizes.count("hidden"), sizes.count("input")

    def before(self, leaf: Leaf) -> tuple[int, int, int]:
        """Return what lies before a learned row or number: how many rows of hidden size, of input size, and
        numbers, which follow each other in this order."""
        hidden, inputs = self._row_counts
        if leaf.kind is Kind.NUMBER:
            return hidden, inputs, leaf.index
        return (leaf.index, 0, 0) if leaf.size == "hidden" else (hidden, leaf.index - hidden, 0)

    @cached_property
    def bulk(self) -> int:
        """How many stages run before the loop."""
        return sum(stage.bulk for stage in self.stages)

    @property
    def is_linear(self) -> bool:
        """Whether no product is left in the loop."""
        return not any(stage.forward for stage in self.stages if not stage.bulk)


def is_costly(node: Apply) -> bool:
    """Whether the operation of ``node`` is worth storing instead of computing it twice."""
    return any(mark in find_operation(node.operation).value for mark in COSTLY)
