"""What torch does with the operator under `vmap` within a compiler, and under autocast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.operator import LIBRARY, Results, Tensors


def _batched(info: Any, dims: Sequence[Any], *arguments: Any) -> tuple[Results, Any]:
    """Run one problem of a batch of them after the other: `torch.vmap` within a compiler, elsewhere the eager backend
    runs them at once."""
    way, key, x, states, parameters, mask, restarts = arguments

    def at(number: int, tensor: Tensor | None, dim: int | None) -> Tensor | None:
        return tensor if tensor is None or dim is None else tensor.select(dim, number)

    def each(number: int, tensors: Tensors, dims: Sequence[int | None]) -> list[Tensor | None]:
        return [at(number, t, dim) for t, dim in zip(tensors, dims, strict=True)]

    results: list[Results] = [
        torch.ops.nas_rnn.sequence.default(
            way,
            key,
            at(number, x, dims[2]),
            each(number, states, dims[3]),
            each(number, parameters, dims[4]),
            at(number, mask, dims[5]),
            at(number, restarts, dims[6]),
        )
        for number in range(info.batch_size)
    ]
    outputs, finals, made = zip(*results, strict=True)
    stacked = [[torch.stack(same) for same in zip(*group, strict=True)] for group in (finals, made)]
    return (torch.stack(outputs), stacked[0], stacked[1]), (0, [0] * len(stacked[0]), [0] * len(stacked[1]))


torch.library.register_vmap("nas_rnn::sequence", _batched, lib=LIBRARY)
for _device in ("cpu", "cuda"):  # sums stay in float32
    torch.library.register_autocast("nas_rnn::sequence", _device, torch.float32, lib=LIBRARY)
