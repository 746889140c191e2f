"""Which products of a cell are computed together: once for the sequence, or at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.nodes import Apply
from nas_rnn.execution.layout import Layout, Matrix


@dataclass(frozen=True)
class Run:
    """Owners whose products read the same values, and so are added up side by side as columns of one block.

    ``hoisted`` are the sources that no state reaches; ``steps`` those that are met at each step, in order.
    """

    owners: tuple[int, ...]
    hoisted: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """All products of a step that read ``source``: one matrix product whose columns are those of ``runs``."""

    source: int
    level: int
    runs: tuple[Run, ...]

    @property
    def owners(self) -> tuple[int, ...]:
        return tuple(owner for run in self.runs for owner in run.owners)

    @property
    def is_whole(self) -> bool:
        """Whether all columns start here, and from the same hoisted products: one addmm does it all."""
        first = self.runs[0].hoisted
        return bool(first) and all(run.hoisted == first and run.steps[0] == self.source for run in self.runs)


@dataclass(frozen=True)
class Grouping:
    """The groups in the order in which a step computes them, and the segments computed before the loop.

    ``segments`` holds blocks of columns that are wanted as one piece, listed under the sources they come
    from. ``activations[owner]`` is the one node that reads a product's sum and nothing else, where it is
    unary.
    """

    groups: tuple[Group, ...]
    segments: dict[tuple[int, ...], tuple[tuple[int, ...], ...]]
    activations: dict[int, int]


def make_grouping(layout: Layout) -> Grouping:
    """Group the products of ``layout`` (those without heads)."""
    matrices = [matrix for matrix in layout.matrices if matrix.heads == 1]
    activations = _activations(layout)
    runs = _runs(layout, matrices, activations)
    sources = sorted(
        {source for run in runs for source in run.steps}, key=_step_order(layout, matrices).index
    )
    groups = tuple(Group(s, layout.levels[s], tuple(run for run in runs if s in run.steps)) for s in sources)
    whole = {run: group for group in groups if group.is_whole for run in group.runs}
    segments: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for run in runs:
        if not run.hoisted:
            continue
        pieces = segments.setdefault(run.hoisted, [])
        wanted = (
            [whole[run].owners] if run in whole else [run.owners] if run.steps else [(o,) for o in run.owners]
        )
        pieces += [piece for piece in wanted if piece not in pieces]
    return Grouping(groups, {sources: tuple(pieces) for sources, pieces in segments.items()}, activations)


def _step_order(layout: Layout, matrices: Sequence[Matrix]) -> list[int]:
    """Return the sources that a state reaches, by level, then as the parameters are packed."""
    wanted = {m.source: (layout.levels[m.source], m.owner, m.argument) for m in reversed(matrices)}
    return sorted((s for s in wanted if layout.levels[s] >= 0), key=wanted.__getitem__)


def _runs(layout: Layout, matrices: Sequence[Matrix], activations: dict[int, int]) -> list[Run]:
    order = _step_order(layout, matrices)
    sources: dict[int, set[int]] = {}
    for matrix in matrices:
        sources.setdefault(matrix.owner, set()).add(matrix.source)

    def reads(owner: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        steps = sorted(order.index(source) for source in sources[owner] if layout.levels[source] >= 0)
        return tuple(steps), tuple(sorted(source for source in sources[owner] if layout.levels[source] < 0))

    def function(owner: int) -> str:
        node = layout.canonical.nodes[activations.get(owner, 0)]
        return node.operation if isinstance(node, Apply) else ""

    owners = sorted(sources, key=lambda owner: (*reads(owner), function(owner), owner))
    return [
        Run(tuple(members), hoisted, tuple(order[k] for k in steps))
        for (steps, hoisted), members in groupby(owners, key=reads)
    ]


def _activations(layout: Layout) -> dict[int, int]:
    canonical = layout.canonical
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(canonical.nodes):
        for source in node.inputs:
            readers.setdefault(source, []).append(index)
    found = {}
    for matrix in layout.matrices:
        nodes = readers.get(matrix.owner, [])
        if len(nodes) == 1 and matrix.owner not in canonical.outputs:
            reader = canonical.nodes[nodes[0]]
            if isinstance(reader, Apply) and find_operation(reader.operation).arity == 1:
                found[matrix.owner] = nodes[0]
    return found
