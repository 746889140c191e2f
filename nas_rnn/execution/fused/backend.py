"""The fused backend: a whole sequence is one autograd function, compiled for the cell.

Products with what the input alone decides, and the gradients of all weights, are one product of torch's each
for the whole sequence; the loop over time with its products and all elementwise code is compiled C++. On a
GPU, `nas_rnn.execution.fused.triton` runs the loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused.compiled import CompiledBuffers
from nas_rnn.execution.fused.kernels import make_kernels
from nas_rnn.execution.fused.sequence import is_transformed, run_sequence
from nas_rnn.execution.fused.toolchain import compiler_problem
from nas_rnn.execution.fused.triton.backend import run_triton
from nas_rnn.execution.fused.triton.modules import triton_problem
from nas_rnn.execution.layout import Layout


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
        return run_triton(layout, parameters, x_TBI, states, mask_TB1)
    kernels = make_kernels(layout, x_TBI.dtype)
    make = partial(CompiledBuffers, kernels)
    return run_sequence(make, kernels.schedule, parameters, x_TBI, states, mask_TB1)


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
        and not is_transformed()
    )


def fused_problem(device: torch.device) -> str | None:
    """Return why nothing can be compiled for ``device``, and say it once; None where it can."""
    return triton_problem() if device.type == "cuda" else compiler_problem()
