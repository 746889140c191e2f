"""What all ways to run a cell's kernels share."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.triton.kernels import Kernels, most_programs
from nas_rnn.execution.fused.whole import WholeSequence


def device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Return a context in which kernels are launched on the device of ``tensor``."""
    return torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]


class Launched(WholeSequence):
    """What all ways of running share: launches of kernels, and the rows that they gather to."""

    def __init__(self, kernels: Kernels, products: torch.dtype | None, *arguments: Any) -> None:
        super().__init__(kernels.schedule, kernels.gradient, *arguments)
        self.kernels = kernels
        self.products = products
        """What the factors of products are rounded to, if to anything."""
        self.gathered = self.x.new_zeros(most_programs(self.rows), self.learned.numel())
        self.common: dict[str, Tensor] = {"learned": self.learned, "gathered": self.gathered}

    def rounded(self, factor: Tensor) -> Tensor:
        return factor if self.products is None else factor.to(self.products)

    def multiply(self, left: Tensor, right: Tensor, out: Tensor, adds: bool) -> None:
        if self.products is None:
            super().multiply(left, right, out, adds)
            return
        left, right = self.rounded(left), self.rounded(right)
        if left.is_cuda:
            product = torch.mm(left, right, out_dtype=out.dtype)
        else:  # products of rounded numbers are exact in float32
            product = left.to(out.dtype) @ right.to(out.dtype)
        if adds:
            out += product
        else:
            out.copy_(product)

    def learned_gradient(self) -> Tensor:
        return self.gathered.sum(0)

    def launch(
        self, name: str, rows: int, tensors: Mapping[str, Tensor], running: Tensor | None = None
    ) -> None:
        kernel = self.kernels.code.kernels.get(name)
        if kernel is not None:
            with device_of(self.x):  # gradients are computed in threads of autograd's
                self.kernels.launch(kernel, rows, tensors, running)

    def bulk_stage(self, direction: str, number: int) -> None:
        self.launch_whole(f"{direction}_{number}", {})

    def launch_whole(self, name: str, more: Mapping[str, Tensor], running: Tensor | None = None) -> None:
        """Launch a kernel over all rows of the sequence, with ``more`` tensors."""
        kernel = self.kernels.code.kernels.get(name)
        if kernel is None:
            return
        found = self.tensors() | self.common
        for path in range(len(self.states)):
            if f"previous_{path}" in kernel.tensors:
                found[f"previous_{path}"] = torch.cat([self.states[path][None], self.new[path][:-1]])
            place = found.get(f"d_state_{path}")
            if place is not None:
                delayed = path in self.schedule.delayed
                before, after = place if delayed else (place[:-1], place[1:])
                found |= {f"d_previous_{path}": before, f"d_new_{path}": after}
        self.launch(name, self.rows, {**found, **more}, running)
