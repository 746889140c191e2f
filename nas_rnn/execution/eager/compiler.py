"""Compiles a layout into the eager backend's program."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.nodes import (
    Apply,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Project,
    Scalar,
)
from nas_rnn.execution.eager.closures import call, compile_operation, read
from nas_rnn.execution.eager.emitter import Emitter, Program
from nas_rnn.execution.eager.grouping import Group, Run, make_grouping
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.reference import EPSILON


def compile_program(layout: Layout) -> Program:
    """Return the program of one layer and direction."""
    compiler = _Compiler(layout)
    compiler.before_loop()
    compiler.in_loop()
    return compiler.emitter.program()


class _Compiler:
    """Walks the nodes; ``parts`` holds blocks of columns to which products are still added, by owners."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.nodes = layout.canonical.nodes
        self.grouping = make_grouping(layout)
        self.emitter = Emitter(layout)
        self.constants: dict[int, float] = {}
        self.parts: dict[tuple[int, ...], int] = {}
        self.products = {matrix.owner for matrix in layout.matrices}
        self.blockwise = {matrix.owner for matrix in layout.matrices if matrix.heads > 1}
        self.done: set[int] = set()
        self.moments: dict[tuple[int, ...], tuple[int, int]] = {}

    def before_loop(self) -> None:
        """Emit all that no state reaches."""
        waiting = dict(self.grouping.segments)
        for index, level in enumerate(self.layout.levels):
            if level < 0:
                sources = tuple(sorted(set(self.nodes[index].inputs)))
                if index in self.products - self.blockwise and sources in waiting:
                    self.segments(sources, waiting.pop(sources))
                self.node(index)
        for sources, pieces in waiting.items():
            self.segments(sources, pieces)
        for owner in sorted(self.blockwise):
            if self.layout.levels[owner] >= 0:
                self.blocks_hoisted(owner)

    def in_loop(self) -> None:
        """Emit one step: level by level, the operations and then the products that read them."""
        self.emitter.in_step = True
        for level in range(max(self.layout.levels) + 1):
            for index in range(len(self.nodes)):
                if self.layout.levels[index] == level:
                    self.node(index)
            for group in self.grouping.groups:
                if group.level == level:
                    self.group(group)

    # Products

    def segments(self, sources: tuple[int, ...], pieces: Sequence[tuple[int, ...]]) -> None:
        """Emit the products with ``sources`` over the whole sequence, biases too, cut into ``pieces``."""
        owners = [owner for piece in pieces for owner in piece]
        block = self.product(owners, sources[0], self.emitter.bias(owners, owners))
        for source in sources[1:]:
            more = self.product(owners, source, None)
            block = self.emitter.emit([block, more], call(torch.add, read(block), read(more)))
        outs = []
        for piece in pieces:
            alone = len(piece) == 1 and self.layout.levels[piece[0]] < 0
            outs.append(piece[0] if alone else self.emitter.new())
            self.parts[piece] = outs[-1]
        self.emitter.split(block, [self.columns(piece) for piece in pieces], outs)

    def group(self, group: Group) -> None:
        """Emit one product of a step, and finish the runs for which it is the last."""
        owners = group.owners
        fresh = [
            o for run in group.runs if not run.hoisted and run.steps[0] == group.source for o in run.owners
        ]
        addend = self.parts.pop(owners, None)
        block = (
            self.product(owners, group.source, self.emitter.bias(owners, fresh))
            if addend is None
            else self.product_onto(addend, owners, group.source)
        )
        outs = [block] if len(group.runs) == 1 else [self.emitter.new() for _ in group.runs]
        if len(outs) > 1:
            self.emitter.split(block, [self.columns(run.owners) for run in group.runs], outs)
        for run, out in zip(group.runs, outs, strict=True):
            part = self.parts.pop(run.owners, None)
            if part is not None:
                out = self.emitter.emit([part, out], call(torch.add, read(part), read(out)))
            if run.steps[-1] == group.source:
                self.finish(run, out)
            else:
                self.parts[run.owners] = out

    def product(self, owners: Sequence[int], source: int, bias: int | None) -> int:
        weight = self.emitter.weight(owners, source)
        if bias is None:
            return self.emitter.emit([source], call(F.linear, read(source), read(weight)))
        return self.emitter.emit([source], call(F.linear, read(source), read(weight), read(bias)))

    def product_onto(self, addend: int, owners: Sequence[int], source: int) -> int:
        weight = self.emitter.weight(owners, source)
        turned = self.emitter.emit([], lambda r: r[weight].t(), once=True)
        return self.emitter.emit(
            [addend, source], call(torch.addmm, read(addend), read(source), read(turned))
        )

    def finish(self, run: Run, block: int) -> None:
        """Cut a finished block into its owners' values; neighbours enter the same function together."""

        def function(owner: int) -> str:
            node = self.nodes[self.grouping.activations.get(owner, 0)]
            return node.operation if isinstance(node, Apply) else ""

        pieces: list[tuple[str, tuple[int, ...]]] = []
        for name, members in groupby(run.owners, key=function):
            owners = tuple(members)
            together = bool(name) and len(owners) > 1
            pieces += [(name, owners)] if together else [("", (owner,)) for owner in owners]
        outs = [self.emitter.new() if name else owners[0] for name, owners in pieces]
        self.emitter.split(block, [self.columns(owners) for _, owners in pieces], outs)
        for (name, owners), out in zip(pieces, outs, strict=True):
            if name:
                self.activate(name, owners, out)

    def activate(self, name: str, owners: Sequence[int], block: int) -> None:
        code = compile_operation(find_operation(name), [block])
        assert callable(code)
        active = self.emitter.emit([block], code)
        readers = [self.grouping.activations[owner] for owner in owners]
        self.emitter.split(active, [self.layout.hidden_size] * len(owners), readers)
        self.done.update(readers)

    def columns(self, owners: Sequence[int]) -> int:
        return len(owners) * self.layout.hidden_size

    # Block-diagonal products

    def blocks_hoisted(self, owner: int) -> None:
        """Emit, before the loop, the part of a step's block-diagonal `linear` that no state reaches."""
        sources = [m for m in self.layout.matrices if m.owner == owner and self.layout.levels[m.source] < 0]
        if sources:
            self.parts[(owner,)] = self.block_products(owner, hoisted=True)

    def block_products(self, owner: int, hoisted: bool, out: int | None = None) -> int:
        matrices = [m for m in self.layout.matrices if m.owner == owner]
        matrices = [m for m in matrices if (self.layout.levels[m.source] < 0) == hoisted]
        registers = [(m.source, self.emitter.blocks[m.place]) for m in matrices]
        start = self.parts.pop((owner,), None)
        if start is None and owner in self.emitter.biases:
            start = self.emitter.blocks[self.emitter.biases[owner]]

        def run(r: list[Tensor]) -> Tensor:
            total = block_product(r[registers[0][0]], r[registers[0][1]])
            for source, weight in registers[1:]:
                total = total + block_product(r[source], r[weight])
            return total if start is None else total + r[start]

        return self.emitter.emit([m.source for m in matrices] + ([] if start is None else [start]), run, out)

    # Everything else

    def node(self, index: int) -> None:
        """Emit the value of one node, unless products or a neighbour give it."""
        node = self.nodes[index]
        emit = self.emitter.emit
        if index in self.done:
            return
        match node:
            case Constant(value=value):
                self.constants[index] = value
            case Scalar():
                emit([], read(self.emitter.row(self.layout.scalars, index)), index)
            case LearnedVector():
                row = self.emitter.row(self.layout.vectors, index)
                emit(
                    [], lambda r: r[row].expand(r[0].shape[1], -1), index
                )  # before the loop: r[0] is (T, B, I)
            case Linear() if index in self.blockwise:
                self.block_products(index, self.layout.levels[index] < 0, index)
            case Project(argument=argument) if index not in self.products:
                emit([argument], read(argument), index)
            case Diagonal(argument=argument):
                row = self.emitter.row(self.layout.diagonals, index)
                emit([argument], call(torch.mul, read(argument), read(row)), index)
            case LayerNorm(argument=argument, among=()):
                self.layer_norm(index, argument)
            case LayerNorm():
                self.joint_norm(index, node.inputs)
            case Apply():
                self.apply(index, node)

    def layer_norm(self, index: int, argument: int) -> None:
        gain = self.emitter.row(self.layout.gains, index)
        shift = self.emitter.row(self.layout.shifts, index)
        shape = (self.layout.width(argument),)
        self.emitter.emit(
            [argument], lambda r: F.layer_norm(r[argument], shape, r[gain], r[shift], EPSILON), index
        )

    def joint_norm(self, index: int, inputs: Sequence[int]) -> None:
        """Normalise the first of ``inputs`` by the mean and variance of all, which others may share."""
        gain = self.emitter.row(self.layout.gains, index)
        shift = self.emitter.row(self.layout.shifts, index)
        argument, together = inputs[0], tuple(sorted(inputs))
        if together not in self.moments:
            count = sum(map(self.layout.width, together))
            mean = self.emitter.emit(together, lambda r: _sums([r[i] for i in together]) / count)
            scale = self.emitter.emit(
                [*together, mean],
                lambda r: torch.rsqrt(_sums([(r[i] - r[mean]).square() for i in together]) / count + EPSILON),
            )
            self.moments[together] = mean, scale
        mean, scale = self.moments[together]
        self.emitter.emit(
            [argument, mean, scale],
            lambda r: (r[argument] - r[mean]) * r[scale] * r[gain] + r[shift],
            index,
        )

    def apply(self, index: int, node: Apply) -> None:
        arguments = [self.constants.get(i, i) for i in node.arguments]
        compiled = compile_operation(find_operation(node.operation), arguments)
        if callable(compiled):
            self.emitter.emit(node.arguments, compiled, index)
        else:
            self.constants[index] = compiled


def _sums(values: Sequence[Tensor]) -> Tensor:
    """Return the sum over the units of all ``values``, (..., 1)."""
    first, *others = (value.sum(-1, keepdim=True) for value in values)
    return sum(others, first)


def block_product(value: Tensor, weight: Tensor) -> Tensor:
    """Return the block-diagonal product: value (..., n * i), weight (n, o, i), result (..., n * o)."""
    heads, out, size = weight.shape
    pieces = value.reshape(-1, heads, size).transpose(0, 1)
    product = torch.bmm(pieces, weight.transpose(1, 2))
    return product.transpose(0, 1).reshape(*value.shape[:-1], heads * out)
