"""The difference of two cells, put together: what changed, the marked equations, and the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nas_rnn.cells.graph.canonical import canonicalise
from nas_rnn.cells.graph.nodes import (
    CellGraph,
    Constant,
)
from nas_rnn.cells.views.difference.changes import changed_nodes, origin
from nas_rnn.cells.views.difference.matching import Matching, match
from nas_rnn.cells.views.difference.parts import Parts
from nas_rnn.cells.views.difference.sentences import Wording
from nas_rnn.cells.views.equations import plain_lines

Mark = Literal[" ", "~", "+", "-"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The differences of ``cell`` from ``base``; empty where they are the same cell.

    ``sentences`` say it in words. ``lines`` are the cell's equations, each with a mark: " " as in the base, "~"
    differs, "+" only here; ``base_lines`` those of the base, "-" for what only that has. ``differing`` are the nodes of
    the cell that the base has not, or not so.
    """

    cell: CellGraph
    base: CellGraph
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


def difference(cell: CellGraph, base: CellGraph) -> Difference:
    """Return the differences of ``cell`` from ``base``."""
    found = match(cell, base)
    same = canonicalise(cell).digest == canonicalise(base).digest
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


def _marked(
    cell: CellGraph, parts: Parts, changed: set[int], matched: set[int], alone: Mark
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
