"""The loop over time as Python's: at each step a kernel for each stage, and a product of torch's for each run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.places import Kind, field_of
from nas_rnn.execution.fused.schedule import Run
from nas_rnn.execution.fused.triton.launched import Launched
from nas_rnn.execution.fused.triton.printing import tensor_of

Piece = tuple[int, Tensor, tuple[int, int] | None]


class Stepwise(Launched):
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
                    self.multiply(part, weight.t(), target, run.adds)
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
            self.multiply(d, weight, part, adds)

    def matrices(self, run: Run) -> list[Piece]:
        """Return the parts of `pieces`, matrices for neighbouring slots joined to one."""
        if run not in self.merged:
            pieces = list(self.pieces(run))
            if len(pieces) > 1 and run.matrices[0].heads == 1:
                pieces = [(pieces[0][0], torch.cat([weight for _, weight, _ in pieces]), None)]
            self.merged[run] = [(slot, self.rounded(weight), columns) for slot, weight, columns in pieces]
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
            if place is not None and leaf.kind in (Kind.D_X, Kind.D_SLOT, Kind.D_KEPT):
                found[tensor_of(leaf)] = place[t] if self.gradient.is_sequence(leaf) else place
        for path in range(len(self.new)):
            place = self.pointers.get(f"d_state_{path}")
            if place is not None:
                delayed = path in self.schedule.delayed
                before, after = place[:, t] if delayed else (place[(t + 1) % 2], place[t % 2])
                found |= {f"d_previous_{path}": before, f"d_new_{path}": after}
        d_output = self.pointers.get("d_output")
        if d_output is not None:
            found["d_output"] = d_output[t]
        return found | self.common
