"""A whole sequence as compiled C++: its loop over time, all products and all elementwise code."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.buffers import Buffers
from nas_rnn.execution.fused.kernels import Kernels, Scratch
from nas_rnn.execution.fused.memory import empty
from nas_rnn.execution.fused.openmp import find_openmp
from nas_rnn.execution.fused.schedule import Run

ROWS_A_THREAD = 2
"""A thread is given at least so many sequences."""
ROWS_AT_A_TIME = 256
"""A part multiplies the steps of so many rows at a time, or one step: what it has written is still in the caches."""
SLOTS_AT_A_TIME = 1 << 16
"""So many numbers of slots the forward pass multiplies at a time, as the second cache holds."""
MOST_APART = 1 << 26
"""So many numbers at most have the parts' gradients of weights; those of more are computed after the loop."""


class CompiledBuffers(Buffers):
    """Calls the compiled C++."""

    def __init__(self, kernels: Kernels, *arguments: Any) -> None:
        super().__init__(kernels.schedule, kernels.gradient, *arguments)
        self.kernels = kernels
        parts = max(1, min(torch.get_num_threads(), self.batch // ROWS_A_THREAD))
        self.parts = parts if find_openmp() is not None else 1
        self.chunk = self.steps_of(ROWS_AT_A_TIME)
        """How many steps are multiplied at a time."""
        self.marks = None if self.restarts is None else self.restarts.amax(1)
        """Whether any sequence restarts before each step, (T,)."""

    def forward(self) -> None:
        self.make_room()
        rows = SLOTS_AT_A_TIME // max(1, self.slots.shape[-1])
        self.chunk = self.steps_of(max(rows, ROWS_AT_A_TIME // 4))
        self.call("forward", {}, 0)

    def backward(
        self, d_output: Tensor, d_finals: Sequence[Tensor], needs_x: bool, needs: Sequence[bool]
    ) -> tuple[Tensor | None, Tensor, list[Tensor], list[Tensor | None]]:
        self.begin_gradients(d_output)
        d_starts = [self.d_state(path, final) for path, final in enumerate(d_finals)]
        d_x = self.gathered_gradients(needs_x)
        wanted = {name for (name, _), need in zip(self.layout.shapes, needs, strict=True) if need}
        names = [name for name in self.kernels.code.tensors if name in wanted]
        apart = self.parts * sum(self.parameters[name].numel() for name in names)
        beside = self.parts > 1 and apart > MOST_APART
        grads = {} if beside else {name: self.empty_gradient(name) for name in names}
        fields: dict[str, Tensor | int] = {"d_x_needed": int(needs_x)}
        for k, name in enumerate(self.kernels.code.tensors):
            if name in grads:
                fields |= {f"grad_{k}": grads[name], f"size_{k}": self.parameters[name].numel()}
        learned = self.call("backward", fields, max(self.layout.input_size, self.layout.hidden_size))
        found = {name: grad[0] if self.parts == 1 else grad.sum(0) for name, grad in grads.items()}
        weights = (
            self.weight_gradients(needs) if beside else [found.get(name) for name, _ in self.layout.shapes]
        )
        return d_x if needs_x else None, learned, d_starts, weights

    def steps_of(self, rows: int) -> int:
        """Return how many steps a part takes at a time for so many rows."""
        return max(1, min(self.steps, ROWS_AT_A_TIME, rows // -(-self.batch // self.parts)))

    def empty_gradient(self, name: str) -> Tensor:
        """Return room for the gradient of a parameter in each part; zeros where not all of it takes part."""
        parameter = self.parameters[name]
        runs = (run for stage in self.schedule.stages for run in stage.backward)
        used = sum(
            m.place.stop - m.place.start for run in runs for m in run.matrices if m.place.tensor == name
        )
        shape = (self.parts, *parameter.shape)
        made = empty(parameter, *shape)
        return made if used == parameter.shape[0] else made.zero_()

    def call(self, direction: str, more: dict[str, Tensor | int], columns: int) -> Tensor:
        """Run the whole sequence; return the gradient of the learned numbers. Gradients of weights of at most so many
        ``columns`` are computed."""
        code, products = self.kernels.code, self.kernels.products
        widest = max(self.layout.input_size, self.layout.hidden_size)
        parts, learned = self.parts, self.learned.numel()
        spilled = aligned(code.spilled * widest)
        rows = aligned(2 * self.chunk * -(-self.batch // parts))
        each = spilled + rows + (products.room(columns) if columns else 0)
        packed = {
            field: self.packed_size(run) for (when, run), field in code.packed.items() if when == direction
        }
        sums = aligned(2 * parts * learned)
        whole = empty(self.x, sums + parts * each + sum(packed.values()))
        at, size = whole.data_ptr(), self.x.element_size()
        scratch = Scratch(parts, at, 2 * learned, at + sums * size, each)
        gathered = whole[: 2 * parts * learned].view(parts, 2, learned).zero_()
        at += (sums + parts * each) * size
        known = {**self.tensors(), **more}
        for field, numbers in packed.items():
            known[field] = at
            at += numbers * size
        for k, name in enumerate(code.tensors):
            known[f"matrix_{k}"] = self.parameters[name]
        known |= {
            "steps": self.steps,
            "batch": self.batch,
            "input_size": self.layout.input_size,
            "hidden_size": self.layout.hidden_size,
            "panel": products.columns,
            "chunk": self.chunk,
            "spilled": spilled,
            "product": products.product,
            "turned": products.turned,
            "pack": products.pack,
            "active": self.active,
            "restarts": self.restarts,
            "marks": self.marks,
        }
        addresses = [
            0 if value is None else value if isinstance(value, int) else value.data_ptr()
            for value in map(known.get, code.fields)
        ]
        arguments = (ctypes.c_int64 * len(addresses))(*addresses)
        self.kernels.pack(direction, arguments)
        self.kernels.call(direction, arguments, self.batch, scratch)
        return gathered[:, 1].sum(0)

    def packed_size(self, run: Run) -> int:
        """Return how many numbers a run's packed matrices take at most, in either direction."""
        heads = run.matrices[0].heads
        out, size = len(run.matrices) * self.layout.hidden_size // heads, self.width(run.source) // heads
        return aligned(
            heads * max(self.kernels.products.size(size, out), self.kernels.products.size(out, size))
        )


def aligned(numbers: int) -> int:
    """Return how many numbers are kept room for, so that what follows begins with a cache line."""
    return -(-numbers // 16) * 16
