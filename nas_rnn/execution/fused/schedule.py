"""What of a cell is computed when: stages of elementwise code, and the matrix products between them.

Stages come first for what the input alone decides ("bulk": computed once for the whole sequence), then those
of a step. The products of a stage read what it and earlier ones computed, and add up in *slots*, one for each
`linear`, which later stages read. So the number of a step's stages is the number of dependency levels plus
one, and all products of one level that read one value are a single product.

A value is computed in the latest stage that serves all its readers, so that few values cross stages; those
that do, and those that products read, are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from nas_rnn.cells import find_operation
from nas_rnn.cells.expressions import names_in
from nas_rnn.cells.graph import Apply, Constant, Diagonal, Input, LayerNorm, Node, Project, State, ValueSize
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.layout import Layout, Matrix, Place

COSTLY = ("exp", "log", "sqrt", "sin", "cos", "erf", "tanh", "sigmoid", "/")
"""Marks in an operation's expression that make it worth storing instead of computing it twice."""


@dataclass(frozen=True)
class Run:
    """One product: matrices that read the value at ``source``, for neighbouring slots from ``slot`` on.

    ``adds``: whether the slots hold something to which it is added.
    """

    source: Leaf
    slot: int
    matrices: tuple[Matrix, ...]
    adds: bool


@dataclass(frozen=True)
class Stage:
    """Elementwise code, then products. ``nodes`` are those computed here, ``forward`` its products; backwards
    the same products are grouped as ``backward`` says."""

    number: int
    bulk: bool
    nodes: tuple[int, ...]
    forward: tuple[Run, ...]
    backward: tuple[Run, ...]


@dataclass(frozen=True)
class Schedule:
    """``slots[k]`` is the node whose products slot k sums up; ``active[k]`` the operation that alone reads it
    and can be differentiated from its own value, which then takes the sum's place.

    ``sizes`` are the nodes' sizes, where all is hidden_size if a projection that needs no matrix makes the
    input's size so; ``same_as`` gives the argument of such a projection, and else the node itself. ``stored``
    says where a computed value lies; ``stage_of`` in which stage each node is computed. ``fixed`` nodes
    depend on learned numbers alone; ``rows`` and ``numbers`` list what stages read of these, as (what, node):
    "bias" (with all products of fixed values), "diagonal", "gain", "shift" or "value". ``delayed`` state
    paths hold what the input alone decided a step before; ``output_stages`` says where each path's next value
    is written.
    """

    layout: Layout
    sizes: tuple[ValueSize, ...]
    same_as: tuple[int, ...]
    stages: tuple[Stage, ...]
    slots: tuple[int, ...]
    active: tuple[int | None, ...]
    stored: dict[int, Leaf]
    stage_of: dict[int, int]
    kept: tuple[int, ...]
    norms: tuple[int, ...]
    fixed: frozenset[int]
    rows: tuple[tuple[str, int], ...]
    numbers: tuple[tuple[str, int], ...]
    delayed: frozenset[int]
    output_stages: tuple[int, ...]

    def place_of(self, what: str, node: int) -> Place | None:
        """Return where among the packed parameters a row or number stands; None where it is computed."""
        vectors = {
            "bias": self.layout.biases,
            "diagonal": self.layout.diagonals,
            "gain": self.layout.gains,
            "shift": self.layout.shifts,
            "value": (*self.layout.scalars, *self.layout.vectors),
        }[what]
        adds = what == "bias" and any(
            m.owner == node and m.source in self.fixed for m in self.layout.matrices
        )
        return None if adds else next((v.place for v in vectors if v.owner == node), None)

    @cached_property
    def _row_counts(self) -> tuple[int, int]:
        sizes = [self.sizes[node] for _, node in self.rows]
        return sizes.count("hidden"), sizes.count("input")

    def before(self, leaf: Leaf) -> tuple[int, int, int]:
        """Return what lies before a learned row or number: how many rows of hidden size, of input size, and
        numbers, which follow each other in this order."""
        hidden, inputs = self._row_counts
        if leaf.kind is Kind.NUMBER:
            return hidden, inputs, leaf.index
        return (leaf.index, 0, 0) if leaf.size == "hidden" else (hidden, leaf.index - hidden, 0)

    @cached_property
    def bulk(self) -> int:
        """How many stages run before the loop."""
        return sum(stage.bulk for stage in self.stages)

    @property
    def is_linear(self) -> bool:
        """Whether no product is left in the loop."""
        return not any(stage.forward for stage in self.stages if not stage.bulk)


@lru_cache(maxsize=1024)
def make_schedule(layout: Layout) -> Schedule:
    """Return the schedule of one layer and direction."""
    return _Scheduler(layout).schedule()


class _Scheduler:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.nodes = layout.canonical.nodes
        self.outputs = layout.canonical.outputs
        self.owners = {matrix.owner for matrix in layout.matrices}
        self.sizes = self._sizes()
        self.fixed = self._fixed()
        self.delayed = self._delayed()
        self.is_bulk, self.levels = self._levels()
        self.products = [m for m in layout.matrices if self._at(m.source) not in self.fixed]
        read = [self._at(m.source) for m in self.products] + [self.outputs[path] for path in self.delayed]
        self.bulk = max((self.levels[i] for i in read if self.is_bulk[i]), default=-1) + 1
        steps = [level for level, is_bulk in zip(self.levels, self.is_bulk, strict=True) if not is_bulk]
        self.last = self.bulk + max(steps, default=0)
        self.slots = self._slots()
        self.users = self._users()

    def _sizes(self) -> tuple[ValueSize, ...]:
        sizes = self.layout.sizes
        same = any(
            isinstance(node, Project) and index not in self.owners and sizes[node.argument] == "input"
            for index, node in enumerate(self.nodes)
        )
        return tuple("hidden" if same and size == "input" else size for size in sizes)

    def _at(self, node: int) -> int:
        """Return the node whose value ``node`` has: a projection that needs no matrix is its argument."""
        found = self.nodes[node]
        while isinstance(found, Project) and node not in self.owners:
            node = found.argument
            found = self.nodes[node]
        return node

    def inputs(self, node: int) -> list[int]:
        """Return what the elementwise code of ``node`` reads."""
        if node in self.owners:
            return []
        return [self._at(i) for i in self.nodes[node].inputs]

    def _fixed(self) -> frozenset[int]:
        found: set[int] = set()
        for index, node in enumerate(self.nodes):
            if not isinstance(node, Input | State) and found.issuperset(node.inputs):
                found.add(index)
        return frozenset(found)

    def _delayed(self) -> frozenset[int]:
        """Return the state paths whose next values the input alone decides, or other such paths: what they
        hold is known for the whole sequence at once."""
        found: set[int] = set()
        while True:
            known: set[int] = set(self.fixed)
            for index, node in enumerate(self.nodes):
                is_known = node.path in found if isinstance(node, State) else known.issuperset(node.inputs)
                if is_known:
                    known.add(index)
            new = {path for path, output in enumerate(self.outputs) if output in known} - found
            if not new:
                return frozenset(found)
            found |= new

    def _levels(self) -> tuple[list[bool], list[int]]:
        """Return which values are known before the loop, and the number of products between the input (or
        the states, for the others) and each; what a delayed state held comes one level later than that."""
        is_bulk: dict[int, bool] = {}
        levels: dict[int, int] = {}

        def needed(index: int) -> Sequence[int]:
            node = self.nodes[index]
            if isinstance(node, State):
                return [self.outputs[node.path]] if node.path in self.delayed else []
            return node.inputs

        def visit(index: int) -> None:
            node = self.nodes[index]
            if isinstance(node, State):
                is_bulk[index] = node.path in self.delayed
                levels[index] = levels[self.outputs[node.path]] + 1 if is_bulk[index] else 0
                return
            is_bulk[index] = all(is_bulk[i] for i in node.inputs)
            deepest = max((levels[i] for i in node.inputs if is_bulk[i] == is_bulk[index]), default=0)
            levels[index] = deepest + (index in self.owners and index not in self.fixed)

        stack = list(reversed(range(len(self.nodes))))
        while stack:
            waiting = [i for i in needed(stack[-1]) if i not in levels]
            if stack[-1] in levels:
                stack.pop()
            elif waiting:
                stack += waiting
            else:
                visit(stack.pop())
        order = range(len(self.nodes))
        return [is_bulk[i] for i in order], [levels[i] for i in order]

    def stage_read(self, source: int) -> int:
        """Return the stage after which products read ``source``."""
        return self.levels[source] if self.is_bulk[source] else self.bulk + self.levels[source]

    def _slots(self) -> tuple[int, ...]:
        """Return the owners of slots, those that read the same values side by side."""
        first: dict[int, int] = {}
        reads: dict[int, set[int]] = {}
        for number, matrix in enumerate(sorted(self.products, key=lambda m: m.place)):
            first.setdefault(matrix.owner, number)
            reads.setdefault(matrix.owner, set()).add(self.stage_read(self._at(matrix.source)))
        sources: dict[int, set[int]] = {}
        for matrix in self.products:
            sources.setdefault(matrix.owner, set()).add(self._at(matrix.source))

        def key(owner: int) -> tuple[object, ...]:
            stages = sorted(reads[owner])
            return (stages[-1], len(stages) == 1, sorted(sources[owner], reverse=True), first[owner])

        return tuple(sorted(first, key=key))

    def _users(self) -> dict[int, list[int]]:
        users: dict[int, list[int]] = {}
        for index in range(len(self.nodes)):
            if index not in self.fixed and self._at(index) == index:
                for source in self.inputs(index):
                    users.setdefault(source, []).append(index)
        return users

    def schedule(self) -> Schedule:
        stage_of = self._stages()
        active = self._active(stage_of)
        stored = self._stored(stage_of, active)
        kept = tuple(
            sorted((n for n, leaf in stored.items() if leaf.kind is Kind.KEPT), key=stage_of.__getitem__)
        )
        kept_at = {node: Leaf(Kind.KEPT, k, self.sizes[node]) for k, node in enumerate(kept)}
        stored |= kept_at
        rows, numbers = self._learned()
        return Schedule(
            self.layout,
            self.sizes,
            tuple(self._at(node) for node in range(len(self.nodes))),
            tuple(self._stage(number, stage_of, stored) for number in range(self.last + 1)),
            self.slots,
            active,
            stored,
            stage_of,
            kept,
            tuple(i for i, n in enumerate(self.nodes) if isinstance(n, LayerNorm) and i not in self.fixed),
            self.fixed,
            rows,
            numbers,
            self.delayed,
            tuple(self._output_stage(path, stage_of) for path in range(len(self.outputs))),
        )

    def _output_stage(self, path: int, stage_of: dict[int, int]) -> int:
        node = self._at(self.outputs[path])
        if path in self.delayed:
            return self.levels[node]
        return self.last if node in self.owners else stage_of.get(node, self.last)

    def computed(self) -> Iterable[int]:
        """Return the nodes that have elementwise code, or load a slot."""
        for index, node in enumerate(self.nodes):
            plain = isinstance(node, Input | State | Constant)
            if not plain and index not in self.fixed and self._at(index) == index:
                yield index

    def _stages(self) -> dict[int, int]:
        """Return the stage of each computed node: the latest that serves all readers."""
        reading: dict[int, int] = {}
        for matrix in self.products:
            source = self._at(matrix.source)
            reading[source] = min(reading.get(source, self.last), self.stage_read(source))
        held = {self._at(self.outputs[path]) for path in self.delayed}
        stages: dict[int, int] = {}
        for node in reversed(list(self.computed())):
            wanted = [stages[user] for user in self.users.get(node, [])]
            if node in reading:
                wanted.append(reading[node])
            if node in held:
                wanted.append(self.levels[node])
            stages[node] = min(wanted, default=self.last)
        return stages

    def _active(self, stage_of: dict[int, int]) -> tuple[int | None, ...]:
        read_by_products = {self._at(m.source) for m in self.products}
        found: list[int | None] = []
        for owner in self.slots:
            users = self.users.get(owner, [])
            alone = len(users) == 1 and owner not in self.outputs and owner not in read_by_products
            reader = self.nodes[users[0]] if alone else None
            from_value = isinstance(reader, Apply) and _from_its_value(reader)
            found.append(users[0] if from_value else None)
        return tuple(found)

    def _stored(self, stage_of: dict[int, int], active: Sequence[int | None]) -> dict[int, Leaf]:
        sizes = self.sizes
        stored: dict[int, Leaf] = {}
        outputs = [self._at(node) for node in self.outputs]
        for path, node in reversed(list(enumerate(outputs))):
            if node in stage_of and node not in self.owners:
                stored[node] = Leaf(Kind.NEW, path, sizes[node])
        for matrix in self.products:
            source = self._at(matrix.source)
            if source in stage_of and source not in stored:
                stored[source] = Leaf(Kind.KEPT, 0, sizes[source])
        for slot, reader in enumerate(active):
            if reader is not None and reader not in stored:
                stored[reader] = Leaf(Kind.SLOT, slot)
        for node in self.computed():
            if node in stored or node in self.owners:
                continue
            ends = [stage_of[u] for u in self.users.get(node, [])]
            if max(ends) > stage_of[node] and not self.cheap(node, stored):
                stored[node] = Leaf(Kind.KEPT, 0, sizes[node])
        return stored

    def cheap(self, node: int, stored: dict[int, Leaf], depth: int = 2) -> bool:
        """Whether ``node`` is better computed again than kept."""
        found = self.nodes[node]
        if node in stored or node in self.fixed or node in self.owners:
            return True
        if isinstance(found, Input | State | Constant):
            return True
        plain = isinstance(found, Diagonal) or (isinstance(found, Apply) and not is_costly(found))
        return plain and depth > 0 and all(self.cheap(i, stored, depth - 1) for i in self.inputs(node))

    def _learned(self) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]:
        biased = {vector.owner for vector in self.layout.biases}
        biased |= {m.owner for m in self.layout.matrices if self._at(m.source) in self.fixed}
        rows = [("bias", owner) for owner in self.slots if owner in biased]
        numbers: list[tuple[str, int]] = []
        for node in self.computed():
            if isinstance(self.nodes[node], Diagonal):
                rows.append(("diagonal", node))
            if isinstance(self.nodes[node], LayerNorm):
                rows += [("gain", node), ("shift", node)]
        read = {i for node in self.computed() for i in self.inputs(node)} | {
            self._at(i) for i in self.outputs
        }
        for node in sorted(read & self.fixed):
            if not isinstance(self.nodes[node], Constant):
                (numbers if self.sizes[node] == "one" else rows).append(("value", node))
        return tuple(sorted(rows, key=self._row_order)), tuple(numbers)

    def _row_order(self, row: tuple[str, int]) -> tuple[object, ...]:
        """Rows of hidden size first; within a size as the parameters are packed, so that few are gathered."""
        what, node = row
        kinds = ("bias", "diagonal", "gain", "shift", "value")
        place = next((v.place.start for v in self.layout.biases if v.owner == node), 0)
        return (self.sizes[node] == "input", kinds.index(what), place if what == "bias" else node)

    def _stage(self, number: int, stage_of: dict[int, int], stored: dict[int, Leaf]) -> Stage:
        nodes = tuple(n for n in self.computed() if stage_of[n] == number and n not in self.owners)
        here = [m for m in self.products if self.stage_read(self._at(m.source)) == number]
        forward = self._runs(here, stored, number)
        return Stage(number, number < self.bulk, nodes, forward, self._runs(here, stored, None))

    def _runs(
        self, matrices: Sequence[Matrix], stored: dict[int, Leaf], number: int | None
    ) -> tuple[Run, ...]:
        """Group products of one source over neighbouring slots; forwards also by whether they add."""
        place = {owner: slot for slot, owner in enumerate(self.slots)}
        before = set() if number is None else self._written_before(number)
        by_source: dict[Leaf, list[Matrix]] = {}
        for matrix in sorted(matrices, key=lambda m: (place[m.owner], m.argument)):
            by_source.setdefault(self.leaf(self._at(matrix.source), stored), []).append(matrix)
        runs: list[Run] = []
        for source, found in by_source.items():
            open_run: list[Matrix] = []
            adds = False
            for matrix in found:
                now = matrix.owner in before
                if number is not None:
                    before.add(matrix.owner)
                follows = bool(open_run) and place[matrix.owner] == place[open_run[-1].owner] + 1
                same = follows and adds == now and matrix.heads == open_run[-1].heads == 1
                if open_run and not same:
                    runs.append(Run(source, place[open_run[0].owner], tuple(open_run), adds))
                    open_run = []
                open_run.append(matrix)
                adds = now
            runs.append(Run(source, place[open_run[0].owner], tuple(open_run), adds))
        return tuple(runs)

    def _written_before(self, number: int) -> set[int]:
        return {m.owner for m in self.products if self.stage_read(self._at(m.source)) < number}

    def leaf(self, node: int, stored: dict[int, Leaf]) -> Leaf:
        """Return where the source of a product lies."""
        found: Node = self.nodes[node]
        if isinstance(found, Input):
            return Leaf(Kind.X, 0, self.sizes[0])
        if isinstance(found, State):
            return Leaf(Kind.PREVIOUS, found.path, self.sizes[node])
        return stored[node]


def is_costly(node: Apply) -> bool:
    """Whether the operation of ``node`` is worth storing instead of computing it twice."""
    return any(mark in find_operation(node.operation).value for mark in COSTLY)


def _from_its_value(node: Apply) -> bool:
    """Whether a unary operation is differentiated from its own value alone."""
    row = find_operation(node.operation)
    return row.arity == 1 and names_in(row.derivative_trees[0]) <= {"y"}
