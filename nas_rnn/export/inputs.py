"""What a whole model reads: one tensor or several by name, what their axes count, and less and more of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from nas_rnn.tasks import Task
from nas_rnn.tasks.batch import Tensors

TIME, BATCH = "time", "batch"

ALONE = "inputs"
"""What a single tensor is called in files; several are called so too, with a dot and their own names behind."""

Value = TypeVar("Value")


def apart(given: Tensors) -> dict[str, Tensor]:
    """Return a model's inputs by their names in files, in the order of the names."""
    if isinstance(given, Tensor):
        return {ALONE: given}
    return {f"{ALONE}.{name}": given[name] for name in sorted(given)}


def together(named: Mapping[str, Value]) -> Value | dict[str, Value]:
    """Return tensors by their names in files, or what belongs to them, as the model takes them."""
    if ALONE in named:
        return named[ALONE]
    return {name.removeprefix(f"{ALONE}."): value for name, value in named.items()}


@dataclass(frozen=True)
class Inputs:
    """A model's inputs by their names in files, and what the first axes of each count."""

    tensors: dict[str, Tensor]
    axes: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, task: Task, given: Tensors) -> Inputs:
        """Take inputs of a task: (time, batch, ...), of several as `Task.input_axes` says."""
        own = {f"{ALONE}.{name}": axes for name, axes in task.input_axes.items()}
        tensors = apart(given)
        return cls(tensors, {name: own.get(name, (TIME, BATCH)) for name in tensors})

    @property
    def given(self) -> Tensors:
        """What the model is called with."""
        return together(self.tensors)

    @property
    def several(self) -> bool:
        return ALONE not in self.tensors

    def sizes(self) -> dict[str, int]:
        """Return how long each axis is; nothing where a tensor has too few, or two of one name differ."""
        found: dict[str, int] = {}
        for name, tensor in self.tensors.items():
            if tensor.dim() < len(self.axes[name]):
                return {}
            for axis, size in zip(self.axes[name], tensor.shape, strict=False):
                if found.setdefault(axis, size) != size:
                    return {}
        return found

    def cut(self, steps: int, others: int) -> Inputs:
        """Return the first ``steps`` and the first ``others`` of every other axis.

        Of several inputs all steps stay, since one may say how many steps of another are real.
        """

        def shorter(tensor: Tensor, place: int, axis: str) -> Tensor:
            if axis == TIME and self.several:
                return tensor
            return tensor.narrow(place, 0, min(steps if axis == TIME else others, tensor.shape[place]))

        return self._changed(shorter)

    def grown(self) -> Inputs:
        """Return more of the same: lengths of axes that no size of the model equals by chance."""
        return self._changed(
            lambda tensor, place, _: torch.cat(
                [tensor, tensor.flip(place), tensor.narrow(place, 0, 1)], place
            )
        )

    def doubled(self, axis: str) -> Inputs:
        """Return twice as many along every axis of this name."""
        return self._changed(
            lambda tensor, place, own: torch.cat([tensor, tensor], place) if own == axis else tensor
        )

    def _changed(self, change: Callable[[Tensor, int, str], Tensor]) -> Inputs:
        found = dict(self.tensors)
        for name, axes in self.axes.items():
            for place, axis in enumerate(axes):
                found[name] = change(found[name], place, axis)
        return replace(self, tensors=found)
