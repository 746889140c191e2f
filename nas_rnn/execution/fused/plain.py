"""What kind of tensors a layer is given: torch's own, or such that stand for others."""

from __future__ import annotations

import torch
from torch import Tensor


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is torch's own, of no class that stands in for one."""
    return type(tensor) in (Tensor, torch.nn.Parameter)


def is_batched(tensor: Tensor) -> bool:
    """Whether it is a batch of gradients of the older `torch.autograd.grad(..., is_grads_batched=True)`."""
    return bool(torch._C._functorch.is_legacy_batchedtensor(tensor))


def is_transformed() -> bool:
    """Whether tensors may be batches, or have tangents: within torch.func and forward-mode differentiation."""
    return (
        torch._C._functorch.maybe_current_level() is not None or torch.autograd.forward_ad._current_level >= 0
    )
