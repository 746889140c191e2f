"""What a model is given at a time, and help with sequences of unequal length.

Shapes: T steps, B columns of a batch (sequences or streams side by side), H features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Tensors = Tensor | Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs and targets of B columns; time comes first where there is time.

    ``items`` (B,) says which item of its part each column is, counted from 0 in the order of the data; an item may span
    several batches. Training batches need none. ``lengths`` (B,) counts the real steps of each column, the rest is
    padding that must never count; by name, where inputs and targets have different ones. ``restarts`` (T, B) is True
    where a column starts anew before a step, at the cell's own start: a new document, a new session. A batch that is
    ``context`` is read for the state that it leaves to the next one, and not scored: what precedes each column's first
    item in a part that is evaluated. It needs no items.
    """

    inputs: Tensors
    targets: Tensors
    items: Tensor | None = None
    lengths: Tensors | None = None
    restarts: Tensor | None = None
    context: bool = False

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device; ``items`` stay where they are, with whoever adds up."""
        return replace(
            self,
            inputs=_moved(self.inputs, device),
            targets=_moved(self.targets, device),
            lengths=None if self.lengths is None else _moved(self.lengths, device),
            restarts=None if self.restarts is None else self.restarts.to(device),
        )


def named_tensors(tensors: Tensors | None, name: str) -> dict[str, Tensor]:
    """Return ``tensors`` by name, as messages call them: "inputs", or "inputs['left']" where there are several."""
    if tensors is None:
        return {}
    if isinstance(tensors, Tensor):
        return {name: tensors}
    return {f"{name}[{key!r}]": tensor for key, tensor in tensors.items()}


def real_steps(lengths_B: Tensor, steps: int) -> Tensor:
    """Return (T, B), True at the steps of each column that are real."""
    return torch.arange(steps, device=lengths_B.device)[:, None] < lengths_B


def at_last_step(values_TBH: Tensor, lengths_B: Tensor | None) -> Tensor:
    """Return (B, H): each column's value after its last real step."""
    if lengths_B is None:
        return values_TBH[-1]
    return values_TBH[lengths_B - 1, torch.arange(len(lengths_B), device=values_TBH.device)]


def _moved(tensors: Tensors, device: torch.device) -> Tensors:
    if isinstance(tensors, Tensor):
        return tensors.to(device)
    return {name: tensor.to(device) for name, tensor in tensors.items()}
