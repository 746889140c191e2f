"""The fused backend: a whole sequence is one operator, whose code is compiled for the cell.

Products with what the input alone decides, and the gradients of all weights, are one product of torch's each
for the whole sequence; the loop over time with its products and all elementwise code is compiled C++. On a
GPU, `nas_rnn.execution.fused.triton` runs the loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused.compiled import CompiledBuffers
from nas_rnn.execution.fused.kernels import make_kernels
from nas_rnn.execution.fused.operator import Make, is_transformed, register_way, run_sequence
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.segments import segments
from nas_rnn.execution.fused.toolchain import CompileError, compiler_problem
from nas_rnn.execution.fused.triton.backend import run_triton
from nas_rnn.execution.fused.triton.modules import triton_problem
from nas_rnn.execution.layout import Layout, layout_of
from nas_rnn.execution.reference import restarted


def run_fused(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says; sequences stand in the order of
    falling lengths. With restarts the parts of sequences run side by side, or eagerly where these take too much
    room. Raises `CompileError` where the cell's code cannot be compiled."""
    if restarts_TB1 is not None:
        return _in_segments(layout, parameters, x_TBI, states, mask_TB1, restarts_TB1)
    if x_TBI.device.type == "cuda":
        return run_triton(layout, parameters, x_TBI, states, mask_TB1)
    return run_sequence("compiled", layout, list(parameters.values()), x_TBI, states, mask_TB1)


def _in_segments(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    if not bool(restarts_TB1[1:].any()):
        return run_fused(layout, parameters, x_TBI, restarted(layout, states, restarts_TB1[0]), mask_TB1)
    parts = segments(restarts_TB1[..., 0], None if mask_TB1 is None else mask_TB1[..., 0])
    if parts is None:
        return run_eager(layout, parameters, x_TBI, states, mask_TB1, restarts_TB1)
    starts = parts.starts(layout, states)
    output_TSH, finals = run_fused(layout, parameters, parts.cut(x_TBI), starts, parts.mask_TS1)
    last = tuple(final.index_select(0, parts.last_B) for final in finals)
    return parts.joined(output_TSH, x_TBI.shape[1]), last


def _compiled(layout: Layout, dtype: torch.dtype) -> tuple[Make, Schedule]:
    kernels = make_kernels(layout, dtype)
    return partial(CompiledBuffers, kernels), kernels.schedule


register_way("compiled", _compiled)


def is_supported(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the fused backend is made for such tensors."""
    return device.type in ("cpu", "cuda") and dtype in (torch.float32, torch.float64)


def can_run(x: Tensor, tensors: Sequence[Tensor]) -> bool:
    """Whether the fused backend computes with these: plain tensors on the CPU, or on one GPU of CUDA's, all
    float or all double. Tensors that a compiler of torch's traces count as what they stand for."""
    device, dtype = x.device, x.dtype
    if not is_supported(device, dtype) or x.numel() == 0:
        return False
    if any(t.device != device or t.dtype != dtype for t in tensors):
        return False
    if torch.compiler.is_compiling():
        return True
    plain = all(type(t) in (Tensor, torch.nn.Parameter) for t in (x, *tensors))
    return plain and not torch._C._get_tracing_state() and not is_transformed()


def fused_problem(device: torch.device) -> str | None:
    """Return why nothing can be compiled for ``device``, and say it once; None where it can."""
    return triton_problem() if device.type == "cuda" else compiler_problem()


def layer_problem(key: str, device_type: str, dtype: torch.dtype) -> str | None:
    """Return why the layer with this `Layout.key` cannot be compiled; None where it can.

    A compiler of torch's that traces a layer has to know before, and takes the answer as a constant.
    """
    problem = fused_problem(torch.device(device_type))
    if problem is None and device_type == "cpu":
        try:
            with _disable_current_modes():  # of constants that are folded, tracers need not know
                make_kernels(layout_of(key), dtype)
        except CompileError as error:
            return str(error)
    return problem


# What torch.compiler.assume_constant_result does, but for loading the compiler.
vars(layer_problem)["_dynamo_marked_constant"] = True
