"""The loop over time and all elementwise code of a sequence, as compiled C++."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.buffers import Buffers
from nas_rnn.execution.fused.kernels import Kernels, Scratch
from nas_rnn.execution.fused.schedule import Run

ROWS_A_THREAD = 2
"""A thread is given at least so many sequences."""


class CompiledBuffers(Buffers):
    """Calls the compiled C++."""

    def __init__(self, kernels: Kernels, *arguments: Any) -> None:
        super().__init__(kernels.schedule, kernels.gradient, *arguments)
        self.kernels = kernels
        rows = max(1, min(torch.get_num_threads(), self.batch // ROWS_A_THREAD))
        spilled = kernels.code.spilled * max(self.layout.input_size, self.layout.hidden_size)
        self.marks = None if self.restarts is None else self.restarts.amax(1)
        """Whether any sequence restarts before each step, (T,)."""
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
            "restarts": self.restarts,
            "marks": self.marks,
        }
        fields = self.kernels.code.fields
        addresses = [
            0 if value is None else value if isinstance(value, int) else value.data_ptr()
            for value in map(known.get, fields)
        ]
        self.kernels.call(name, (ctypes.c_int64 * len(fields))(*addresses), rows, self.scratch)
