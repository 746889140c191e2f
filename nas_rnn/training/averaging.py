"""Averaged weights: what a run at a constant rate is read from.

At a constant rate the weights wander around a minimum; their average lies nearer to it (Polyak & Juditsky 1992). It is
an exponential one over a share of all steps so far, so that it forgets the beginning however long the run gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """The average of a model's parameters over the last ``share`` of the steps; with 0 the parameters themselves."""

    def __init__(self, model: nn.Module, share: float) -> None:
        self._parameters = {
            name: parameter for name, parameter in model.named_parameters() if parameter.is_floating_point()
        }
        self._share = share
        self._average = (
            {name: _precise(p.detach()) for name, p in self._parameters.items()} if share > 0 else {}
        )

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after the step number ``step``, which counts from 1 over the whole run."""
        if self._average:
            current = [self._parameters[name].to(average.dtype) for name, average in self._average.items()]
            torch._foreach_lerp_(list(self._average.values()), current, 1.0 / (self._share * step + 1.0))

    @contextmanager
    def loaded(self) -> Iterator[None]:
        """Give the model its averaged parameters for the time of the block."""
        own = {name: self._parameters[name].detach().clone() for name in self._average}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(own)

    def state(self) -> dict[str, Tensor]:
        """Return the averaged parameters by name; none without averaging."""
        return dict(self._average)

    def restore(self, average: Mapping[str, Tensor]) -> None:
        """Continue from what `state` gave."""
        for name, tensor in self._average.items():
            tensor.copy_(average[name])

    @torch.no_grad()
    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            self._parameters[name].copy_(tensor)


def _precise(tensor: Tensor) -> Tensor:
    """Return a copy in which a small step towards a new value is not rounded away."""
    return tensor.clone() if tensor.dtype == torch.float64 else tensor.to(torch.float32, copy=True)
