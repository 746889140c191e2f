"""A cell as it is computed, in the order and with the names in which it was written.

Weights are stored in the order of the canonical form. Its nodes are brought back here into the order of the
equations that were written, so that what is generated from them reads like those.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import count

from nas_rnn.cells import Canonical, Cell
from nas_rnn.cells.graph.nodes import Apply, LearnedVector, Node, is_commutative
from nas_rnn.cells.language.assembly import MAX_INLINE_DEPTH


@dataclass(frozen=True)
class Readable:
    """``cell`` has the canonical form's nodes; its node i is the canonical node ``canonical[i]``.

    The cell is one to generate from: it was not verified, and its text form may not give it back.
    """

    cell: Cell
    canonical: tuple[int, ...]


def readable(cell: Cell) -> Readable:
    """Return ``cell`` without what no next state needs, each value computed once."""
    canonical = cell.canonical()
    order = _written_order(canonical)
    place = {old: new for new, old in enumerate(order)}
    nodes: list[Node] = []
    for old in order:
        node, origin = canonical.nodes[old], canonical.original[old]
        name = None if origin is None else cell.nodes[origin].name
        inputs = _as_written(node, canonical, None if origin is None else cell.nodes[origin])
        nodes.append(replace(node.with_inputs([place[i] for i in inputs]), name=name))
    outputs = tuple(place[i] for i in canonical.outputs)
    return Readable(Cell(cell.name, cell.doc, cell.states, tuple(_named(nodes)), outputs), tuple(order))


def _as_written(node: Node, canonical: Canonical, written: Node | None) -> tuple[int, ...]:
    """Return what ``node`` reads, in the order of ``written`` where both orders mean the same."""
    if not (isinstance(node, Apply) and isinstance(written, Apply) and is_commutative(node)):
        return node.inputs
    (left, right), origins = node.inputs, written.arguments
    swapped = canonical.original[right] == origins[0] or canonical.original[left] == origins[-1]
    return (right, left) if swapped and left != right else (left, right)


def _written_order(canonical: Canonical) -> list[int]:
    """Return the nodes in the order of their origins; what stands for no node of the cell comes before its user."""
    first_use: dict[int, int] = {}
    for index in reversed(range(len(canonical.nodes))):
        origin = canonical.original[index]
        here = first_use[index] if origin is None else origin
        first_use[index] = here
        for i in canonical.nodes[index].inputs:
            first_use[i] = min(first_use.get(i, here), here)
    interface = range(len(canonical.states) + 1)
    rest = range(len(interface), len(canonical.nodes))
    return [
        *interface,
        *sorted(rest, key=lambda i: (first_use[i], canonical.original[i] is not None, i)),
    ]


def _named(nodes: list[Node]) -> list[Node]:
    """Give a name to learned vectors that several values read: without, each reading would look like another one; and
    to what would be nested too deeply, because what was left out between bore the names."""
    readers = Counter(i for node in nodes for i in node.inputs)
    taken = {node.name for node in nodes}
    vectors = (name for number in count(1) if (name := f"b{number}") not in taken)
    values = (name for number in count(1) if (name := f"v{number}") not in taken)
    depth = [0] * len(nodes)
    found = []
    for index, node in enumerate(nodes):
        if node.name is None and node.inputs:
            depth[index] = 1 + max(depth[i] for i in node.inputs)
        if isinstance(node, LearnedVector) and node.name is None and readers[index] > 1:
            node = replace(node, name=next(vectors))
        elif depth[index] > MAX_INLINE_DEPTH:
            depth[index] = 0
            node = replace(node, name=next(values))
        found.append(node)
    return found
