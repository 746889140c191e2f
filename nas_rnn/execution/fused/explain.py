"""A schedule in words: what is computed when, in which products, and what is kept for the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import Input, State
from nas_rnn.cells.views.equations.naming import Naming
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.places import Kind
from nas_rnn.execution.fused.schedule import Run, Schedule, Stage
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.layout import make_layout

SIZES = {"hidden": "hidden_size", "input": "input_size"}
WIDTH = 44
"""Where the second column begins."""


def explain_schedule(cell: Cell, input_size: int, hidden_size: int) -> str:
    """Return the schedule of ``cell`` as text, one product or stage a line."""
    schedule = make_schedule(make_layout(cell.canonical(), input_size, hidden_size))
    return "\n".join(_Explanation(cell, schedule).lines())


class _Explanation:
    def __init__(self, cell: Cell, schedule: Schedule) -> None:
        self.cell, self.schedule = cell, schedule
        self.nodes = schedule.layout.canonical.nodes
        self.original = schedule.layout.canonical.original
        self.named = Naming(cell).names
        self.users: dict[int, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for source in node.inputs:
                self.users.setdefault(schedule.same_as[source], []).append(index)
        self.slot_names = _told_apart(self.name(owner) for owner in schedule.slots)

    def name(self, node: int) -> str:
        """Return what a value is called: its name, or that of what it is for."""
        seen: set[int] = set()
        while node not in seen:
            seen.add(node)
            found = self.nodes[node]
            if isinstance(found, Input):
                return "x"
            if isinstance(found, State):
                return f"previous {self.cell.states[found.path].name}"
            origin = self.original[node]
            if origin is not None and origin in self.named:
                return self.named[origin]
            outputs = self.schedule.layout.canonical.outputs
            if node in outputs:
                return self.cell.states[outputs.index(node)].name
            node = self.users.get(node, [node])[0]
        return "?"

    def lines(self) -> Iterator[str]:
        stages = self.schedule.stages
        bulk = [stage for stage in stages if stage.bulk]
        levels = len(stages) - len(bulk) - 1
        count = (
            "no products"
            if levels == 0
            else f"{levels} dependency level{'s' if levels > 1 else ''} of products"
        )
        yield f"{self.cell.name}: {count} in a step"
        if bulk:
            yield "before some steps, for all of them at once"
            for stage in bulk:
                yield from self.stage(stage)
        yield "each step"
        for stage in stages[len(bulk) :]:
            yield from self.stage(stage)
        yield "each step backwards"
        yield from self.backwards(stages[len(bulk) :])
        yield "after some steps backwards"
        matrices = sum(len(run.matrices) for stage in stages for run in stage.backward)
        yield _columns("  gradients of all weights", f"for {matrices} matrices, one product each")
        yield from self.memory()

    def stage(self, stage: Stage) -> Iterator[str]:
        computed = [self.name(node) for node in stage.nodes]
        written = [
            self.cell.states[path].name
            for path, number in enumerate(self.schedule.output_stages)
            if number == stage.number
        ]
        names = list(dict.fromkeys([*computed, *written]))
        if names:
            yield f"  compute {' '.join(names)}"
        for run in stage.forward:
            yield _columns(f"  {self.source(run)} → {self.slots(run)}", self.size(run))

    def backwards(self, stages: tuple[Stage, ...]) -> Iterator[str]:
        gradient = Gradient(self.schedule)
        for stage in reversed(stages):
            for run, _, _ in gradient.products[stage.number]:
                yield _columns(
                    f"  d {self.slots(run)} → d {self.source(run)}", self.size(run, backwards=True)
                )
            owners = [
                k for k, o in enumerate(self.schedule.slots) if self.schedule.stage_of[o] == stage.number
            ]
            if gradient.codes[stage.number].effects:
                what = [self.slot_names[k] for k in owners] or ["what was read"]
                yield f"  compute d {' '.join(what)}"

    def source(self, run: Run) -> str:
        leaf = run.source
        match leaf.kind:
            case Kind.X:
                return "x"
            case Kind.PREVIOUS:
                return f"previous {self.cell.states[leaf.index].name}"
            case Kind.NEW:
                return self.cell.states[leaf.index].name
        return self.name(self.schedule.kept[leaf.index])

    def slots(self, run: Run) -> str:
        owners = [self.schedule.slots.index(matrix.owner) for matrix in run.matrices]
        return " ".join(self.slot_names[k] for k in owners)

    def size(self, run: Run, backwards: bool = False) -> str:
        count, heads = len(run.matrices), run.matrices[0].heads
        ours, theirs = SIZES[run.source.size], f"{count} hidden_size" if count > 1 else "hidden_size"
        blocks = f" in {heads} blocks" if heads > 1 else ""
        return f"{theirs} x {ours}{blocks}" if backwards else f"{ours} x {theirs}{blocks}"

    def memory(self) -> Iterator[str]:
        """Tell what a training step keeps of each step of each sequence."""
        layout, schedule = self.schedule.layout, self.schedule
        parts = [
            (len(schedule.slots) * layout.hidden_size, "sums of products"),
            (sum(layout.state_sizes), "states"),
            (sum(layout.width(n) for n in schedule.kept), " ".join(map(self.name, schedule.kept))),
            (2 * len(schedule.norms), "moments of layer norms"),
        ]
        total = sum(count for count, _ in parts)
        told = ", ".join(f"{count:,} for {what}" for count, what in parts if count)
        yield _columns(f"kept a step and sequence: {total:,} numbers", f"({told})")


def _told_apart(names: Iterable[str]) -> list[str]:
    """Return ``names``, those that occur again with a number."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}({seen[name]})")
    return found


def _columns(first: str, second: str) -> str:
    return f"{first:<{WIDTH}}  {second}" if second else first
