"""An RNN's packed parameters by the names of the equations that own them.

In ``n = tanh(linear(x, r * h))`` the matrices are called ``n/x`` and ``n/r * h`` and the bias ``n/bias``; a diagonal
gives ``n/p``, a learned vector ``n/v``, a layer norm ``n/gain`` and ``n/shift``, a learned number ``n/s``. Where an
equation owns several of a kind, they are numbered as they are read: ``n1/x``, ``n2/x``. What stands in a `return` is
named after its state path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import OWNERS
from nas_rnn.cells.graph.text import print_node
from nas_rnn.execution.layout import Layout, Place

KINDS = {
    "biases": "bias",
    "diagonals": "p",
    "vectors": "v",
    "gains": "gain",
    "shifts": "shift",
    "scalars": "s",
}


def equation_of(cell: Cell, index: int) -> str:
    """Return the name of the equation in which node ``index`` stands."""
    while cell.nodes[index].name is None:
        if index in cell.outputs:
            return cell.states[cell.outputs.index(index)].name
        (index,) = {reader for reader, node in enumerate(cell.nodes) if index in node.inputs}
    return str(cell.nodes[index].name)


def owner_names(cell: Cell) -> dict[int, str]:
    """Return a name for each node of ``cell`` that owns parameters."""
    owners = [index for index, node in enumerate(cell.nodes) if isinstance(node, OWNERS)]
    keys = [(equation_of(cell, index), type(cell.nodes[index]).__name__) for index in owners]
    total, seen, names = Counter(keys), Counter[tuple[str, str]](), {}
    for index, key in zip(owners, keys, strict=True):
        seen[key] += 1
        names[index] = key[0] + (str(seen[key]) if total[key] > 1 else "")
    return names


def named_places(cell: Cell, layout: Layout) -> dict[str, Place]:
    """Return where each named weight lies."""
    origin = layout.canonical.original
    owners = owner_names(cell)

    def owner(index: int) -> str:
        found = origin[index]
        assert found is not None
        return owners[found]

    def source(index: int) -> str:
        found = origin[index]
        assert found is not None
        return cell.nodes[found].name or print_node(cell, found)

    pairs = [(f"{owner(m.owner)}/{source(m.source)}", m.place) for m in layout.matrices]
    for field, letter in KINDS.items():
        pairs += [(f"{owner(item.owner)}/{letter}", item.place) for item in getattr(layout, field)]
    places = dict(pairs)
    assert len(places) == len(pairs), "two weights of one name"
    return places


def read(place: Place, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return the part at ``place``: a matrix, blocks (n, rows, columns), a vector or a number."""
    part = tensors[place.tensor][place.start : place.stop]
    single = place.tensor.startswith(("diagonal", "norm", "vector", "scalar"))
    return part[0] if single else part


class Weights:
    """Named weights of a reference; remembers which were used, so that none is forgotten."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.used.add(name)
        return self.tensors[name]

    def brought(self, owner: str, **value: Tensor) -> Tensor:
        """Return a value brought to hidden size: times a matrix, or itself where it has that size."""
        ((name, tensor),) = value.items()
        return tensor @ self[f"{owner}/{name}"].T if f"{owner}/{name}" in self.tensors else tensor

    def product(self, owner: str, sources: Mapping[str, Tensor] | None = None, **more: Tensor) -> Tensor:
        """Return the sum of ``W v`` over the sources ``v``, without a bias."""
        given = {**(sources or {}), **more}
        return sum((value @ self[f"{owner}/{name}"].T for name, value in given.items()), start=zero(given))

    def affine(self, owner: str, sources: Mapping[str, Tensor] | None = None, **more: Tensor) -> Tensor:
        """Return the sum of ``W v`` over the sources ``v`` and a bias."""
        return self.product(owner, sources, **more) + self[f"{owner}/bias"]


def zero(given: Mapping[str, Any]) -> Tensor:
    """Return a zero of the type of the given values."""
    return next(iter(given.values())).new_zeros(())
