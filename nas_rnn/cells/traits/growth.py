"""How the values of a cell grow with its states and its input: degrees, step after step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas_rnn.cells.graph.canonical import Canonical
from nas_rnn.cells.graph.nodes import Apply, Diagonal, Input, Linear, Node, Project, State
from nas_rnn.cells.graph.operations import find_operation
from nas_rnn.cells.traits.algebra import STEEPEST, degree

_STEPS = 6
"""After so many steps a state that stays bounded has shown it in any cell of up to six state paths in a row."""


def growth_traits(cell: Canonical) -> dict[str, float]:
    """Return the degrees of a step in its states and in its input, and whether states stay bounded over steps."""
    states = len(cell.states)
    once = degrees(cell, [1.0] * states, 0.0)
    both = degrees(cell, [1.0] * states, 1.0)
    carried = [0.0] * states
    for _ in range(_STEPS):
        found = degrees(cell, carried, 1.0)
        carried = [min(found[index], STEEPEST) for index in cell.outputs]
    ends = [min(once[index], STEEPEST) for index in cell.outputs]
    return {
        "degree of the output": ends[0],
        "degree of the states": max(ends),
        "degree above one": float(max(ends) > 1),
        "degree of the output with the input": min(both[cell.outputs[0]], STEEPEST),
        "largest degree within a step": min(max(both), STEEPEST),
        "growth": math.log1p(max(carried)),
        "growth of the output": math.log1p(carried[0]),
        "bounded output": float(carried[0] == 0),
        "bounded states": float(max(carried) == 0),
    }


def degrees(cell: Canonical, states: Sequence[float], x: float) -> list[float]:
    """Return for each node the power with which it grows where states and input grow with theirs."""
    found: list[float] = []
    for node in cell.nodes:
        found.append(_degree(node, found, states, x))
    return found


def _degree(node: Node, found: Sequence[float], states: Sequence[float], x: float) -> float:
    match node:
        case Input():
            return x
        case State(path=path):
            return states[path]
        case Linear() | Diagonal() | Project():
            return max((found[i] for i in node.inputs), default=0.0)
        case Apply(operation=name, arguments=arguments):
            return degree(find_operation(name), tuple(found[i] for i in arguments))
    return 0.0  # numbers, and what a layer norm gives
