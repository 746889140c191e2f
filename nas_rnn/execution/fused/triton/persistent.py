"""The loop over time as one launch: a program takes some sequences of the batch through all steps.

Its weights are read anew at every step, by each program, from the caches of the GPU; so it is made for cells that have
few of them (`is_within_reach`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from nas_rnn.execution.fused.triton.kernels import OPTIONS, Kernels, make_kernels, power_of_two, triton_dtype
from nas_rnn.execution.fused.triton.launched import Launched, device_of
from nas_rnn.execution.layout import Layout

ROWS = 16
"""How many sequences a program takes: the fewest rows that tensor cores multiply."""
UNITS = 128
"""How many units of them at a time."""
BLOCK = (128, 32)
"""How many columns of a product at a time, and how many numbers that it adds up: three such blocks of weights are on
their way, as the second cache takes long to answer."""
WARPS = 8
"""How many warps a program has."""
REACH = 512 * 1024
"""So many bytes of weights may be read at a step for each launch that is saved. One multiprocessor reads some 64
bytes a cycle from the second cache, so these take some 5 microseconds, about what a launch costs. Not measured."""
WHOLE = 256
"""How many units rows may have at most where a layer norm adds them up, as a program then holds all of them."""


@lru_cache(maxsize=1024)
def is_within_reach(layout: Layout, dtype: torch.dtype) -> bool:
    """Whether a cell's loop runs in one launch, with products of ``dtype``: the weights that a step reads are no more
    than `REACH` bytes for each launch that the step would otherwise take, and rows that are added up are at most
    `WHOLE` units. All other cells, and those in double precision, run step by step."""
    kernels = make_kernels(layout)
    schedule = kernels.schedule
    stages = schedule.stages[schedule.bulk :]
    if dtype == torch.float64:
        return False
    codes = [kernels.codes[f"forward_{stage.number}"] for stage in stages]
    codes += [kernels.codes[f"backward_{stage.number}"] for stage in stages]
    adds_up = any(s.call == "sum" for code in codes for s in code.statements)
    if adds_up and max(layout.hidden_size, layout.input_size) > WHOLE:
        return False
    runs = [run for stage in stages for run in stage.forward]
    launches = len(runs) + sum(bool(code.effects) for code in codes[: len(stages)])
    widths = {"hidden": layout.hidden_size, "input": layout.input_size}
    read = sum(
        widths[run.source.size] * layout.hidden_size // matrix.heads
        for run in runs
        for matrix in run.matrices
    )
    return read * dtype.itemsize <= REACH * launches


class Persistent(Launched):
    """All steps in one launch."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.programs = -(-self.batch // ROWS)
        if self.programs > len(self.gathered):
            self.gathered = self.gathered.new_zeros(self.programs, self.learned.numel())
            self.common["gathered"] = self.gathered

    def loop(self, direction: str) -> None:
        sequence = self.kernels.sequence
        kernel = sequence.code.kernels[direction]
        tensors = self.tensors() | self.common
        tensors |= {name: self.rounded(self.parameters[name]) for name in sequence.weights}
        if self.restarts is None:  # not read then
            tensors |= {f"before_{path}": new for path, new in enumerate(self.new)}
        layout = self.layout
        sizes = (self.steps, self.batch, layout.hidden_size, layout.input_size)
        active = self.x if self.active is None else self.active.to(torch.int32)
        restarts = self.x if self.restarts is None else self.restarts
        with device_of(self.x):
            self.kernels.sequence_functions[direction][(self.programs,)](
                *sizes,
                active,
                restarts,
                *(tensors[name] for name in kernel.tensors),
                PACKED=self.active is not None,
                RESTARTS=self.restarts is not None,
                **self.numbers(),
                **block_sizes(self.kernels),
                num_warps=WARPS,
                **OPTIONS,
            )

    def numbers(self) -> dict[str, Any]:
        """Return the dtypes of sums, of rounded factors and of products, and how exact these are."""
        dtype = triton_dtype(self.x.dtype)
        rounded = triton_dtype(self.products or self.x.dtype)
        exact = torch.backends.cuda.matmul.fp32_precision != "tf32"
        interpreted = type(self.kernels.sequence_functions["forward"]).__name__ == "InterpretedFunction"
        return {
            "F": dtype,
            "P": rounded,
            "DOT": dtype if interpreted else rounded,  # the interpreter has no products of bfloat16
            "PRECISION": "ieee" if exact else "tf32",
        }


def block_sizes(kernels: Kernels) -> dict[str, int]:
    """Return the sizes of a program's blocks."""
    layout = kernels.schedule.layout
    hidden, inputs = power_of_two(layout.hidden_size), power_of_two(layout.input_size)
    units = min(max(hidden, inputs), UNITS)
    columns, depth = (min(max(16, hidden), most) for most in BLOCK)
    return {"ROWS": ROWS, "U": units, "UH": hidden, "UI": inputs, "COLUMNS": columns, "DEPTH": depth}
