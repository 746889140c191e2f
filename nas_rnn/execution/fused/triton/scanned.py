"""Linear recurrences without a loop: each state's sequence is a scan over time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.linear import Update
from nas_rnn.execution.fused.triton.kernels import Kernels, scan
from nas_rnn.execution.fused.triton.launched import Launched, device_of


class Scanned(Launched):
    """A linear recurrence: each state's sequence is a scan, all else is computed for all steps at once."""

    def __init__(self, kernels: Kernels, *arguments: Any) -> None:
        super().__init__(kernels, *arguments)
        assert kernels.recurrence is not None
        self.recurrence = kernels.recurrence
        self.running: Tensor | None = None
        """Whether each sequence still runs at each step; None where all do throughout."""
        if self.active is not None:
            sequences = torch.arange(self.batch, device=self.x.device)
            self.running = self.active[:, None] > sequences

    def loop(self, direction: str) -> None:
        backwards = direction == "backward"
        for update in self.recurrence.backward if backwards else self.recurrence.forward:
            self.update(direction, update)
        for path in () if backwards else self.schedule.delayed:
            self.hold(self.new[path])
        self.launch_whole(f"{direction}_{self.schedule.bulk}", {}, self.running)
        if backwards and self.running is not None:
            self.slots[~self.running] = 0

    def update(self, direction: str, update: Update) -> None:
        """Compute a state's sequence, or that of its gradient."""
        path, name = update.path, f"{direction}_update_{update.path}"
        if direction == "forward":
            start, out = self.states[path], self.new[path]
        else:
            every = self.pointers[f"d_state_{path}"]
            start, out = every[-1], every[:-1]
        if update.slope is not None:
            slope, rest = torch.ones_like(out), torch.zeros_like(out)  # what ended stays as it is
            self.launch_whole(name, {f"slope_{path}": slope, f"rest_{path}": rest}, self.running)
            with device_of(self.x):
                scan(slope, rest, start, out, direction == "backward")
            return
        if update.rest is not None:
            self.launch_whole(name, {f"rest_{path}": out}, self.running)
        elif direction == "forward":
            out.zero_()
        if direction == "forward":
            self.hold(out)

    def hold(self, new: Tensor) -> None:
        """Repeat what a path without memory had at a sequence's last step."""
        if self.running is not None:
            last = self.running.sum(0) - 1
            steps = torch.arange(self.steps, device=new.device)
            index = torch.minimum(steps[:, None], last)[:, :, None]
            new.copy_(new.gather(0, index.expand_as(new)))

    def d_state(self, path: int, d_final: Tensor | None) -> Tensor:
        """Make room for the gradients of a state path before each step and after the last, which the scan
        fills from there; return where that of its start will be."""
        if path in self.schedule.delayed:
            return super().d_state(path, d_final)
        if d_final is None:
            d_final = torch.zeros_like(self.states[path])
        every = self.x.new_zeros(self.steps + 1, *d_final.shape)
        if self.running is None or any(
            update.path == path and update.slope for update in self.recurrence.backward
        ):
            every[-1] = d_final
        else:
            every[self.running.sum(0), torch.arange(self.batch, device=self.x.device)] = d_final
        self.pointers[f"d_state_{path}"] = every
        return every[0]
