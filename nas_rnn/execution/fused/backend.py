"""The fused backend: a whole sequence is one operator, whose code is compiled for the cell.

On CPUs the whole sequence with all its products is compiled C++ (`nas_rnn.execution.fused.compiled`). On a GPU,
`nas_rnn.execution.fused.triton` runs the loop over time, and torch the products for whole sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused import rules  # noqa: F401 - to be known to torch
from nas_rnn.execution.fused.compiled import CompiledBuffers
from nas_rnn.execution.fused.kernels import make_kernels
from nas_rnn.execution.fused.operator import Make, register_way, run_sequence
from nas_rnn.execution.fused.plain import is_plain, is_transformed
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.fused.toolchain import CompileError, compiler_problem
from nas_rnn.execution.fused.triton.backend import is_scanned, run_triton
from nas_rnn.execution.fused.triton.modules import triton_problem
from nas_rnn.execution.layout import Layout, layout_of


def run_fused(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says; sequences stand in the order of
    falling lengths. Some cells run eagerly where sequences restart (`can_restart`). Raises `CompileError` where the
    cell's code cannot be compiled."""
    is_gpu = x_TBI.device.type == "cuda"
    if restarts_TB1 is not None and not can_restart(layout.key, is_gpu):
        return run_eager(layout, parameters, x_TBI, states, mask_TB1, restarts_TB1)
    if is_gpu:
        return run_triton(layout, parameters, x_TBI, states, mask_TB1, restarts_TB1)
    restarts_TB = None if restarts_TB1 is None else restarts_TB1[..., 0]
    return run_sequence("compiled", layout, list(parameters.values()), x_TBI, states, mask_TB1, restarts_TB)


def can_restart(key: str, is_gpu: bool) -> bool:
    """Whether compiled code can begin anew within a sequence: not where a path that holds a value of the step before is
    computed for all steps at once, nor, on a GPU, where all is a scan."""
    layout = layout_of(key)
    return not make_schedule(layout).delayed and not (is_gpu and is_scanned(layout))


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
    return all(map(is_plain, (x, *tensors))) and not torch._C._get_tracing_state() and not is_transformed()


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
for _question in (layer_problem, can_restart):
    vars(_question)["_dynamo_marked_constant"] = True
