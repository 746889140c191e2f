"""The fused backend: a whole sequence is one autograd function, compiled for the cell.

Products with what the input alone decides, and the gradients of all weights, are one product of torch's each
for the whole sequence; the loop over time with its products and all elementwise code is compiled C++. On a
GPU, `nas_rnn.execution.fused.triton` runs the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused.buffers import Buffers
from nas_rnn.execution.fused.compiled import CompiledBuffers
from nas_rnn.execution.fused.kernels import make_kernels
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.toolchain import compiler_problem
from nas_rnn.execution.fused.triton.modules import triton_problem
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.reference import Interpreter, product


def run_fused(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says; sequences stand in the order of
    falling lengths. Compiled code has no restarts: calls with them run eagerly. Raises `CompileError` where the
    cell's code cannot be compiled."""
    if restarts_TB1 is not None:
        return run_eager(layout, parameters, x_TBI, states, mask_TB1, restarts_TB1)
    if x_TBI.device.type == "cuda":
        from nas_rnn.execution.fused.triton.backend import run_triton  # it imports this module

        return run_triton(layout, parameters, x_TBI, states, mask_TB1)
    kernels = make_kernels(layout, x_TBI.dtype)
    make = partial(CompiledBuffers, kernels)
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
