"""Whether padding changes what a model computes, as a part of the check of tasks.

Shapes: T steps, B columns, (T, B, ...) of what has time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nas_rnn.tasks.batch import Batch, Tensors
from nas_rnn.tasks.model import TaskModel

MORE = 2
"""How many steps of padding are put behind those that are there."""


def padding_problems(model: TaskModel, batch: Batch) -> list[str]:
    """Say whether other numbers at padded places, and more such places, change anything."""
    if batch.lengths is None:
        return []
    other = replace(
        batch,
        inputs=_other_padding(batch.inputs, batch.lengths, "inputs"),
        targets=_other_padding(batch.targets, batch.lengths, "targets"),
        restarts=None if batch.restarts is None else _longer(batch.restarts, False),
    )
    found = [_measured(model, one) for one in (batch, other)]
    names = [
        name
        for name, value in found[0].items()
        if value.shape != found[1][name].shape
        or not torch.allclose(value, found[1][name], rtol=1e-4, atol=1e-6, equal_nan=True)
    ]
    return [f"padding changes {', '.join(names)}"] if names else []


def drawn(call: Callable[[], Any]) -> Any:
    """Return what ``call`` gives, with torch's random numbers from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return call()


def fresh_generator() -> torch.Generator:
    """Return what `TaskModel.score` draws from, always at the same place."""
    return torch.Generator().manual_seed(0)


def _measured(model: TaskModel, batch: Batch) -> dict[str, Tensor]:
    model.eval()
    model.zero_grad(set_to_none=True)
    loss, _ = drawn(lambda: model.loss(batch, None))
    loss.total.backward()
    scores, _ = model.score(batch, None, generator=fresh_generator())
    gradients = {f"the gradient of {n}": p.grad for n, p in model.named_parameters() if p.grad is not None}
    scored = {f"statistic {name!r}": values.double() for name, values in scores.items()}
    own = {"the loss": loss.total.detach(), "the count of targets": torch.tensor(loss.count)}
    return {name: value.detach().clone() for name, value in {**own, **gradients, **scored}.items()}


def _other_padding(tensors: Tensors, lengths: Tensors, which: str) -> Tensors:
    """Return tensors (T, B, ...) that have lengths with other numbers, and more steps, behind them."""
    if isinstance(tensors, Tensor):
        own = _own_lengths(lengths, which)
        return tensors if own is None else _repadded(tensors, own)
    return {
        name: tensor if (own := _own_lengths(lengths, name)) is None else _repadded(tensor, own)
        for name, tensor in tensors.items()
    }


def _own_lengths(lengths: Tensors, name: str) -> Tensor | None:
    return lengths if isinstance(lengths, Tensor) else lengths.get(name)


def _repadded(tensor: Tensor, lengths_B: Tensor) -> Tensor:
    if tensor.dim() < 2 or tensor.shape[1] != len(lengths_B) or int(lengths_B.max()) > len(tensor):
        return tensor
    real_TB = torch.arange(len(tensor))[:, None] < lengths_B
    real = real_TB.reshape(*real_TB.shape, *[1] * (tensor.dim() - 2))
    return _longer(torch.where(real, tensor, tensor[:1].expand_as(tensor)), tensor[:1])


def _longer(tensor: Tensor, value: Tensor | bool) -> Tensor:
    more = tensor.new_empty(MORE, *tensor.shape[1:])
    more[:] = value
    return torch.cat([tensor, more])
