"""Prints a cell's loop over time as two Triton kernels, forwards and backwards: the code of all stages, and the
products between them.

A program takes a block of the batch through all steps. It writes what a stage computes to the tensors of the sequence,
where other threads of the program read it after a barrier; no other program does. So the weights are all that programs
share, and these do not change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.fused.rowcode import Effect, RowCode
from nas_rnn.execution.fused.schedule import Run, Schedule
from nas_rnn.execution.fused.triton.printing import (
    UNITS,
    RowPrinter,
    TritonCode,
    module_of,
    number,
    tensor_of,
)
from nas_rnn.execution.fused.triton.printing import Kernel as StageKernel

FIXED = ("steps", "B", "H", "I", "active", "restarts")
"""The parameters before the tensors: sizes, how many sequences still run at each step (read only where ``PACKED``), and
where they begin anew (where ``RESTARTS``)."""
SIZES = (
    "F: tl.constexpr, P: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr, PACKED: tl.constexpr,"
    " RESTARTS: tl.constexpr, ROWS: tl.constexpr, U: tl.constexpr, UH: tl.constexpr, UI: tl.constexpr,"
    " COLUMNS: tl.constexpr, DEPTH: tl.constexpr"
)
PRODUCT = "F, P, DOT, PRECISION"
BLOCKS = "ROWS, COLUMNS, DEPTH"
BARRIER = "        tl.debug_barrier()"
STEP = (Kind.PREVIOUS, Kind.D_PREVIOUS, Kind.D_NEW)
"""Places whose address at a step is computed where it begins, in a variable of their tensor's name."""


@dataclass(frozen=True)
class SequenceCode:
    """The module of both kernels, and their parameters after `FIXED`; ``weights`` are packed parameters among these."""

    code: TritonCode
    weights: frozenset[str]


def print_sequence(schedule: Schedule, gradient: Gradient, codes: Mapping[str, RowCode]) -> SequenceCode:
    """Return the kernels ``forward`` and ``backward``; ``codes`` are those of the stages, named as
    `nas_rnn.execution.fused.triton.kernels.make_kernels` does."""
    printers = {d: _SequencePrinter(d, schedule, gradient, codes) for d in ("forward", "backward")}
    kernels = {}
    for direction, printer in printers.items():
        body = list(printer.body())
        names = (*printer.tensors, *printer.weights)
        head = [
            '@triton.jit(do_not_specialize=["steps", "B"])',
            f"def {direction}({', '.join((*FIXED, *names))}, {SIZES}):",
        ]
        kernels[direction] = StageKernel(direction, "\n".join([*head, *body]) + "\n", names, False, False)
    name, source = module_of([kernel.source for kernel in kernels.values()])
    weights = frozenset(weight for printer in printers.values() for weight in printer.weights)
    return SequenceCode(TritonCode(name, source, kernels), weights)


class _StepPrinter(RowPrinter):
    """Prints the code of a stage at a step, for some units at a time unless it adds up over all of them."""

    def __init__(self, schedule: Schedule, gradient: Gradient, code: RowCode) -> None:
        super().__init__(schedule, code)
        self.gradient = gradient
        self.whole_rows = any(s.call == "sum" for s in code.statements)
        if not self.whole_rows:
            self.widths = {"hidden": "U", "input": "U", "one": "1"}

    def row(self, leaf: Leaf) -> str:
        return row_of(self.gradient, leaf)

    def stage(self) -> Iterator[str]:
        sizes = {s.width for s in self.code.statements} & {"hidden", "input"} or {"hidden"}
        end = " if H > I else ".join(UNITS[size][0] for size in sorted(sizes))
        yield f"        for first in range(0, {'1' if self.whole_rows else end}, {'1' if self.whole_rows else 'U'}):"
        for size, (units, letter) in UNITS.items():
            yield f"            {letter} = first + tl.arange(0, {self.widths[size]})[None, :]"
            yield f"            in_{letter} = {letter} < {units}"
        loads = [s.call == "load" for s in self.code.statements]
        for index in sorted(range(len(loads)), key=lambda index: not loads[index]):  # all in flight at once
            yield f"            v{index} = {self.expression(index)}"
        for k, effect, leaf in self.added:
            place, mask = self.gathered(effect, leaf)
            added = self.added_up(effect, leaf, self.code.effects[k][2])
            yield f"            p{k} = {place}"
            yield f"            g{k} = tl.load(p{k}, mask={mask}, other=0.0) + {added}"
        if self.in_place or self.added:  # another thread may hold a copy of what one writes
            yield "            tl.debug_barrier()"
        for k, (effect, leaf, value) in enumerate(self.code.effects):
            if effect is Effect.STORE:
                yield f"            {self.store(leaf, value)}"
            else:
                yield f"            tl.store(p{k}, g{k}, mask={self.gathered(effect, leaf)[1]})"
        yield BARRIER


def row_of(gradient: Gradient, leaf: Leaf) -> str:
    """Return the number of a row within the tensor of ``leaf``, or within its part for the step."""
    within = leaf.kind in STEP or (leaf.kind in (Kind.D_SLOT, Kind.D_KEPT) and not gradient.is_sequence(leaf))
    return "b" if within else "r"


class _SequencePrinter:
    def __init__(
        self, direction: str, schedule: Schedule, gradient: Gradient, codes: Mapping[str, RowCode]
    ) -> None:
        self.direction, self.schedule, self.gradient = direction, schedule, gradient
        self.stages = schedule.stages[schedule.bulk :]
        self.codes = {
            stage.number: _StepPrinter(schedule, gradient, codes[f"{direction}_{stage.number}"])
            for stage in self.stages
        }
        self.weights: dict[str, None] = {}
        """The packed parameters that are read, in the order in which they are first."""
        self.units = [UNITS[size][0] for size in schedule.sizes[1 : 1 + len(schedule.output_stages)]]
        self.init = [number(path.init) for path in schedule.layout.canonical.states]

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors that both directions take, also those which one does not read."""
        paths = range(len(self.units))
        read = {name for printer in self.codes.values() for name in printer.tensors}
        read |= {tensor_of(run.source) for stage in self.stages for run in stage.forward}
        read |= {tensor_of(target) for _, target, _ in self.products()}
        names = {name for name in read if not name.startswith(("previous_", "d_previous_", "d_new_"))}
        names |= {"learned", "gathered", "slots"}
        names |= {f"{what}_{path}" for what in ("start", "new", "before") for path in paths}
        if self.direction == "backward":
            names |= {f"d_state_{path}" for path in paths}
        return tuple(sorted(names))

    def products(self) -> list[tuple[Run, Leaf, bool]]:
        if self.direction == "forward":
            return []
        return [product for stage in self.stages for product in self.gradient.products[stage.number]]

    def body(self) -> Iterator[str]:
        yield "    program = tl.program_id(0)"
        yield "    b = (program * ROWS + tl.arange(0, ROWS)[:, None]).to(tl.int64)"
        yield "    in_b = b < B"
        yield "    for turn in range(steps):"
        t = "turn" if self.direction == "forward" else "steps - 1 - turn"
        yield f"        t = tl.cast({t}, tl.int64)"
        yield "        r = t * B + b"
        yield "        in_r = in_b"
        yield "        if PACKED:"
        yield "            in_r = in_r & (b < tl.load(active + t))"
        yield "        if RESTARTS:"
        yield "            again = in_r & (tl.load(restarts + r, mask=in_b, other=0) != 0)"
        yield from self.states()
        yield from self.forward() if self.direction == "forward" else self.backward()

    def states(self) -> Iterator[str]:
        """Print where the state paths lie before the step, and their gradients on both sides of it."""
        for path, units in enumerate(self.units):
            yield "        if t > 0:"
            yield f"            previous_{path} = new_{path} + (t - 1) * B * {units}"
            yield "        else:"
            yield f"            previous_{path} = start_{path}"
            yield "        if RESTARTS:"
            if self.direction == "forward":
                yield (
                    f"            begin_anew(before_{path} + t * B * {units}, previous_{path}, b, in_b, again,"
                    f" {self.init[path]}, {units}, U)"
                )
            yield f"            previous_{path} = before_{path} + t * B * {units}"
            if self.direction == "backward":
                delayed = path in self.schedule.delayed
                before, after = ("t", "(steps + t)") if delayed else ("((t + 1) % 2)", "(t % 2)")
                for name, at in ((f"d_previous_{path}", before), (f"d_new_{path}", after)):
                    yield f"        {name} = d_state_{path} + {at} * B * {units}"
        if self.direction == "forward":
            yield "        if RESTARTS:"
            yield "            tl.debug_barrier()"

    def forward(self) -> Iterator[str]:
        for stage in self.stages:
            if self.codes[stage.number].code.effects:
                yield from self.codes[stage.number].stage()
            for run in stage.forward:
                yield from self.forward_product(run)
        yield "        if PACKED:"
        for path, units in enumerate(self.units):
            rows = f"b, in_b & (in_r == 0), {units}, U"
            yield f"            copy_rows(new_{path} + t * B * {units}, previous_{path}, {rows})"
        yield "            tl.debug_barrier()"

    def backward(self) -> Iterator[str]:
        for stage in reversed(self.stages):
            for run, target, adds in self.gradient.products[stage.number]:
                yield from self.backward_product(run, target, adds)
            if self.codes[stage.number].code.effects:
                yield from self.codes[stage.number].stage()
        paths = [(p, units) for p, units in enumerate(self.units) if p not in self.schedule.delayed]
        yield "        if PACKED:"
        for path, units in paths:
            yield f"            copy_rows(d_previous_{path}, d_new_{path}, b, in_b & (in_r == 0), {units}, U)"
        yield f"            clear_rows(slots, r, in_b & (in_r == 0), {len(self.schedule.slots)} * H, U)"
        yield "        if RESTARTS:"
        for path, units in enumerate(self.units):
            yield f"            clear_rows(d_previous_{path}, b, again, {units}, U)"
        yield BARRIER

    def forward_product(self, run: Run) -> Iterator[str]:
        units = UNITS[run.source.size][0]
        source = f"{tensor_of(run.source)}, {row_of(self.gradient, run.source)}, {units}"
        for first, weight, heads, count in self.pieces(run, units):
            columns, depth = _blocks(heads, count, units)
            yield (
                f"        multiply({source}, {weight}, slots + {run.slot + first} * H, r, {self.apart}, in_r,"
                f" {heads}, {columns}, {depth}, {depth}, 1, {PRODUCT}, {run.adds}, {BLOCKS})"
            )
        yield BARRIER

    def backward_product(self, run: Run, target: Leaf, adds: bool) -> Iterator[str]:
        units = UNITS[run.source.size][0]
        to = f"{tensor_of(target)}, {row_of(self.gradient, target)}, {units}"
        for first, weight, heads, count in self.pieces(run, units):
            depth, columns = _blocks(heads, count, units)
            yield (
                f"        multiply(slots + {run.slot + first} * H, r, {self.apart}, {weight}, {to}, in_r,"
                f" {heads}, {columns}, {depth}, 1, {columns}, {PRODUCT}, {adds}, {BLOCKS})"
            )
            yield BARRIER
            adds = True

    @property
    def apart(self) -> str:
        """How far rows of the slots lie apart."""
        return f"{len(self.schedule.slots)} * H"

    def pieces(self, run: Run, units: str) -> Iterator[tuple[int, str, int, int]]:
        """Return, for each part of the packed parameters that a run consists of: how many slots come before its own
        within the run, where it lies, its heads, and how many matrices it is."""
        hidden = self.schedule.layout.hidden_size
        for first, matrices in run.neighbours:
            place, heads = matrices[0].place, matrices[0].heads
            self.weights[place.tensor] = None
            weight = place.tensor if heads > 1 else f"{place.tensor} + {place.start // hidden} * H * {units}"
            yield first, weight, heads, len(matrices)


def _blocks(heads: int, count: int, units: str) -> tuple[str, str]:
    """Return how many rows and columns a block of a matrix has."""
    return (f"H // {heads}", f"{units} // {heads}") if heads > 1 else (f"{count} * H", units)
