"""The row code of each stage, backwards: reverse mode on the cell's own graph.

The stages run in reverse. A stage reads the gradients of what it stored, and adds to those of what it read.
The gradient of a slot takes the slot's own place, in the first of its stages (which is the last to run), so
that the gradients of all weights are products of it and what the products read, for many steps at once. Who
comes first to a gradient writes it, the others add; this module decides who that is.
"""

from __future__ import annotations

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.expressions import names_in
from nas_rnn.cells.graph.nodes import Apply, Constant, Diagonal, Input, LayerNorm, State
from nas_rnn.execution.fused.forward import StageValues
from nas_rnn.execution.fused.places import Kind, Leaf, gradient_of
from nas_rnn.execution.fused.rowcode import RowCode
from nas_rnn.execution.fused.schedule import Run, Schedule, Stage


class Gradient:
    """The whole backward pass: ``codes[s]`` is run for stage s, after the ``products[s]`` that read the
    gradients of slots; each of these is a run, where its result goes, and whether it is added there."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.written: set[Leaf] = set()
        self.codes: dict[int, RowCode] = {}
        self.products: dict[int, list[tuple[Run, Leaf, bool]]] = {}
        self.places: set[Leaf] = set()
        """The step's and the sequence's gradients that are gathered outside slots and states."""
        for stage in reversed(schedule.stages):
            self.products[stage.number] = [self._product(run) for run in stage.backward]
            self.codes[stage.number] = _StageGradient(self, stage).run()

    def adds(self, leaf: Leaf) -> bool:
        """Whether something stands at ``leaf`` already; from now on something does."""
        if leaf.kind is Kind.D_NEW or (leaf.kind is Kind.D_PREVIOUS and leaf.index in self.schedule.delayed):
            return True
        self.places.add(leaf)
        known = leaf in self.written
        self.written.add(leaf)
        return known

    def _product(self, run: Run) -> tuple[Run, Leaf, bool]:
        target = gradient_of(run.source)
        return run, target, self.adds(target)

    def home(self, slot: int) -> int:
        """Return the stage whose backward code leaves the gradient in the slot."""
        return self.schedule.stage_of[self.schedule.slots[slot]]

    def is_sequence(self, leaf: Leaf) -> bool:
        """Whether a gathered gradient is wanted for the whole sequence, not only within a step."""
        stages = self.schedule.stages
        if leaf.kind is Kind.D_X:
            return True
        if leaf.kind in (Kind.D_PREVIOUS, Kind.D_NEW):
            return leaf.index in self.schedule.delayed
        if leaf.kind is Kind.D_KEPT:
            return stages[self.schedule.stage_of[self.schedule.kept[leaf.index]]].bulk
        return leaf.kind is Kind.D_SLOT and stages[self.home(leaf.index)].bulk


class _StageGradient:
    """Builds the backward code of one stage; ``parts`` are the gradients given to each node so far."""

    def __init__(self, whole: Gradient, stage: Stage) -> None:
        self.whole, self.stage, self.schedule = whole, stage, whole.schedule
        self.nodes = self.schedule.layout.canonical.nodes
        self.code = RowCode()
        self.values = StageValues(self.schedule, stage.number, self.code, backwards=True)
        self.parts: dict[int, list[int]] = {}

    def run(self) -> RowCode:
        self.values.begin(self.stage)
        self.seed_states()
        for node in range(len(self.nodes) - 1, -1, -1):
            self.add_stored(node)
            if node in self.parts and self.is_computed_here(node):
                self.node(node, self.code.total(self.parts.pop(node)))
        for slot, owner in enumerate(self.schedule.slots):
            if self.schedule.stage_of[owner] == self.stage.number:
                self.slot(slot, owner)
        for node in sorted(self.parts):
            self.hand_on(node, self.code.total(self.parts[node]))
        if self.stage.number == self.schedule.bulk:
            self.zero_states()
        return self.code.prune()

    def is_computed_here(self, node: int) -> bool:
        """Whether the stage computes ``node``: its own, and those of others that are not stored."""
        if self.schedule.same_as[node] != node or self.values.is_given(node) or node in self.values.slot_of:
            return False
        return self.schedule.stage_of[node] == self.stage.number or node not in self.schedule.stored

    def give(self, node: int, value: int) -> None:
        """Add ``value`` to the gradient of ``node``."""
        node = self.schedule.same_as[node]
        if not isinstance(self.nodes[node], Constant):
            self.parts.setdefault(node, []).append(value)

    def seed_states(self) -> None:
        """Give the gradients of the next states to what they are."""
        for path, output in enumerate(self.schedule.layout.canonical.outputs):
            if self.stage.number != self.schedule.output_stages[path]:
                continue
            node = self.schedule.same_as[output]
            size = self.schedule.sizes[1 + path]
            self.give(node, self.code.load(Leaf(Kind.D_NEW, path, size)))
            if path == 0:
                self.give(node, self.code.load(Leaf(Kind.D_OUTPUT, 0, size)))

    def add_stored(self, node: int) -> None:
        """Add what others gathered for a value that this stage stored."""
        leaf = self.schedule.stored.get(node)
        if leaf is None or self.schedule.stage_of[node] != self.stage.number or leaf.kind is Kind.NEW:
            return
        if gradient_of(leaf) in self.whole.written:
            self.give(node, self.code.load(gradient_of(leaf)))

    def node(self, node: int, d: int) -> None:
        """Hand the gradient ``d`` of a node to what it reads."""
        found, code = self.nodes[node], self.code
        match found:
            case Diagonal(argument=argument):
                weight = self.values.learned("diagonal", node)
                self.give(argument, code.call("*", d, code.load(weight)))
                code.add_row(weight, code.call("*", d, self.values[argument]))
            case LayerNorm():
                self.layer_norm(node, d)
            case Apply():
                self.apply(node, found, d)

    def apply(self, node: int, found: Apply, d: int) -> None:
        row = find_operation(found.operation)
        arguments = dict(zip(row.variables, found.arguments, strict=True)) | {"y": node}
        for argument, tree in zip(found.arguments, row.derivative_trees, strict=True):
            if isinstance(self.nodes[argument], Constant):
                continue
            variables = {name: self.values[arguments[name]] for name in names_in(tree)}
            slope = self.code.expression(tree, variables)
            if self.code.value_of(slope) != 0.0:
                self.give(argument, self.code.call("*", d, slope))

    def layer_norm(self, node: int, d: int) -> None:
        """Ba, Kiros & Hinton 2016, equation 3, differentiated; mean and deviation may span several values."""
        code, values = self.code, self.values
        _ = values[node]
        mean, scale = values.norms[node]
        inputs = values.inputs(node)
        whitened = [code.call("*", code.call("-", values[i], mean), scale) for i in inputs]
        gain = values.learned("gain", node)
        code.add_row(gain, code.call("*", d, whitened[0]))
        code.add_row(values.learned("shift", node), d)
        inner = code.call("*", d, code.load(gain))
        count = values.count(node)
        first = code.call("/", values.over_units(node, 0, inner), count)
        product = code.call("*", inner, whitened[0])
        second = code.call("/", values.over_units(node, 0, product), count)
        for k, argument in enumerate(inputs):
            common = code.call("+", first, code.call("*", whitened[k], second))
            direct = code.call("-", inner, common) if k == 0 else code.call("neg", common)
            self.give(argument, code.call("*", scale, direct))

    def slot(self, slot: int, owner: int) -> None:
        """Leave the gradient of a sum of products in the slot, and add it to its bias's."""
        parts = self.parts.pop(owner, [])
        gathered = Leaf(Kind.D_SLOT, slot)
        reader_is_stored_there = any(leaf == Leaf(Kind.SLOT, slot) for leaf in self.schedule.stored.values())
        if gathered in self.whole.written and not reader_is_stored_there:
            parts.append(self.code.load(gathered))
        total = self.code.total(parts) if parts else self.code.number(0.0)
        self.code.store(Leaf(Kind.SLOT, slot), total)
        if ("bias", owner) in self.schedule.rows:
            self.code.add_row(self.values.learned("bias", owner), total)

    def hand_on(self, node: int, total: int) -> None:
        """Add to the gradient of a value that another stage, or none, computed."""
        code, values = self.code, self.values
        if node in self.schedule.fixed:
            if ("value", node) in self.schedule.numbers:
                code.add_number(values.learned("value", node), total)
            else:
                code.add_row(values.learned("value", node), total)
            return
        target = gradient_of(self.place(node))
        code.store(target, code.call("+", code.load(target), total) if self.whole.adds(target) else total)

    def place(self, node: int) -> Leaf:
        """Return where the stage found the value of ``node``."""
        match self.nodes[node]:
            case Input():
                return Leaf(Kind.X, 0, self.schedule.sizes[0])
            case State(path=path):
                return Leaf(Kind.PREVIOUS, path, self.schedule.sizes[node])
        if node in self.schedule.stored:
            return self.schedule.stored[node]
        return Leaf(Kind.SLOT, self.values.slot_of[node])

    def zero_states(self) -> None:
        """Write the gradients of states that nothing reads."""
        for path in range(len(self.schedule.layout.canonical.states)):
            leaf = Leaf(Kind.D_PREVIOUS, path, self.schedule.sizes[1 + path])
            if not self.whole.adds(leaf):
                self.code.store(leaf, self.code.number(0.0))
