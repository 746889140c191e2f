"""The matrix products that a cell cannot do without, alone: what its arithmetic would cost if nothing else did.

Forwards: values that no state reaches are multiplied once for the whole sequence; within a step there is one
product for each value that `linear` reads, by all of its matrices side by side. Backwards likewise for the
values' gradients, the input's included; the weights' gradients are one product a value, after the loop.
Elementwise code, biases, copies and autograd are left out, and what is multiplied is random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas_rnn.errors import UserError
from nas_rnn.execution import Layout
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.scheduler import make_schedule


@dataclass(frozen=True)
class Product:
    """All products of one value: ``owners`` are the nodes whose sums they add to, hidden_size columns each.

    ``hoisted``: over the whole sequence at once. ``width`` is the value's, ``level`` how many products of a
    step come before it.
    """

    source: int
    owners: tuple[int, ...]
    width: int
    level: int
    hoisted: bool

    def flops(self, steps: int, batch: int, hidden_size: int) -> int:
        """Return how many operations forward and backward take: three products of one size."""
        return 3 * 2 * steps * batch * self.width * len(self.owners) * hidden_size


def products(layout: Layout) -> list[Product]:
    """Return the cell's products in the order of a step; `UserError` for matrices with heads."""
    if any(matrix.heads > 1 for matrix in layout.matrices):
        raise UserError("the bound is for whole matrices; this cell has linear(..., heads=...)")
    schedule = make_schedule(layout)
    known = _before_the_loop(schedule)
    owners: dict[int, list[int]] = {}
    for matrix in layout.matrices:
        source = schedule.same_as[matrix.source]
        if source not in schedule.fixed:
            owners.setdefault(source, []).append(matrix.owner)
    found = [
        Product(source, tuple(sorted(read)), layout.width(source), layout.levels[source], known[source])
        for source, read in owners.items()
    ]
    return sorted(found, key=lambda product: (not product.hoisted, product.level, product.source))


def _before_the_loop(schedule: Schedule) -> list[bool]:
    """Return which nodes are known for the whole sequence before its loop."""
    known: list[bool] = []
    for index, node in enumerate(schedule.layout.canonical.nodes):
        path = getattr(node, "path", None)
        is_known = path in schedule.delayed if path is not None else all(known[i] for i in node.inputs)
        known.append(index == 0 or is_known)
    return known


def flops(layout: Layout, steps: int, batch: int) -> int:
    """Return the operations (a multiplication or an addition each) of all products, forward and backward."""
    return sum(product.flops(steps, batch, layout.hidden_size) for product in products(layout))


class _Operands:
    """The preallocated tensors of one product; sums and their gradients are shared by equal owners."""

    def __init__(
        self, product: Product, sums: Tensor, d_sums: Tensor, adds: bool, steps: int, batch: int
    ) -> None:
        columns = sums.shape[-1]
        rows = steps * batch
        self.adds, self.batch = adds, batch
        self.value = torch.randn(rows, product.width) / 10
        self.d_value = torch.empty(rows if product.hoisted else batch, product.width)
        self.weight = torch.randn(columns, product.width) / 10
        self.d_weight = torch.empty_like(self.weight)
        self.turned = self.weight.t()
        self.sums, self.d_sums = sums, d_sums
        self.steps = list(zip(self.value.split(batch), sums.split(batch), d_sums.split(batch), strict=True))

    def forward(self, value: Tensor, sums: Tensor) -> None:
        if self.adds:
            torch.addmm(sums, value, self.turned, out=sums)
        else:
            torch.mm(value, self.turned, out=sums)


def make_bound(layout: Layout, steps: int, batch: int) -> Callable[[], None]:
    """Return a function that computes the products once, forward and backward, into tensors made here."""
    made: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
    hoisted: list[_Operands] = []
    inside: list[_Operands] = []
    for product in products(layout):
        adds = product.owners in made
        columns, rows = len(product.owners) * layout.hidden_size, steps * batch
        if not adds:
            made[product.owners] = torch.empty(rows, columns), torch.randn(rows, columns) / 10
        operands = _Operands(product, *made[product.owners], adds, steps, batch)
        (hoisted if product.hoisted else inside).append(operands)

    def run() -> None:
        for each in hoisted:
            each.forward(each.value, each.sums)
        for t in range(steps):
            for each in inside:
                value, sums, _ = each.steps[t]
                each.forward(value, sums)
        for t in range(steps - 1, -1, -1):
            for each in reversed(inside):
                torch.mm(each.steps[t][2], each.weight, out=each.d_value)
        for each in reversed(hoisted):
            torch.mm(each.d_sums, each.weight, out=each.d_value)
        for each in (*hoisted, *inside):
            torch.mm(each.d_sums.t(), each.value, out=each.d_weight)

    return torch.no_grad()(run)
