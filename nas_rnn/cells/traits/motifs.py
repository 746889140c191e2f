"""Which operations stand where: pairs of neighbours, what ends the states, and plain counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nas_rnn.cells.graph.canonical import Canonical
from nas_rnn.cells.graph.nodes import Apply, Constant, Input, Linear, Node, State
from nas_rnn.cells.graph.operations import find_operation
from nas_rnn.cells.traits.algebra import Passage, passages

GATED = "1 -"
"""The kind of what stands beside a gate in a blend: one minus it."""


def motif_traits(cell: Canonical) -> dict[str, float]:
    """Return how often each kind of value is read by each, and which kinds the next states are of."""
    kinds = [kind_of(cell, node) for node in cell.nodes]
    found: Counter[str] = Counter()
    for node, kind in zip(cell.nodes, kinds, strict=True):
        for read in node.inputs:
            if kinds[read] != "number":
                found[f"{kind} of {kinds[read]}"] += 1
        if kind == "*":
            found[f"* of {' and '.join(sorted(kinds[i] for i in node.inputs))}"] += 1
        if isinstance(node, Linear):
            read_kinds = {kinds[i] for i in node.inputs}
            found["matrices of input and state together"] += "x" in read_kinds and bool(
                read_kinds & {"h", "c"}
            )
    found[f"output is {kinds[cell.outputs[0]]}"] += 1
    for index in cell.outputs[1:]:
        found[f"state is {kinds[index]}"] += 1
    return {name: float(count) for name, count in found.items()}


def kind_of(cell: Canonical, node: Node) -> str:
    """Return what a node is in a word: ``x``, ``h`` (the output's state), ``c`` (another state), or what makes it."""
    match node:
        case Input():
            return "x"
        case State(path=path):
            return "c" if path else "h"
        case Constant():
            return "number"
        case Apply(operation="sub", arguments=(first, _)) if _is_one(cell.nodes[first]):
            return GATED
        case Apply(operation=name):
            return find_operation(name).symbol or name
    return type(node).__name__.lower()


def _is_one(node: Node) -> bool:
    return isinstance(node, Constant) and node.value == 1.0


def count_traits(cell: Canonical) -> dict[str, float]:
    """Return plain counts: states, matrices, activations, products, depth, and what the output never needs."""
    alive = reaching_output(cell)
    depth: list[int] = []
    found: Counter[str] = Counter()
    for index, node in enumerate(cell.nodes):
        depth.append(1 + max((depth[i] for i in node.inputs), default=-1))
        if not isinstance(node, Input | State | Constant):
            found["nodes"] += 1
            found["nodes that the output does not need"] += index not in alive
            found[f"count of {kind_of(cell, node)}"] += 1
        if isinstance(node, Linear):
            found["matrices"] += len(node.inputs)
            found["matrices of the input"] += sum(isinstance(cell.nodes[i], Input) for i in node.inputs)
            found["matrices of states"] += sum(isinstance(cell.nodes[i], State) for i in node.inputs)
        if isinstance(node, Apply):
            ways = passages(find_operation(node.operation))
            found["activations"] += ways == (Passage.CHANGED,)
            found["products"] += Passage.SCALED in ways
            found["input outside of matrices"] += any(isinstance(cell.nodes[i], Input) for i in node.inputs)
    outputs = set(cell.outputs)
    read = [i for node in cell.nodes for i in node.inputs]
    return {
        **{name: float(count) for name, count in found.items()},
        "states": float(len(cell.states)),
        "states that the output needs": float(sum(path + 1 in alive for path in range(len(cell.states)))),
        "next states read within the step": float(sum(i in outputs for i in read)),
        "depth": float(max(depth)),
        "depth of the output": float(depth[cell.outputs[0]]),
    }


def reaching_output(cell: Canonical) -> set[int]:
    """Return the nodes that the output depends on, now or through the states at a later step."""
    found: set[int] = set()
    stack: list[int] = [cell.outputs[0]]
    while stack:
        index = stack.pop()
        if index in found:
            continue
        found.add(index)
        node = cell.nodes[index]
        following: Sequence[int] = (cell.outputs[node.path],) if isinstance(node, State) else node.inputs
        stack.extend(following)
    return found
