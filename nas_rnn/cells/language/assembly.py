"""Brings the nodes of a cell, however built, into the one order and naming that its text form keeps.

So printing and parsing a cell gives an equal value. Needs nodes of which each reads only earlier ones; leaves
them in the order in which reading the text meets them, with a name on just those that have a line of their
own there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas_rnn.cells.graph.nodes import (
    Apply,
    CellGraph,
    Constant,
    LearnedVector,
    Linear,
    Node,
    Scalar,
    StatePath,
)
from nas_rnn.cells.graph.operations import RESERVED
from nas_rnn.cells.graph.verify import verify

MAX_INLINE_DEPTH = 12
"""An expression deeper than this is broken up by naming a part of it."""


def assemble(
    name: str, doc: str, states: Sequence[StatePath], nodes: Sequence[Node], outputs: Sequence[int]
) -> CellGraph:
    """Return a verified graph from ``nodes`` in any order in which each reads only earlier ones; see `make_cell`."""
    plain = _plain_numbers(nodes)
    lines = _lines(plain, outputs, len(states))
    ordered, lines, outputs = _in_reading_order(plain, outputs, lines, len(states))
    named = _named(ordered, states, lines, outputs)
    cell = CellGraph(name, doc, tuple(states), tuple(named), tuple(outputs))
    verify(cell)
    return cell


def _plain_numbers(nodes: Sequence[Node]) -> list[Node]:
    """Make every number a float that reads back as printed: -0.0 becomes 0.0, minus a number a number."""
    plain: list[Node] = []
    for node in nodes:
        match node:
            case Apply(operation="neg", arguments=(argument,)):
                if isinstance(operand := plain[argument], Constant):
                    node = Constant(value=0.0 - operand.value)
            case Constant(value=value):
                node = replace(node, value=float(value) + 0.0)
            case Scalar(init=init) | LearnedVector(init=init):
                node = replace(node, init=float(init) + 0.0)
            case Linear(bias=int() | float() as bias):
                node = replace(node, bias=float(bias) + 0.0)
        plain.append(node)
    return plain


def _lines(nodes: Sequence[Node], outputs: Sequence[int], states: int) -> set[int]:
    """Return the nodes that get a line of their own: named, read twice, read by nothing, or deep."""
    uses = [0] * len(nodes)
    for index in [*(i for node in nodes for i in node.inputs), *outputs]:
        uses[index] += 1
    lines: set[int] = set()
    depth = [0] * len(nodes)
    for index, node in enumerate(nodes):
        if index <= states or isinstance(node, Constant):
            continue
        depth[index] = 1 + max((depth[i] for i in node.inputs), default=0)
        if node.name is not None or uses[index] != 1 or depth[index] > MAX_INLINE_DEPTH:
            lines.add(index)
            depth[index] = 0
    return lines


def _in_reading_order(
    nodes: Sequence[Node], outputs: Sequence[int], lines: set[int], states: int
) -> tuple[list[Node], set[int], list[int]]:
    """Return the nodes as the text is read, post-order within each line, with a number anew at each use."""
    ordered = list(nodes[: states + 1])
    place = {index: index for index in range(states + 1)}

    def put(index: int) -> int:
        node = nodes[index]
        if isinstance(node, Constant) or index not in place:
            moved = node.with_inputs([put(i) for i in node.inputs])
            place[index] = len(ordered)
            ordered.append(moved)
        return place[index]

    placed = {put(index) for index in sorted(lines)}
    return ordered, placed, [put(index) for index in outputs]


def _named(
    nodes: Sequence[Node], states: Sequence[StatePath], lines: set[int], outputs: Sequence[int]
) -> list[Node]:
    """Give every line a name that no other value has, and no word that the cell uses.

    A path's next value may bear the path's own name where nothing reads the old value after that line.
    """
    last_read = {i: index for index, node in enumerate(nodes) for i in node.inputs}
    own = {
        (index, path.name)
        for number, (path, index) in enumerate(zip(states, outputs, strict=False), start=1)
        if last_read.get(number, 0) <= index and number not in outputs
    }
    words = {node.operation for node in nodes if isinstance(node, Apply)}
    taken = {nodes[0].name or "x", *(path.name for path in states), *RESERVED, *words}
    tried: dict[str | None, int] = {}
    result: list[Node] = []
    for index, node in enumerate(nodes):
        name = node.name
        if index in lines and (index, name) not in own:
            name = _free_name(name, taken, tried)
            taken.add(name)
        result.append(
            replace(node, name=name) if index in lines or index <= len(states) else replace(node, name=None)
        )
    return result


def _free_name(wanted: str | None, taken: set[str], tried: dict[str | None, int]) -> str:
    """Return ``wanted`` or the first free of ``wanted_2``, ``wanted_3``...; ``v1``, ``v2``... for None."""
    if wanted is not None and wanted not in taken:
        return wanted
    number = tried.get(wanted, 0 if wanted is None else 1)
    while True:
        number += 1
        name = f"v{number}" if wanted is None else f"{wanted}_{number}"
        if name not in taken:
            tried[wanted] = number
            return name
