"""The fused backend: a whole sequence is one autograd function, compiled for the cell.

Products with what the input alone decides, and the gradients of all weights, are one product of torch's each
for the whole sequence; the loop over time with its products and all elementwise code is compiled C++. On a
GPU, `nas_rnn.execution.fused.triton` runs the loop.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.kernels import Kernels, Scratch, make_kernels
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.schedule import Run, Schedule
from nas_rnn.execution.fused.toolchain import compiler_problem
from nas_rnn.execution.fused.triton.modules import triton_problem
from nas_rnn.execution.layout import Layout, Matrix
from nas_rnn.execution.reference import Interpreter, product

ROWS_A_THREAD = 2
"""A thread is given at least so many sequences."""


def run_fused(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says; sequences stand in the order of
    falling lengths. Raises `CompileError` where the cell's code cannot be compiled."""
    if x_TBI.device.type == "cuda":
        from nas_rnn.execution.fused.triton.backend import run_triton  # it imports this module

        return run_triton(layout, parameters, x_TBI, states, mask_TB1)
    kernels = make_kernels(layout, x_TBI.dtype)
    make = partial(_CompiledBuffers, kernels)
    return run_sequence(make, kernels.schedule, parameters, x_TBI, states, mask_TB1)


def run_sequence(
    make: Callable[..., Buffers],
    schedule: Schedule,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction as one autograd function, in the buffers that ``make`` returns."""
    learned = learned_values(schedule, parameters, x_TBI)
    active = None if mask_TB1 is None else mask_TB1.sum((1, 2))
    results = _Sequence.apply(  # type: ignore[no-untyped-call]
        make, schedule, mask_TB1, active, len(states), x_TBI, learned, *states, *parameters.values()
    )
    return results[0], tuple(results[1:])


def can_run(x: Tensor, tensors: Sequence[Tensor]) -> bool:
    """Whether the fused backend computes with these: plain tensors on the CPU, or on one GPU of CUDA's, all
    float or all double."""
    plain = all(
        type(t) in (Tensor, torch.nn.Parameter) and t.device == x.device and t.dtype == x.dtype
        for t in (x, *tensors)
    )
    return (
        plain
        and x.device.type in ("cpu", "cuda")
        and x.dtype in (torch.float32, torch.float64)
        and x.numel() > 0
        and not torch._C._get_tracing_state()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled(x.device.type)
        and not _is_transformed()
    )


def _is_transformed() -> bool:
    """Whether tensors may be batches, or have tangents: within torch.func and forward-mode differentiation."""
    return (
        torch._C._functorch.maybe_current_level() is not None or torch.autograd.forward_ad._current_level >= 0
    )


def fused_problem(device: torch.device) -> str | None:
    """Return why nothing can be compiled for ``device``, and say it once; None where it can."""
    return triton_problem() if device.type == "cuda" else compiler_problem()


def learned_values(schedule: Schedule, parameters: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """Return the rows and numbers that the stages read, one after the other, as a function of the parameters."""
    pieces: list[Tensor] = []
    fixed = _Fixed(schedule, parameters, like) if schedule.fixed else None
    span: tuple[str, int, int] | None = None
    for what, node in (*schedule.rows, *schedule.numbers):
        place = schedule.place_of(what, node)
        if place is not None and span is not None and (place.tensor, place.start) == (span[0], span[2]):
            span = (span[0], span[1], place.stop)
            continue
        if span is not None:
            pieces.append(parameters[span[0]][span[1] : span[2]].flatten())
        span = None if place is None else (place.tensor, place.start, place.stop)
        if place is None:
            assert fixed is not None
            pieces.append(fixed.value(what, node).flatten())
    if span is not None:
        pieces.append(parameters[span[0]][span[1] : span[2]].flatten())
    if not pieces:
        return like.new_empty(0)
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


class _Fixed:
    """The values that depend on learned numbers alone, by the reference interpreter."""

    def __init__(self, schedule: Schedule, parameters: Mapping[str, Tensor], like: Tensor) -> None:
        self.schedule = schedule
        self.interpreter = Interpreter(schedule.layout, parameters)
        x = like.new_zeros(1, schedule.layout.input_size)
        self.values: list[Tensor] = []
        for index, node in enumerate(schedule.layout.canonical.nodes):
            known = index in schedule.fixed
            self.values.append(self.interpreter.value(index, node, x, (), self.values) if known else x)

    def value(self, what: str, node: int) -> Tensor:
        if what == "value":
            return self.values[node]
        # a slot's row: its bias, and what its products with fixed values come to
        total = self.interpreter.biases.get(node)
        for matrix in self.schedule.layout.matrices:
            if matrix.owner == node and matrix.source in self.schedule.fixed:
                source = self.values[matrix.source]
                part = product(source, self.interpreter.matrices[node, matrix.argument])[0]
                total = part if total is None else total + part
        assert total is not None
        return total


class _Sequence(torch.autograd.Function):
    """x, learned numbers, states' starts and parameters -> outputs and final states.

    The parameters' gradients that go by way of ``learned`` are given to that, except where the gradient is
    to be differentiated again: then all is computed by the eager backend, straight from the parameters.
    """

    @staticmethod
    def forward(
        ctx: Any,
        make: Callable[..., Buffers],
        schedule: Schedule,
        mask: Tensor | None,
        active: Tensor | None,
        paths: int,
        x: Tensor,
        learned: Tensor,
        *more: Tensor,
    ) -> tuple[Tensor, ...]:
        states, parameters = more[:paths], more[paths:]
        run = make(active, x, learned, states, parameters)
        run.forward()
        ctx.make, ctx.schedule, ctx.mask, ctx.active, ctx.paths = make, schedule, mask, active, paths
        ctx.slots_hold_gradients = False
        ctx.save_for_backward(x, learned, *more, *run.new, *run.kept, run.moments, run.slots)
        finals = (new[-1].clone() for new in run.new)
        return (run.new[0], *finals)

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled() or _is_transformed() or not all(map(_is_plain, d_results)):
            return _by_eager(ctx, d_results)
        saved = list(ctx.saved_tensors)
        schedule, paths = ctx.schedule, ctx.paths
        count = len(schedule.layout.shapes)
        x, learned, states = saved[0], saved[1], saved[2 : 2 + paths]
        parameters, made = saved[2 + paths : 2 + paths + count], saved[2 + paths + count :]
        run = ctx.make(ctx.active, x, learned, states, parameters)
        if ctx.slots_hold_gradients:  # a second time over one graph
            run.forward()
        else:
            kept = paths + len(schedule.kept)
            run.new, run.kept, (run.moments, run.slots) = made[:paths], made[paths:kept], made[kept:]
            ctx.slots_hold_gradients = True
        needs = ctx.needs_input_grad[5:]
        grads = run.backward(d_results[0], d_results[1:], needs[0], needs[2 + paths :])
        return (None, None, None, None, None, *grads)


def _is_plain(d: Tensor) -> bool:
    """Whether a gradient is a tensor of its own memory, and no batch of them (``is_grads_batched``)."""
    return type(d) is Tensor and not torch._C._functorch.is_legacy_batchedtensor(d)


def _by_eager(ctx: Any, d_results: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """Return the gradients by torch's operations: where they are to be differentiated again, and where
    ``d_results`` are a batch of gradients or otherwise no plain tensors."""
    again = torch.is_grad_enabled()
    layout, paths = ctx.schedule.layout, ctx.paths
    saved = ctx.saved_tensors
    count = len(layout.shapes)
    x, states = saved[0], saved[2 : 2 + paths]
    parameters = saved[2 + paths : 2 + paths + count]
    named = dict(zip((name for name, _ in layout.shapes), parameters, strict=True))
    with torch.enable_grad():
        output, finals = run_eager(layout, named, x, tuple(states), ctx.mask)
    results = [(r, d) for r, d in zip((output, *finals), d_results, strict=True) if r.requires_grad]
    inputs = [x, *states, *parameters]
    wanted = [i for i, tensor in enumerate(inputs) if tensor.requires_grad]
    found = torch.autograd.grad(
        [r for r, _ in results],
        [inputs[i] for i in wanted],
        [d for _, d in results],
        create_graph=again,
        allow_unused=True,
    )
    grads: list[Tensor | None] = [None] * len(inputs)
    for i, grad in zip(wanted, found, strict=True):
        grads[i] = grad
    return (None, None, None, None, None, grads[0], None, *grads[1:])


class Buffers(ABC):
    """The tensors of one sequence, and the calls that fill them: the products for the whole sequence are made
    here, those of the steps and all elementwise code where the abstract methods are defined."""

    def __init__(
        self,
        schedule: Schedule,
        gradient: Gradient,
        active: Tensor | None,
        x: Tensor,
        learned: Tensor,
        states: Sequence[Tensor],
        parameters: Sequence[Tensor],
    ) -> None:
        self.schedule, self.gradient, self.layout = schedule, gradient, schedule.layout
        self.steps, self.batch = x.shape[0], x.shape[1]
        self.active = active
        self.x = x.contiguous()
        self.learned = learned.contiguous()
        self.states = [state.contiguous() for state in states]
        self.parameters = dict(zip((name for name, _ in self.layout.shapes), parameters, strict=True))
        self.parameters = {name: tensor.contiguous() for name, tensor in self.parameters.items()}
        self.slots: Tensor
        self.new: list[Tensor]
        self.kept: list[Tensor]
        self.moments: Tensor
        self.pointers: dict[str, Tensor | int] = {}

    @abstractmethod
    def loop(self, direction: str) -> None:
        """Run the steps, "forward" or "backward"."""

    @abstractmethod
    def bulk_stage(self, direction: str, number: int) -> None:
        """Run the code of a stage before the loop for the whole sequence."""

    @abstractmethod
    def learned_gradient(self) -> Tensor:
        """Return the gradient of the learned numbers, after all stages backwards."""

    @property
    def rows(self) -> int:
        return self.steps * self.batch

    def new_sequence(self, width: int) -> Tensor:
        """Return a tensor (T, B, width); zeros where sequences end early, as products read all of it."""
        shape = (self.steps, self.batch, width)
        return self.x.new_empty(shape) if self.active is None else self.x.new_zeros(shape)

    def width(self, leaf: Leaf) -> int:
        return self.layout.input_size if leaf.size == "input" else self.layout.hidden_size

    # Forwards

    def forward(self) -> None:
        schedule = self.schedule
        self.slots = self.new_sequence(len(schedule.slots) * self.layout.hidden_size)
        self.new = [self.new_sequence(size) for size in self.layout.state_sizes]
        self.kept = [self.new_sequence(self.layout.width(node)) for node in schedule.kept]
        self.moments = self.new_sequence(2 * len(schedule.norms))
        for stage in schedule.stages:
            if stage.bulk:
                self.bulk_stage("forward", stage.number)
                for run in stage.forward:
                    self.bulk_product(run)
        self.loop("forward")

    def bulk_product(self, run: Run) -> None:
        """Multiply a sequence by matrices into neighbouring slots."""
        for slot, weight, columns in self.pieces(run):
            target = self.columns(slot, weight.shape[0])
            for source, rows in self.sources(run.source):
                part = source if columns is None else source[:, columns[0] : columns[1]]
                if run.adds:
                    target[rows].addmm_(part, weight.t())
                else:
                    torch.mm(part, weight.t(), out=target[rows])

    def columns(self, start: int, count: int) -> Tensor:
        """Return columns of the slots, from ``start`` on, as a matrix over all rows."""
        return self.slots.view(self.rows, -1)[:, start : start + count]

    def pieces(self, run: Run) -> Iterator[tuple[int, Tensor, tuple[int, int] | None]]:
        """Cut a run into the parts of packed parameters that it consists of: first column within the slots,
        the matrix, and the columns of the source that it reads (None: all)."""
        for first, matrices in self.neighbours(run):
            place = matrices[0].place
            tensor = self.parameters[place.tensor]
            column = (run.slot + first) * self.layout.hidden_size
            if matrices[0].heads == 1:
                yield column, tensor[place.start : matrices[-1].place.stop], None
                continue
            heads, out, size = tensor.shape
            for n in range(heads):
                yield column + n * out, tensor[n], (n * size, (n + 1) * size)

    def neighbours(self, run: Run) -> list[tuple[int, list[Matrix]]]:
        """Cut a run into matrices that lie one after the other in the packed parameters."""
        found: list[tuple[int, list[Matrix]]] = []
        for number, matrix in enumerate(run.matrices):
            before = found[-1][1][-1].place if found else None
            if before and (before.tensor, before.stop) == (matrix.place.tensor, matrix.place.start):
                found[-1][1].append(matrix)
            else:
                found.append((number, [matrix]))
        return found

    def sources(self, leaf: Leaf) -> list[tuple[Tensor, slice]]:
        """Return what products read over the whole sequence, as matrices, each with the rows that read it."""
        match leaf.kind:
            case Kind.X:
                found = self.x
            case Kind.KEPT:
                found = self.kept[leaf.index]
            case _:
                found = self.new[leaf.index]
        whole = found.view(self.rows, -1)
        if leaf.kind is not Kind.PREVIOUS:
            return [(whole, slice(None))]
        first = (self.states[leaf.index], slice(self.batch))
        return [first, (whole[: -self.batch], slice(self.batch, None))] if self.steps > 1 else [first]

    # Backwards

    def backward(
        self, d_output: Tensor, d_finals: Sequence[Tensor], needs_x: bool, needs: Sequence[bool]
    ) -> list[Tensor | None]:
        """Return the gradients of x, the learned numbers, the states' starts and the parameters."""
        self.pointers["d_output"] = d_output.contiguous()
        d_starts = [self.d_state(path, final) for path, final in enumerate(d_finals)]
        d_x = self.gathered_gradients(needs_x)
        self.loop("backward")
        for stage in reversed(self.schedule.stages):
            if stage.bulk:
                for run, target, adds in self.gradient.products[stage.number]:
                    if target.kind is not Kind.D_X or needs_x:
                        self.bulk_gradient(run, target, adds)
                self.join_gradients(stage.number)
                self.bulk_stage("backward", stage.number)
        weights = self.weight_gradients(needs)
        return [d_x if needs_x else None, self.learned_gradient(), *d_starts, *weights]

    def d_state(self, path: int, d_final: Tensor) -> Tensor:
        """Make room for the gradients of a state path; return where that of its start will be."""
        size = self.layout.state_sizes[path]
        if path not in self.schedule.delayed:
            both = self.x.new_empty(2, self.batch, size)
            both[(self.steps - 1) % 2] = d_final
            self.pointers[f"d_state_{path}"] = both
            return both[1]
        return self.d_sequence(path, d_final)

    def d_sequence(self, path: int, d_final: Tensor) -> Tensor:
        """Make room for the gradients of a state path before and after each step. They are gathered apart,
        since what stands after a step is what stands before the next, which other rows add to."""
        both = self.x.new_zeros(2, self.steps, self.batch, self.layout.state_sizes[path])
        if self.active is None:
            both[1, -1] = d_final
        else:
            sequences = torch.arange(self.batch, device=self.x.device)
            both[1, (self.active[:, None] > sequences).sum(0) - 1, sequences] = d_final
        self.pointers[f"d_state_{path}"] = both
        return both[0, 0]

    def join_gradients(self, stage: int) -> None:
        """Add the gradients before each step to those after the one before it, of the states that a stage
        computes; all that adds to either has run."""
        for path in self.schedule.delayed:
            if self.schedule.output_stages[path] == stage:
                both = self.pointers[f"d_state_{path}"]
                assert isinstance(both, Tensor)
                both[1, :-1] += both[0, 1:]

    def gathered_gradients(self, needs_x: bool) -> Tensor | None:
        """Make room for the gradients that are gathered outside slots and states; return that of x."""
        d_x: Tensor | None = None
        for leaf in self.gradient.places:
            if leaf.kind is Kind.D_X:
                d_x = self.new_sequence(self.layout.input_size)
                self.pointers["d_x"] = d_x
            elif leaf.kind in (Kind.D_SLOT, Kind.D_KEPT):
                whole, width = self.gradient.is_sequence(leaf), self.width(leaf)
                place = self.new_sequence(width) if whole else self.x.new_empty(self.batch, width)
                self.pointers[field_of(leaf)] = place
        return self.x.new_zeros(self.x.shape) if d_x is None and needs_x else d_x

    def bulk_gradient(self, run: Run, target: Leaf, adds: bool) -> None:
        """Multiply slots' gradients by matrices, into the gradient of the sequence that these read."""
        place = self.pointers[field_of(target)]
        assert isinstance(place, Tensor)
        first = self.rows if target.kind is Kind.D_NEW else 0
        whole = place.view(-1, place.shape[-1])[first : first + self.rows]
        for slot, weight, columns in self.pieces(run):
            part = whole if columns is None else whole[:, columns[0] : columns[1]]
            if adds:
                part.addmm_(self.columns(slot, weight.shape[0]), weight)
            else:
                torch.mm(self.columns(slot, weight.shape[0]), weight, out=part)
            adds = adds or columns is None

    def weight_gradients(self, needs: Sequence[bool]) -> list[Tensor | None]:
        """Return a gradient for each parameter that is a matrix; None for the others."""
        grads: dict[str, Tensor] = {}
        wanted = {name for (name, _), need in zip(self.layout.shapes, needs, strict=True) if need}
        for stage in self.schedule.stages:
            for run in stage.backward:
                for first, matrices in self.neighbours(run):
                    place = matrices[0].place
                    if place.tensor not in wanted:
                        continue
                    if place.tensor not in grads:
                        grads[place.tensor] = torch.zeros_like(self.parameters[place.tensor])
                    grad = grads[place.tensor]
                    column = (run.slot + first) * self.layout.hidden_size
                    if matrices[0].heads == 1:
                        self.weight_gradient(
                            run, column, grad[place.start : matrices[-1].place.stop], slice(None)
                        )
                        continue
                    heads, out, size = grad.shape
                    for n in range(heads):
                        self.weight_gradient(run, column + n * out, grad[n], slice(n * size, (n + 1) * size))
        return [grads.get(name) for name, _ in self.layout.shapes]

    def weight_gradient(self, run: Run, column: int, out: Tensor, columns: slice) -> None:
        d = self.columns(column, out.shape[0])
        for number, (source, rows) in enumerate(self.sources(run.source)):
            if number == 0:
                torch.mm(d[rows].t(), source[:, columns], out=out)
            else:
                out.addmm_(d[rows].t(), source[:, columns])

    def tensors(self) -> dict[str, Tensor | int | None]:
        """Return the tensors in which places lie, by the names of `field_of`."""
        known: dict[str, Tensor | int | None] = {
            "x": self.x,
            "learned": self.learned,
            "slots": self.slots,
            "moments": self.moments,
        }
        known |= {f"start_{p}": state for p, state in enumerate(self.states)}
        known |= {f"new_{p}": state for p, state in enumerate(self.new)}
        known |= {f"kept_{k}": value for k, value in enumerate(self.kept)}
        return known | self.pointers


class _CompiledBuffers(Buffers):
    """Calls the compiled C++."""

    def __init__(self, kernels: Kernels, *arguments: Any) -> None:
        super().__init__(kernels.schedule, kernels.gradient, *arguments)
        self.kernels = kernels
        rows = max(1, min(torch.get_num_threads(), self.batch // ROWS_A_THREAD))
        spilled = kernels.code.spilled * max(self.layout.input_size, self.layout.hidden_size)
        self.scratch = Scratch(self.x, rows, self.learned.numel(), spilled)

    def loop(self, direction: str) -> None:
        for (when, run), field in self.kernels.code.packed.items():
            if when == direction:
                self.pointers[field] = self.pack(run, turned=direction == "forward")
        self.call(direction, self.batch)

    def bulk_stage(self, direction: str, number: int) -> None:
        self.call(f"all_{direction}_{number}", self.rows)

    def learned_gradient(self) -> Tensor:
        return self.scratch.gathered[:, 1].sum(0)

    def pack(self, run: Run, turned: bool) -> Tensor:
        """Return a run's matrices as the compiled products want them: as the source is multiplied by them
        (``turned``), or as the slots' gradients are."""
        products, hidden = self.kernels.products, self.layout.hidden_size
        blocks = list(self.pieces(run))
        if run.matrices[0].heads > 1:
            out, size = blocks[0][1].shape
            each = products.size(size, out) if turned else products.size(out, size)
            packed = self.x.new_zeros(len(blocks), each)
            parts = [(packed[n], weight, 0, out) for n, (_, weight, _) in enumerate(blocks)]
        else:
            out, size = len(run.matrices) * hidden, self.width(run.source)
            packed = self.x.new_zeros(products.size(size, out) if turned else products.size(out, size))
            start = run.slot * hidden
            parts = [(packed, weight, column - start, out) for column, weight, _ in blocks]
        for target, weight, offset, total in parts:
            rows, columns = weight.shape
            source, to = weight.data_ptr(), target.data_ptr()
            if turned:
                products.pack(columns, rows, source, 1, columns, to, 0, columns, offset)
            else:
                products.pack(rows, columns, source, columns, 1, to, offset, total, 0)
        return packed

    def call(self, name: str, rows: int) -> None:
        if name not in self.kernels.code.entries:
            return
        known = self.tensors() | {
            "steps": self.steps,
            "batch": self.batch,
            "input_size": self.layout.input_size,
            "hidden_size": self.layout.hidden_size,
            "panel": self.kernels.products.columns,
            "product": self.kernels.products.address,
            "active": self.active,
        }
        fields = self.kernels.code.fields
        arguments = (ctypes.c_int64 * len(fields))(*(_address(known.get(field)) for field in fields))
        self.kernels.call(name, arguments, rows, self.scratch)


def _address(value: Tensor | int | None) -> int:
    if value is None:
        return 0
    return value if isinstance(value, int) else value.data_ptr()
