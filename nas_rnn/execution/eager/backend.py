"""The eager backend: torch's own functions and autograd, with as little as possible left inside the loop
over time.

What depends on the input alone is computed for the whole sequence at once; what a step needs is one matrix
product for each value that products read, and the operations between them, compiled to closures.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from nas_rnn.execution.eager.closures import Registers
from nas_rnn.execution.eager.compiler import compile_program
from nas_rnn.execution.eager.emitter import Program
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.reference import restarted

_program = lru_cache(maxsize=1024)(compile_program)


def run_eager(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says."""
    program = _program(layout)
    registers: Registers = [None] * program.size
    for name, register in program.tensors.items():
        registers[register] = parameters[name]
    registers[0] = x_TBI
    for instruction in program.prologue:
        instruction(registers)
    outputs = _loop(layout, program, registers, states, mask_TB1, restarts_TB1)
    return torch.stack(outputs), tuple(registers[1 : 1 + len(states)])


def _loop(
    layout: Layout,
    program: Program,
    registers: Registers,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None,
) -> list[Tensor]:
    sequences = [(register, registers[register].unbind(0)) for register in program.unbound]
    paths = slice(1, 1 + len(states))
    registers[paths] = states
    outputs = []
    for t in range(registers[0].shape[0]):
        for register, sequence in sequences:
            registers[register] = sequence[t]
        before = registers[paths]
        if restarts_TB1 is not None:
            registers[paths] = restarted(layout, before, restarts_TB1[t])
        for instruction in program.step:
            instruction(registers)
        new = [registers[register] for register in program.outputs]
        if mask_TB1 is not None:
            mask_B1 = mask_TB1[t]
            new = [torch.where(mask_B1, n, old) for n, old in zip(new, before, strict=True)]
        registers[paths] = new
        outputs.append(new[0])
    return outputs
