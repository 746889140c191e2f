"""Which nodes of a matched cell changed, and how."""

from __future__ import annotations

from collections import Counter

from nas_rnn.cells.graph.nodes import (
    Apply,
    Constant,
    LearnedVector,
    Linear,
    Node,
    Scalar,
    State,
    argument_roles,
)
from nas_rnn.cells.views.difference.matching import Matching
from nas_rnn.cells.views.difference.parts import Parts


def changed_nodes(found: Matching) -> set[int]:
    """Return the first's nodes that have no partner, or one that is or reads something else."""
    return {
        index
        for index in range(len(found.first.nodes))
        if index not in found.pairs
        or is_replaced(found, index)
        or is_rewired(found, index)
        or _carries_otherwise(found, index)
        or _lacks_its_activation(found, index)
    }


def is_replaced(found: Matching, index: int) -> bool:
    """Whether a matched node is another operation than its partner, or starts otherwise."""
    one, other = found.first.nodes[index], found.second.nodes[found.pairs[index]]
    if isinstance(one, State) and isinstance(other, State):
        first, second = found.first.canonical.states[one.path], found.second.canonical.states[other.path]
        return (first.init, first.size) != (second.init, second.size)
    return _properties(one) != _properties(other)


def is_rewired(found: Matching, index: int) -> bool:
    """Whether a matched node reads other values than its partner."""
    one, other = found.first.nodes[index], found.second.nodes[found.pairs[index]]
    mine = Counter(
        (role, found.pairs.get(i, -1)) for role, i in zip(argument_roles(one), one.inputs, strict=True)
    )
    its = Counter(zip(argument_roles(other), other.inputs, strict=True))
    return mine != its


def _carries_otherwise(found: Matching, index: int) -> bool:
    """Whether the node is the next value of paths other than those of which its partner is."""
    mine = {found.pairs.get(number) for number, i in enumerate(found.first.outputs, start=1) if i == index}
    its = {number for number, i in enumerate(found.second.outputs, start=1) if i == found.pairs.get(index)}
    return mine != its


def _lacks_its_activation(found: Matching, index: int) -> bool:
    """Whether the partner is read by the activation of a gate or candidate that the first lacks."""
    partners = set(found.pairs.values())
    users = found.second.users[found.pairs[index]]
    return any(user not in partners and user in found.second.role for user in users)


def _properties(node: Node) -> tuple[object, ...]:
    match node:
        case Constant(value=value) | Scalar(init=value) | LearnedVector(init=value):
            return (value,)
        case Linear(bias=bias, heads=heads):
            return (bias, heads)
        case Apply(operation=operation):
            return (operation,)
    return ()


def origin(parts: Parts, index: int) -> int | None:
    """Return the cell's node that a canonical node stands for, or that of what reads it."""
    while (found := parts.canonical.original[index]) is None:
        if not parts.users[index]:
            return None
        index = parts.users[index][0]
    return found
