"""Where the item that came stands among all that were scored. Shapes: N predicted steps, K items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

MOST_SCORES = 1 << 24
"""So many are ranked at a time: 64 MiB."""


class Ranks(NamedTuple):
    """Of each step's true item: ``above_N`` items have a higher score, ``equal_N`` the same, itself among them.

    Where ties are broken by chance its rank is any of above + 1 to above + equal, each as likely. An item that is none
    of the K stands below all.
    """

    above_N: Tensor
    equal_N: Tensor

    def found(self, top: int) -> Tensor:
        """Return (N,): how likely the item is among the ``top`` first ones (recall at ``top``)."""
        return ((top - self.above_N).double() / self.equal_N).clamp(0.0, 1.0)

    def reciprocal(self, top: int) -> Tensor:
        """Return (N,): the expected value of 1 / rank, 0 behind the ``top`` first ones."""
        sums = torch.arange(1, top + 1, dtype=torch.float64, device=self.above_N.device).reciprocal()
        sums = torch.cat([sums.new_zeros(1), sums.cumsum(0)])
        first_N, last_N = (place.clamp(max=top) for place in (self.above_N, self.above_N + self.equal_N))
        return (sums[last_N] - sums[first_N]) / self.equal_N


def joined(pieces: Sequence[Ranks]) -> Ranks:
    """Return the ranks of all steps of several pieces."""
    return Ranks(*(torch.cat(own) for own in zip(*pieces, strict=True)))


def ranks_of(scores_NK: Tensor, targets_N: Tensor) -> Ranks:
    """Return the ranks of the items ``targets_N``; K and more stand for items that are not scored.

    A score that is no number counts as higher than all others, and as the item's own it is below them.
    """
    items = scores_NK.shape[1]
    known_N = targets_N < items
    own_N1 = scores_NK.gather(1, targets_N.clamp(max=items - 1)[:, None])
    above_N = items - (scores_NK <= own_N1).sum(1)
    equal_N = (scores_NK == own_N1).sum(1).clamp(min=1)
    return Ranks(above_N.masked_fill(~known_N, items), equal_N.masked_fill(~known_N, 1))
