"""The tensors of one sequence, forwards and backwards, whoever computes what stands in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.memory import empty
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.schedule import Run, Schedule


class Buffers(ABC):
    """The tensors of one sequence, and the two methods that fill them."""

    def __init__(
        self,
        schedule: Schedule,
        gradient: Gradient,
        active: Tensor | None,
        restarts: Tensor | None,
        x: Tensor,
        learned: Tensor,
        states: Sequence[Tensor],
        parameters: Sequence[Tensor],
    ) -> None:
        self.schedule, self.gradient, self.layout = schedule, gradient, schedule.layout
        self.steps, self.batch = x.shape[0], x.shape[1]
        self.active = active
        self.restarts = None if restarts is None else restarts.to(torch.uint8).contiguous()
        self.before: list[Tensor] = []
        """With ``restarts``, the states before each step, (T, B, size): begun anew where sequences do."""
        self.x = x.contiguous()
        self.learned = learned.contiguous()
        self.states = [state.contiguous() for state in states]
        self.parameters = dict(zip((name for name, _ in self.layout.shapes), parameters, strict=True))
        self.parameters = {name: tensor.contiguous() for name, tensor in self.parameters.items()}
        self.slots: Tensor
        self.new: list[Tensor]
        self.kept: list[Tensor]
        self.moments: Tensor
        self.pointers: dict[str, Tensor] = {}

    @abstractmethod
    def run_forward(self) -> None:
        """Fill what `forward` made room for."""

    @abstractmethod
    def run_backward(self, needs_x: bool, needs: Sequence[bool]) -> tuple[Tensor, list[Tensor | None]]:
        """Fill what `backward` made room for; return the gradients of the learned numbers and of the parameters that
        are matrices."""

    @property
    def rows(self) -> int:
        return self.steps * self.batch

    def new_sequence(self, width: int) -> Tensor:
        """Return a tensor (T, B, width) for the layer alone; zeros where sequences end early, as products read all of
        it."""
        made = empty(self.x, self.steps, self.batch, width)
        return made if self.active is None else made.zero_()

    def new_result(self, width: int) -> Tensor:
        """Return such a tensor that others are given."""
        shape = (self.steps, self.batch, width)
        return self.x.new_empty(shape) if self.active is None else self.x.new_zeros(shape)

    def width(self, leaf: Leaf) -> int:
        return self.layout.input_size if leaf.size == "input" else self.layout.hidden_size

    # Forwards

    def forward(self) -> None:
        """Compute the states after each step, and what the gradients need besides."""
        schedule = self.schedule
        self.slots = self.new_sequence(len(schedule.slots) * self.layout.hidden_size)
        output, *others = self.layout.state_sizes
        self.new = [self.new_result(output), *map(self.new_sequence, others)]
        self.kept = [self.new_sequence(self.layout.width(node)) for node in schedule.kept]
        self.moments = self.new_sequence(2 * len(schedule.norms))
        if self.restarts is not None:
            self.before = [torch.empty_like(new) for new in self.new]
        self.run_forward()

    def columns(self, start: int, count: int) -> Tensor:
        """Return columns of the slots, from ``start`` on, as a matrix over all rows."""
        return self.slots.view(self.rows, -1)[:, start : start + count]

    def pieces(self, run: Run) -> Iterator[tuple[int, Tensor, tuple[int, int] | None]]:
        """Cut a run into the parts of packed parameters that it consists of: first column within the slots,
        the matrix, and the columns of the source that it reads (None: all)."""
        for first, matrices in run.neighbours:
            place = matrices[0].place
            tensor = self.parameters[place.tensor]
            column = (run.slot + first) * self.layout.hidden_size
            if matrices[0].heads == 1:
                yield column, tensor[place.start : matrices[-1].place.stop], None
                continue
            heads, out, size = tensor.shape
            for n in range(heads):
                yield column + n * out, tensor[n], (n * size, (n + 1) * size)

    def sources(self, leaf: Leaf) -> list[tuple[Tensor, slice]]:
        """Return what products read over the whole sequence, as matrices, each with the rows that read it."""
        match leaf.kind:
            case Kind.X:
                found = self.x
            case Kind.KEPT:
                found = self.kept[leaf.index]
            case Kind.PREVIOUS if self.restarts is not None:
                return [(self.before[leaf.index].view(self.rows, -1), slice(None))]
            case _:
                found = self.new[leaf.index]
        whole = found.view(self.rows, -1)
        if leaf.kind is not Kind.PREVIOUS:
            return [(whole, slice(None))]
        first = (self.states[leaf.index], slice(self.batch))
        return [first, (whole[: -self.batch], slice(self.batch, None))] if self.steps > 1 else [first]

    # Backwards

    def backward(
        self,
        d_output: Tensor | None,
        d_finals: Sequence[Tensor | None],
        needs_x: bool,
        needs: Sequence[bool],
    ) -> tuple[Tensor | None, Tensor, list[Tensor], list[Tensor | None]]:
        """Return the gradients of x, the learned numbers, the states' starts, and the parameters that are matrices.

        ``d_output`` and each of ``d_finals`` are None for zeros.
        """
        if self.restarts is not None:
            self.before = [self.begun_anew(path) for path in range(len(self.states))]
        given = torch.zeros_like(self.new[0]) if d_output is None else d_output
        self.pointers["d_output"] = given.contiguous()
        d_starts = [self.d_state(path, final) for path, final in enumerate(d_finals)]
        d_x = self.gathered_gradients(needs_x)
        learned, weights = self.run_backward(needs_x, needs)
        return d_x if needs_x else None, learned, d_starts, weights

    def begun_anew(self, path: int) -> Tensor:
        """Return a state path before each step of a sequence that has been run."""
        assert self.restarts is not None
        carried = torch.cat([self.states[path][None], self.new[path][:-1]])
        return carried.masked_fill_(self.restarts.bool()[..., None], self.layout.canonical.states[path].init)

    def d_state(self, path: int, d_final: Tensor | None) -> Tensor:
        """Make room for the gradients of a state path; return where that of its start will be."""
        size = self.layout.state_sizes[path]
        if path not in self.schedule.delayed:
            both = self.x.new_empty(2, self.batch, size)
            last = both[(self.steps - 1) % 2]
            _ = last.zero_() if d_final is None else last.copy_(d_final)
            self.pointers[f"d_state_{path}"] = both
            return both[1]
        return self.d_sequence(path, d_final)

    def d_sequence(self, path: int, d_final: Tensor | None) -> Tensor:
        """Make room for the gradients of a state path before and after each step. They are gathered apart,
        since what stands after a step is what stands before the next, which other rows add to."""
        both = self.x.new_zeros(2, self.steps, self.batch, self.layout.state_sizes[path])
        if d_final is not None and self.active is None:
            both[1, -1] = d_final
        elif d_final is not None and self.active is not None:
            sequences = torch.arange(self.batch, device=self.x.device)
            both[1, (self.active[:, None] > sequences).sum(0) - 1, sequences] = d_final
        self.pointers[f"d_state_{path}"] = both
        return both[0, 0]

    def gathered_gradients(self, needs_x: bool) -> Tensor | None:
        """Make room for the gradients that are gathered outside slots and states; return that of x."""
        d_x: Tensor | None = None
        for leaf in self.gradient.places:
            if leaf.kind is Kind.D_X:
                d_x = self.new_result(self.layout.input_size)
                self.pointers["d_x"] = d_x
            elif leaf.kind in (Kind.D_SLOT, Kind.D_KEPT):
                whole, width = self.gradient.is_sequence(leaf), self.width(leaf)
                place = self.new_sequence(width) if whole else self.x.new_empty(self.batch, width)
                self.pointers[field_of(leaf)] = place
        return self.x.new_zeros(self.x.shape) if d_x is None and needs_x else d_x

    def weight_gradients(self, needs: Sequence[bool]) -> list[Tensor | None]:
        """Return a gradient for each parameter that is a matrix; None for the others."""
        grads: dict[str, Tensor] = {}
        wanted = {name for (name, _), need in zip(self.layout.shapes, needs, strict=True) if need}
        for stage in self.schedule.stages:
            for run in stage.backward:
                for first, matrices in run.neighbours:
                    place = matrices[0].place
                    if place.tensor not in wanted:
                        continue
                    if place.tensor not in grads:
                        grads[place.tensor] = torch.zeros_like(self.parameters[place.tensor])
                    grad = grads[place.tensor]
                    column = (run.slot + first) * self.layout.hidden_size
                    if matrices[0].heads == 1:
                        self.weight_gradient(
                            run, column, grad[place.start : matrices[-1].place.stop], slice(None)
                        )
                        continue
                    heads, out, size = grad.shape
                    for n in range(heads):
                        self.weight_gradient(run, column + n * out, grad[n], slice(n * size, (n + 1) * size))
        return [grads.get(name) for name, _ in self.layout.shapes]

    def multiply(self, left: Tensor, right: Tensor, out: Tensor, adds: bool) -> None:
        """Write a product of two matrices to ``out``, or add it to what is there."""
        if adds:
            out.addmm_(left, right)
        else:
            torch.mm(left, right, out=out)

    def weight_gradient(self, run: Run, column: int, out: Tensor, columns: slice) -> None:
        d = self.columns(column, out.shape[0])
        for number, (source, rows) in enumerate(self.sources(run.source)):
            self.multiply(d[rows].t(), source[:, columns], out, number > 0)
