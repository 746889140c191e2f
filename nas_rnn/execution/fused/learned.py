"""The rows and numbers that a cell's code reads, gathered from the packed parameters, and their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.layout import Place
from nas_rnn.execution.reference import Interpreter, product


def learned_values(schedule: Schedule, parameters: Sequence[Tensor], like: Tensor) -> Tensor:
    """Return the rows and numbers that the stages read, one after the other, as a function of the parameters."""
    named = _named(schedule, parameters)
    fixed = None if schedule.is_gathered else _Fixed(schedule, named, like)
    pieces: list[Tensor] = []
    for source in schedule.learned:
        if isinstance(source, Place):
            pieces.append(named[source.tensor][source.start : source.stop].flatten())
        else:
            assert fixed is not None
            pieces.append(fixed.value(*source).flatten())
    if not pieces:
        return like.new_empty(0)
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def learned_gradients(
    schedule: Schedule,
    parameters: Sequence[Tensor],
    like: Tensor,
    d_learned: Tensor,
    others: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Return the parameters' gradients: ``others``, with what comes by way of the learned values added to them."""
    if not schedule.is_gathered:
        return _through_fixed(schedule, parameters, like, d_learned, others, needs)
    found = {name: d for (name, _), d in zip(schedule.layout.shapes, others, strict=True)}
    wanted = {name for (name, _), need in zip(schedule.layout.shapes, needs, strict=True) if need}
    named, first = _named(schedule, parameters), 0
    for place in schedule.learned:
        assert isinstance(place, Place)
        tensor = named[place.tensor]
        part = tensor[place.start : place.stop]
        count = part.numel()
        d, first = d_learned[first : first + count], first + count
        if place.tensor not in wanted:
            continue
        if len(part) == len(tensor):
            found[place.tensor] = d.view(tensor.shape)
            continue
        whole = found[place.tensor]
        if whole is None:
            whole = found[place.tensor] = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
        whole[place.start : place.stop] = d.view(part.shape)
    return [_or_zeros(found[name], t, name in wanted) for name, t in named.items()]


def _through_fixed(
    schedule: Schedule,
    parameters: Sequence[Tensor],
    like: Tensor,
    d_learned: Tensor,
    others: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """As `learned_gradients`, where some are computed from several parameters."""
    with torch.enable_grad(), _autograd_runs():
        leaves = [t.detach().requires_grad_(need) for t, need in zip(parameters, needs, strict=True)]
        values = learned_values(schedule, leaves, like.detach())
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        given: Sequence[Tensor | None] = [None] * len(wanted)
        if values.requires_grad:
            given = torch.autograd.grad(values, wanted, d_learned, allow_unused=True)
    by_leaf = dict(zip(map(id, wanted), given, strict=True))
    found: list[Tensor | None] = []
    for leaf, other, need in zip(leaves, others, needs, strict=True):
        more = by_leaf.get(id(leaf))
        both = other if more is None else more if other is None else other + more
        found.append(_or_zeros(both, leaf, need))
    return found


@contextmanager
def _autograd_runs() -> Iterator[None]:
    """Let torch record gradients also within the kernel of an operator, where autograd has been left behind."""
    with torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.AutogradFunctionality, False):
        yield


def _or_zeros(gradient: Tensor | None, like: Tensor, need: bool) -> Tensor | None:
    return torch.zeros_like(like) if gradient is None and need else gradient


def _named(schedule: Schedule, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    return {name: t for (name, _), t in zip(schedule.layout.shapes, parameters, strict=True)}


class _Fixed:
    """The values that depend on learned numbers alone, by the reference interpreter."""

    def __init__(self, schedule: Schedule, parameters: Mapping[str, Tensor], like: Tensor) -> None:
        self.schedule = schedule
        self.interpreter = Interpreter(schedule.layout, parameters)
        x = like.new_zeros(1, schedule.layout.input_size)
        self.values: list[Tensor] = []
        for index, node in enumerate(schedule.layout.canonical.nodes):
            known = index in schedule.fixed
            self.values.append(self.interpreter.value(index, node, x, (), self.values) if known else x)

    def value(self, what: str, node: int) -> Tensor:
        if what == "value":
            return self.values[node]
        # a slot's row: its bias, and what its products with fixed values come to
        total = self.interpreter.biases.get(node)
        for matrix in self.schedule.layout.matrices:
            if matrix.owner == node and matrix.source in self.schedule.fixed:
                source = self.values[matrix.source]
                part = product(source, self.interpreter.matrices[node, matrix.argument])[0]
                total = part if total is None else total + part
        assert total is not None
        return total
