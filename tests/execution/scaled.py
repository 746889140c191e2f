"""Closeness for random cells, in which a norm of next to nothing makes rounding a million times larger."""

from collections.abc import Sequence

import torch
from torch import Tensor

SHARE = 1e-7


def assert_close_to_scale(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Assert that no value differs by more than `SHARE` of itself, or of the largest of its tensor."""
    for ours, theirs in zip(found, wanted, strict=True):
        largest = float(theirs.detach().abs().nan_to_num().max()) if theirs.numel() else 0.0
        torch.testing.assert_close(ours, theirs, rtol=SHARE, atol=max(1e-12, SHARE * largest), equal_nan=True)
