"""The learned numbers of a cell by its equations: what each owner has, whatever order they are packed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from nas_rnn.cells import Canonical, Cell
from nas_rnn.cells.graph.nodes import Apply, Linear, Node, Project
from nas_rnn.errors import UserError
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.reference import Interpreter
from nas_rnn.spaces.chain import owners


@dataclass(frozen=True)
class Owned:
    """What one owner has: a matrix (heads, rows, columns) for each argument, a bias, a row of numbers, a shift."""

    matrices: tuple[Tensor, ...] = ()
    bias: Tensor | None = None
    row: Tensor | None = None
    shift: Tensor | None = None


def owned(cell: Cell, layout: Layout, tensors: Mapping[str, Tensor]) -> list[Owned]:
    """Return what the owners of ``cell`` have, in the order of its equations; ``tensors`` are packed by ``layout``.

    Raises:
        UserError: where an owner's arguments cannot be told apart in the packing.
    """
    packed = Interpreter(layout, tensors)
    place = {
        original: index for index, original in enumerate(layout.canonical.original) if original is not None
    }
    found = []
    for index in owners(cell):
        here = place[index]
        row = packed.diagonals.get(
            here, packed.gains.get(here, packed.scalars.get(here, packed.vectors.get(here)))
        )
        node = layout.canonical.nodes[here]
        order = _order(cell, layout.canonical, index, node) if isinstance(node, Linear | Project) else ()
        matrices = tuple(packed.matrices[here, k] for k in order if (here, k) in packed.matrices)
        found.append(Owned(matrices, packed.biases.get(here), row, packed.shifts.get(here)))
    return found


def _order(cell: Cell, canonical: Canonical, index: int, node: Node) -> list[int]:
    """Return which argument of the canonical ``node`` each argument of the cell's node ``index`` is."""
    if len(node.inputs) == 1:
        return [0]
    left = list(enumerate(node.inputs))
    order = []
    for argument in cell.nodes[index].inputs:
        while isinstance(same := cell.nodes[argument], Apply) and same.operation == "identity":
            argument = same.arguments[0]
        match = next((pair for pair in left if canonical.original[pair[1]] == argument), None)
        if match is None:
            raise UserError(
                f"the cell {cell.name!r} cannot share its weights: an argument of a `linear` of several is simplified "
                "away; give it a `linear` for each argument"
            )
        left.remove(match)
        order.append(match[0])
    return order


def by_owner(
    found: Sequence[Owned], nodes: Sequence[Node], kinds: tuple[type[Node], ...]
) -> dict[int, Owned]:
    """Return ``found`` by the nodes that they belong to, in any candidate of a chain space."""
    places = (index for index, node in enumerate(nodes) if isinstance(node, kinds))
    return dict(zip(places, found, strict=True))
