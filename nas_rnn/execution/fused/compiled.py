"""A whole sequence as compiled C++: its loop over time, all products and all elementwise code."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.buffers import Buffers
from nas_rnn.execution.fused.kernels import Kernels, Scratch, aligned
from nas_rnn.execution.fused.memory import empty
from nas_rnn.execution.fused.openmp import find_openmp

ROWS_A_THREAD = 2
"""A thread is given at least so many sequences."""
ROWS_AT_A_TIME = 256
"""A part multiplies the steps of so many rows at a time, or one step: what it has written is still in the caches."""
MOST_APART = 1 << 26
"""So many numbers at most have the parts' gradients of weights; those of more are computed after the loop."""


class CompiledBuffers(Buffers):
    """Calls the compiled C++."""

    def __init__(self, kernels: Kernels, *arguments: Any) -> None:
        super().__init__(kernels.schedule, kernels.gradient, *arguments)
        self.kernels = kernels
        parts = max(1, min(torch.get_num_threads(), self.batch // ROWS_A_THREAD))
        self.parts = parts if find_openmp() is not None else 1
        self.chunk = max(1, min(self.steps, ROWS_AT_A_TIME // -(-self.batch // self.parts)))
        """How many steps are multiplied at a time."""
        self.marks = None if self.restarts is None else self.restarts.amax(1)
        """Whether any sequence restarts before each step, (T,)."""

    def run_forward(self) -> None:
        self.call("forward", False, {})

    def run_backward(self, needs_x: bool, needs: Sequence[bool]) -> tuple[Tensor, list[Tensor | None]]:
        wanted = {name for (name, _), need in zip(self.layout.shapes, needs, strict=True) if need}
        names = [name for name in self.kernels.code.tensors if name in wanted]
        apart = self.parts * sum(self.parameters[name].numel() for name in names)
        beside = self.parts > 1 and apart > MOST_APART
        grads = {} if beside else {name: self.empty_gradient(name) for name in names}
        learned = self.call("backward", needs_x, grads)
        if beside:
            return learned, self.weight_gradients(needs)
        found = {name: grad[0] if self.parts == 1 else grad.sum(0) for name, grad in grads.items()}
        return learned, [found.get(name) for name, _ in self.layout.shapes]

    def empty_gradient(self, name: str) -> Tensor:
        """Return room for the gradient of a parameter in each part; zeros where not all of it takes part."""
        parameter = self.parameters[name]
        made = empty(parameter, self.parts, *parameter.shape)
        return made if name in self.kernels.multiplied else made.zero_()

    def call(self, direction: str, d_x_needed: bool, grads: Mapping[str, Tensor]) -> Tensor:
        """Run the whole sequence; return, backwards, the gradient of the learned numbers."""
        kernels, layout, parts = self.kernels, self.layout, self.parts
        code, products, packed = kernels.code, kernels.products, kernels.packed[direction]
        learned = self.learned.numel() if direction == "backward" else 0
        sums = aligned(2 * parts * learned)
        each = kernels.spilled + aligned(2 * self.chunk * -(-self.batch // parts))
        each += kernels.room if grads else 0
        whole = empty(self.x, sums + parts * each + packed.size)
        at, size = whole.data_ptr(), self.x.element_size()
        scratch = Scratch(parts, at, 2 * learned, at + sums * size, each)
        gathered = whole[: 2 * parts * learned].view(parts, 2, learned).zero_() if learned else None
        at += (sums + parts * each) * size
        values = [
            *(self.steps, self.batch, layout.input_size, layout.hidden_size),
            *(products.columns, self.chunk, kernels.spilled, int(d_x_needed)),
            *(products.product, products.turned, products.pack),
            *(address(self.active), address(self.marks), address(self.restarts)),
            *map(address, (self.x, self.learned, self.slots, self.moments)),
            *map(address, self.states),
            *map(address, self.new),
            *(address(self.before[path]) if self.before else 0 for path in kernels.restarting),
            *map(address, self.kept),
            *(address(self.pointers.get(name)) for name in code.gathered),
            *(at + place * size for place in packed.places),
        ]
        for name in code.tensors:
            parameter = self.parameters[name]
            values += address(parameter), address(grads.get(name)), parameter.numel()
        arguments = (ctypes.c_int64 * len(code.fields))(*values)
        kernels.pack(direction, arguments)
        kernels.call(direction, arguments, self.batch, scratch)
        return self.learned.new_empty(0) if gathered is None else gathered[:, 1].sum(0)


def address(tensor: Tensor | None) -> int:
    """Return where a tensor's numbers lie; 0 for none."""
    return 0 if tensor is None else tensor.data_ptr()
