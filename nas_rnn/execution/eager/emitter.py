"""The eager backend's program, and how instructions and registers for weights are added to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nas_rnn.execution.eager.closures import Closure, Registers, read
from nas_rnn.execution.layout import Layout, Matrix, Place, Vector

Instruction = Callable[[Registers], None]


@dataclass(frozen=True)
class Program:
    """What to run once and at each step, over a list of ``size`` registers.

    Register i holds the value of node i; ``tensors`` says where the packed parameters go. ``unbound`` are
    the registers with a time axis that the step reads one time step at a time; ``outputs`` hold the next
    states.
    """

    size: int
    tensors: dict[str, int]
    prologue: tuple[Instruction, ...]
    step: tuple[Instruction, ...]
    unbound: tuple[int, ...]
    outputs: tuple[int, ...]


class Emitter:
    """Collects instructions: first those before the loop, then, once ``in_step`` is set, those of a step."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.size = len(layout.canonical.nodes)
        self.tensors = {name: self.new() for name, _ in layout.shapes}
        self.prologue: list[Instruction] = []
        self.step: list[Instruction] = []
        self.in_step = False
        self.over_time = {0}
        self.step_reads = set(layout.canonical.outputs)
        self.blocks: dict[Place, int] = {}
        self.matrices: dict[tuple[int, int], list[Matrix]] = {}
        for matrix in layout.matrices:
            self.matrices.setdefault((matrix.owner, matrix.source), []).append(matrix)
        self.biases = {vector.owner: vector.place for vector in layout.biases}
        self._cut_tensors()

    def program(self) -> Program:
        """Return what was collected."""
        unbound = tuple(sorted(self.step_reads & self.over_time))
        outputs = self.layout.canonical.outputs
        return Program(self.size, self.tensors, tuple(self.prologue), tuple(self.step), unbound, outputs)

    def new(self) -> int:
        """Return a new register."""
        self.size += 1
        return self.size - 1

    def emit(self, reads: Sequence[int], code: Closure, out: int | None = None, once: bool = False) -> int:
        """Put what ``code`` computes into ``out``; ``once`` keeps that out of the step."""
        target = self.new() if out is None else out

        def run(r: Registers) -> None:
            r[target] = code(r)

        self._append(run, reads, [target], once)
        return target

    def split(self, source: int, sizes: Sequence[int], outs: Sequence[int], dim: int = -1) -> None:
        """Cut register ``source`` into pieces of ``sizes``, so that the gradient is put together once."""
        lengths, targets = list(sizes), tuple(outs)
        if len(targets) == 1:
            self.emit([source], read(source), targets[0])
            return

        def run(r: Registers) -> None:
            for out, piece in zip(targets, torch.split(r[source], lengths, dim), strict=True):
                r[out] = piece

        self._append(run, [source], targets, False)

    def _append(self, run: Instruction, reads: Sequence[int], outs: Sequence[int], once: bool) -> None:
        if self.in_step and not once:
            self.step_reads.update(reads)
            self.step.append(run)
            return
        self.prologue.append(run)
        if not self.over_time.isdisjoint(reads):
            self.over_time.update(outs)

    def _cut_tensors(self) -> None:
        """Cut each packed tensor into its places; rows of vectors become vectors."""
        layout = self.layout
        matrices = [matrix.place for matrix in layout.matrices] + [vector.place for vector in layout.biases]
        for name, register in self.tensors.items():
            here = sorted(place for place in matrices if place.tensor == name)
            for place in here:
                self.blocks[place] = self.new()
            if here:
                self.split(register, [p.stop - p.start for p in here], [self.blocks[p] for p in here], dim=0)
        for vectors in (layout.diagonals, layout.gains, layout.shifts, layout.scalars, layout.vectors):
            for vector in vectors:
                self._cut_row(vector)

    def _cut_row(self, vector: Vector) -> None:
        tensor, row = self.tensors[vector.place.tensor], vector.place.start
        self.blocks[vector.place] = self.emit([], lambda r: r[tensor][row])

    def row(self, vectors: Sequence[Vector], owner: int) -> int:
        """Return the register of the vector that ``owner`` has among ``vectors``."""
        return next(self.blocks[vector.place] for vector in vectors if vector.owner == owner)

    def weight(self, owners: Sequence[int], source: int) -> int:
        """Return the register of the owners' matrices for ``source``, one below the other."""
        rows = [[m.place for m in self.matrices[owner, source]] for owner in owners]
        flat = [place for places in rows for place in places]
        total = dict(self.layout.shapes)[flat[0].tensor][0]
        if len(flat) == len(rows) and flat == sorted(flat) and total == sum(p.stop - p.start for p in flat):
            return self.tensors[flat[0].tensor]
        blocks = [[self.blocks[place] for place in places] for places in rows]

        def run(r: Registers) -> Tensor:
            return torch.cat([sum((r[b] for b in others), r[first]) for first, *others in blocks])

        return self.emit([], run, once=True)

    def bias(self, owners: Sequence[int], starting: Sequence[int]) -> int | None:
        """Return the register of the biases of ``starting``, zero for other ``owners``; None without any."""
        blocks = [self.blocks[self.biases[o]] if o in self.biases and o in starting else None for o in owners]
        given = [block for block in blocks if block is not None]
        if len(given) == len(blocks) == 1 or not given:
            return given[0] if given else None

        def run(r: Registers) -> Tensor:
            return torch.cat(
                [torch.zeros_like(r[given[0]]) if block is None else r[block] for block in blocks]
            )

        return self.emit([], run, once=True)
