"""The fused backend on a GPU: elementwise code and scans by Triton, all products by torch.

The loop over time is Python's: at each step a kernel for each stage, and a product for each run. A linear
recurrence has no loop. Kernels that hold a whole sequence, products included, are not made.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.linear import Update
from nas_rnn.execution.fused.operator import Make, register_way, run_sequence
from nas_rnn.execution.fused.places import Kind, field_of
from nas_rnn.execution.fused.schedule import Run, Schedule
from nas_rnn.execution.fused.triton.kernels import Kernels, make_kernels, most_programs, scan
from nas_rnn.execution.fused.triton.printing import tensor_of
from nas_rnn.execution.fused.whole import WholeSequence
from nas_rnn.execution.layout import Layout

Piece = tuple[int, Tensor, tuple[int, int] | None]


def run_triton(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says; sequences stand in the order of
    falling lengths. Tensors lie on a GPU, or anywhere in Triton's interpreter. Raises `CompileError`."""
    restarts_TB = None if restarts_TB1 is None else restarts_TB1[..., 0]
    with device_of(x_TBI):
        return run_sequence("triton", layout, list(parameters.values()), x_TBI, states, mask_TB1, restarts_TB)


def is_scanned(layout: Layout) -> bool:
    """Whether the cell is a linear recurrence, which has no loop."""
    return make_kernels(layout).recurrence is not None


def _launched(layout: Layout, dtype: torch.dtype) -> tuple[Make, Schedule]:
    kernels = make_kernels(layout)
    return partial(_Stepwise if kernels.recurrence is None else _Scanned, kernels), kernels.schedule


register_way("triton", _launched)


def device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Return a context in which kernels are launched on the device of ``tensor``."""
    return torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]


class _Launched(WholeSequence):
    """What both ways of running share: launches of kernels, and the rows that they gather to."""

    def __init__(self, kernels: Kernels, *arguments: Any) -> None:
        super().__init__(kernels.schedule, kernels.gradient, *arguments)
        self.kernels = kernels
        self.gathered = self.x.new_zeros(most_programs(self.rows), self.learned.numel())
        self.common: dict[str, Tensor] = {"learned": self.learned, "gathered": self.gathered}

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
        found = {name: t for name, t in self.tensors().items() if isinstance(t, Tensor)} | self.common
        for path in range(len(self.states)):
            if f"previous_{path}" in kernel.tensors:
                found[f"previous_{path}"] = torch.cat([self.states[path][None], self.new[path][:-1]])
            place = found.get(f"d_state_{path}")
            if place is not None:
                delayed = path in self.schedule.delayed
                before, after = place if delayed else (place[:-1], place[1:])
                found |= {f"d_previous_{path}": before, f"d_new_{path}": after}
        self.launch(name, self.rows, {**found, **more}, running)


class _Stepwise(_Launched):
    """Step by step, with a product for each run at each step."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sizes = [self.batch] * self.steps if self.active is None else self.active.tolist()
        self.merged: dict[Run, list[Piece]] = {}

    def loop(self, direction: str) -> None:
        if direction == "forward":
            for t, running in enumerate(self.sizes):
                self.forward_step(t, running)
        else:
            for t in range(self.steps - 1, -1, -1):
                self.backward_step(t, self.sizes[t])

    def forward_step(self, t: int, running: int) -> None:
        tensors = self.at_step(t)
        for path, before in enumerate(self.before):
            before[t] = self.carried(path, t)
            before[t, :running].masked_fill_(self.restarting(t, running), self.init(path))
        for stage in self.schedule.stages[self.schedule.bulk :]:
            self.launch(f"forward_{stage.number}", running, tensors)
            for run in stage.forward:
                source = tensors[tensor_of(run.source)][:running]
                for slot, weight, columns in self.matrices(run):
                    part = source if columns is None else source[:, columns[0] : columns[1]]
                    target = self.slots[t, :running, slot : slot + weight.shape[0]]
                    if run.adds:
                        target.addmm_(part, weight.t())
                    else:
                        torch.mm(part, weight.t(), out=target)
        if running < self.batch:
            for path, new in enumerate(self.new):
                new[t, running:] = tensors[f"previous_{path}"][running:]

    def backward_step(self, t: int, running: int) -> None:
        tensors = self.at_step(t)
        for stage in reversed(self.schedule.stages[self.schedule.bulk :]):
            for run, target, adds in self.gradient.products[stage.number]:
                self.step_gradient(run, tensors[tensor_of(target)][:running], adds, t)
            self.launch(f"backward_{stage.number}", running, tensors)
        if running < self.batch:
            for path in range(len(self.new)):
                if path not in self.schedule.delayed:
                    tensors[f"d_previous_{path}"][running:] = tensors[f"d_new_{path}"][running:]
            self.slots[t, running:] = 0
        for path in range(len(self.before)):
            tensors[f"d_previous_{path}"][:running].masked_fill_(self.restarting(t, running), 0.0)

    def carried(self, path: int, t: int) -> Tensor:
        """Return a state path after the step before ``t``."""
        return self.new[path][t - 1] if t else self.states[path]

    def restarting(self, t: int, running: int) -> Tensor:
        """Return which of the sequences that still run begin anew before a step, (running, 1)."""
        assert self.restarts is not None
        return self.restarts[t, :running, None].bool()

    def init(self, path: int) -> float:
        return self.layout.canonical.states[path].init

    def step_gradient(self, run: Run, whole: Tensor, adds: bool, t: int) -> None:
        """Multiply slots' gradients by matrices, into the gradient of what these read."""
        for slot, weight, columns in self.matrices(run):
            d = self.slots[t, : len(whole), slot : slot + weight.shape[0]]
            part = whole if columns is None else whole[:, columns[0] : columns[1]]
            if adds:
                part.addmm_(d, weight)
            else:
                torch.mm(d, weight, out=part)

    def matrices(self, run: Run) -> list[Piece]:
        """Return the parts of `pieces`, matrices for neighbouring slots joined to one."""
        if run not in self.merged:
            pieces = list(self.pieces(run))
            if len(pieces) > 1 and run.matrices[0].heads == 1:
                pieces = [(pieces[0][0], torch.cat([weight for _, weight, _ in pieces]), None)]
            self.merged[run] = pieces
        return self.merged[run]

    def at_step(self, t: int) -> dict[str, Tensor]:
        """Return the tensors of step ``t``."""
        found: dict[str, Tensor] = {"slots": self.slots[t], "moments": self.moments[t], "x": self.x[t]}
        for path, new in enumerate(self.new):
            before = self.before[path][t] if self.before else self.carried(path, t)
            found |= {f"new_{path}": new[t], f"previous_{path}": before}
        found |= {f"kept_{k}": kept[t] for k, kept in enumerate(self.kept)}
        gathered = {leaf: self.pointers.get(field_of(leaf)) for leaf in self.gradient.places}
        for leaf, place in gathered.items():
            if isinstance(place, Tensor) and leaf.kind in (Kind.D_X, Kind.D_SLOT, Kind.D_KEPT):
                found[tensor_of(leaf)] = place[t] if self.gradient.is_sequence(leaf) else place
        for path in range(len(self.new)):
            place = self.pointers.get(f"d_state_{path}")
            if isinstance(place, Tensor):
                delayed = path in self.schedule.delayed
                before, after = place[:, t] if delayed else (place[(t + 1) % 2], place[t % 2])
                found |= {f"d_previous_{path}": before, f"d_new_{path}": after}
        d_output = self.pointers.get("d_output")
        if isinstance(d_output, Tensor):
            found["d_output"] = d_output[t]
        return found | self.common


class _Scanned(_Launched):
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
            assert isinstance(every, Tensor)
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

    def d_state(self, path: int, d_final: Tensor) -> Tensor:
        """Make room for the gradients of a state path before each step and after the last, which the scan
        fills from there; return where that of its start will be."""
        if path in self.schedule.delayed:
            return super().d_state(path, d_final)
        every = self.x.new_zeros(self.steps + 1, *d_final.shape)
        if self.running is None or any(
            update.path == path and update.slope for update in self.recurrence.backward
        ):
            every[-1] = d_final
        else:
            every[self.running.sum(0), torch.arange(self.batch, device=self.x.device)] = d_final
        self.pointers[f"d_state_{path}"] = every
        return every[0]
