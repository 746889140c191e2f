"""The difference of two cells, put together: what changed, the marked equations, and the sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from nas_rnn.cells.difference.matching import Matching, match
from nas_rnn.cells.difference.parts import Parts
from nas_rnn.cells.equations import plain_lines
from nas_rnn.cells.graph import (
    Apply,
    Cell,
    Constant,
    LearnedVector,
    Linear,
    Node,
    Scalar,
    State,
    argument_roles,
)

Mark = Literal[" ", "~", "+", "-"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What ``cell`` has otherwise than ``base``; empty where they are the same cell.

    ``sentences`` say it in words. ``lines`` are the cell's equations, each with a mark: " " as in the base, "~"
    differs, "+" only here; ``base_lines`` those of the base, "-" for what only that has. ``differing`` are the nodes of
    the cell that the base has not, or not so.
    """

    cell: Cell
    base: Cell
    matching: Matching
    sentences: tuple[str, ...]
    lines: tuple[tuple[Mark, str], ...]
    base_lines: tuple[tuple[Mark, str], ...]
    differing: frozenset[int]

    @property
    def is_empty(self) -> bool:
        return not self.sentences

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""

        def rows(lines: tuple[tuple[Mark, str], ...]) -> list[dict[str, str]]:
            return [{"mark": mark, "equation": text} for mark, text in lines]

        return {
            "cell": self.cell.name,
            "base": self.base.name,
            "sentences": list(self.sentences),
            "equations": rows(self.lines),
            "base_equations": rows(self.base_lines),
        }


def difference(cell: Cell, base: Cell) -> Difference:
    """Return what ``cell`` has otherwise than ``base``.

    Raises `UserError` for two cells that have more than 100,000 pairs of values.
    """
    from nas_rnn.cells.difference.wording import Wording

    found = match(cell, base)
    same = cell.digest == base.digest
    here = set() if same else changed_nodes(found)
    there = set() if same else changed_nodes(found.turned())
    matched = set(found.pairs), set(found.pairs.values())
    return Difference(
        cell=cell,
        base=base,
        matching=found,
        sentences=() if same else Wording(cell, base, found).sentences(),
        lines=_marked(cell, found.first, here, matched[0], "+"),
        base_lines=_marked(base, found.second, there, matched[1], "-"),
        differing=frozenset(o for i in here if (o := origin(found.first, i)) is not None),
    )


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
    """Whether the partner is read by the activation of a gate or candidate that the first has not."""
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


def _marked(
    cell: Cell, parts: Parts, changed: set[int], matched: set[int], alone: Mark
) -> tuple[tuple[Mark, str], ...]:
    """Return the cell's equations with their marks."""
    of_node: dict[int, list[int]] = {}
    for index in range(len(cell.states) + 1, len(parts.nodes)):
        node = origin(parts, index)
        if node is not None:
            of_node.setdefault(node, []).append(index)
    carried = set(cell.outputs)
    new_paths = {cell.outputs[n - 1] for n in range(1, len(cell.states) + 1) if n not in matched}
    lines: list[tuple[Mark, str]] = []
    for text, nodes in plain_lines(cell):
        inside = [index for node in nodes for index in of_node.get(node, [])]
        inside += [number for number, output in enumerate(cell.outputs, start=1) if output == nodes[-1]]
        mark: Mark = " "
        if any(index in changed for index in inside):
            known = any(index in matched and not isinstance(parts.nodes[index], Constant) for index in inside)
            kept_path = nodes[-1] in carried and nodes[-1] not in new_paths
            mark = "~" if known or kept_path else alone
        lines.append((mark, text))
    return tuple(lines)
