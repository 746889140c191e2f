"""The kernels of a cell, and how they are launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.forward import forward_code
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.linear import LinearRecurrence, linear_recurrence
from nas_rnn.execution.fused.rowcode import RowCode
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.fused.triton.modules import load_module
from nas_rnn.execution.fused.triton.printing import Kernel, TritonCode, print_triton
from nas_rnn.execution.fused.triton.sequence import SequenceCode, print_sequence
from nas_rnn.execution.layout import Layout

ELEMENTS = 256
"""How many numbers a program holds of each value."""
UNITS = 256
"""How many units it takes at most, where it need not take whole rows."""
PROGRAMS = 512
"""How many programs share the rows of a launch at most."""
OPTIONS = {"enable_fp_fusion": True}
"""How Triton compiles: a product and a sum may be one instruction, as in the C++."""
SCAN = (64, 16)
"""How many steps and units a program of the scan takes at a time."""


@dataclass(frozen=True)
class Kernels:
    """A cell's printed kernels, with what they were made from."""

    schedule: Schedule
    gradient: Gradient
    recurrence: LinearRecurrence | None
    codes: Mapping[str, RowCode]
    code: TritonCode

    @cached_property
    def functions(self) -> Mapping[str, Any]:
        """The compiled (or interpreted) kernels by name."""
        module = load_module(self.code.name, self.code.source)
        return {name: getattr(module, name) for name in self.code.kernels}

    @cached_property
    def sequence(self) -> SequenceCode:
        """The whole loop, printed; of a cell that is no linear recurrence."""
        return print_sequence(self.schedule, self.gradient, self.codes)

    @cached_property
    def sequence_functions(self) -> Mapping[str, Any]:
        """The kernels of the whole loop, "forward" and "backward"."""
        module = load_module(self.sequence.code.name, self.sequence.code.source)
        return {name: getattr(module, name) for name in self.sequence.code.kernels}

    def grid(self, kernel: Kernel, rows: int) -> tuple[tuple[int, int], dict[str, int]]:
        """Return how many programs a launch has, over rows and units, and the sizes of their blocks."""
        hidden, inputs = self.schedule.layout.hidden_size, self.schedule.layout.input_size
        widths = [power_of_two(hidden), power_of_two(inputs)]
        if not kernel.whole_rows:
            widths = [min(max(widths), UNITS)] * 2
        block = max(1, min(power_of_two(rows), ELEMENTS // max(widths)))
        columns = 1 if kernel.whole_rows else -(-max(hidden, inputs) // widths[0])
        programs = most_programs(-(-rows // block))
        return (programs, columns), {"ROWS": block, "UH": widths[0], "UI": widths[1]}

    def launch(
        self, kernel: Kernel, rows: int, tensors: Mapping[str, Tensor], running: Tensor | None
    ) -> None:
        """Run a kernel over ``rows``, those of them that are ``running``."""
        layout = self.schedule.layout
        grid, blocks = self.grid(kernel, rows)
        arguments = [tensors[name] for name in kernel.tensors]
        masked = running is not None
        like = arguments[0]
        self.functions[kernel.name][grid](
            rows,
            layout.hidden_size,
            layout.input_size,
            like if running is None else running.to(torch.int8),
            *arguments,
            F=triton_dtype(like.dtype),
            MASKED=masked,
            **blocks,
            **OPTIONS,
        )


def scan(slope: Tensor, rest: Tensor, start: Tensor, out: Tensor, backwards: bool) -> None:
    """Fill ``out`` (T, B, size) with out[t] = slope[t] * out[t - 1] + rest[t] from ``start`` (B, size) on;
    ``backwards``: out[t] = slope[t] * out[t + 1] + rest[t]."""
    from nas_rnn.execution.fused.triton.functions import scan_kernel

    steps, width = out.shape[0], start.numel()
    blocks = [min(power_of_two(size), most) for size, most in zip((steps, width), SCAN, strict=True)]
    grid = (-(-width // blocks[1]),)
    scan_kernel[grid](slope, rest, start, out, steps, width, backwards, *blocks, **OPTIONS)


def most_programs(blocks: int) -> int:
    """Return how many programs share so many blocks of rows."""
    return min(blocks, PROGRAMS)


def power_of_two(size: int) -> int:
    """Return the least power of two that is no less than ``size``."""
    return 1 << max(size - 1, 0).bit_length()


def triton_dtype(dtype: torch.dtype) -> Any:
    import triton.language as tl

    return {torch.float32: tl.float32, torch.float64: tl.float64, torch.bfloat16: tl.bfloat16}[dtype]


@lru_cache(maxsize=1024)
def make_kernels(layout: Layout) -> Kernels:
    """Return the kernels for ``layout``, printed."""
    schedule = make_schedule(layout)
    gradient = Gradient(schedule)
    recurrence = linear_recurrence(schedule, gradient)
    last = schedule.bulk
    codes = {f"forward_{stage.number}": forward_code(schedule, stage) for stage in schedule.stages}
    codes |= {f"backward_{number}": code for number, code in gradient.codes.items()}
    if recurrence is not None:
        codes[f"forward_{last}"], codes[f"backward_{last}"] = (
            recurrence.forward_rest,
            recurrence.backward_rest,
        )
        for direction, updates in (("forward", recurrence.forward), ("backward", recurrence.backward)):
            codes |= {f"{direction}_update_{update.path}": update.code for update in updates}
    return Kernels(schedule, gradient, recurrence, codes, print_triton(schedule, codes))
