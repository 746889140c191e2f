"""A drawing net's loss and scores. Shapes: T pieces of P pixels, B pictures, L levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.draw.net import DrawNet
from nas_rnn.tasks.model import Loss, Probe, State, TaskModel


class Drawer(TaskModel):
    """Cross-entropy of all pixels, each after those before it; a long picture's state goes on to its next batch."""

    carries_state: ClassVar[bool] = True

    def __init__(self, net: DrawNet) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean over pixels, in nats; in evaluation with each picture's bits and pixels."""
        if batch.restarts is not None:  # all pictures begin; the state is that of others
            state = None
        logits_TBPL, state = self.net(batch.inputs, state)
        assert isinstance(batch.targets, Tensor)
        count = batch.targets.numel()
        if self.training:
            return Loss(_nats(logits_TBPL, batch.targets, "mean"), count), state
        nats_TBP = _nats(logits_TBPL, batch.targets, "none").view_as(logits_TBPL[..., 0])
        bits_B = nats_TBP.double().sum((0, 2)) / math.log(2)
        pixels_B = bits_B.new_full(bits_B.shape, nats_TBP.shape[0] * nats_TBP.shape[2])
        return Loss(nats_TBP.mean(), count, statistics={"bits": bits_B, "pixels": pixels_B}), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of each last piece alone."""
        logits_TBPL, _ = self.net(batch.inputs, None)
        assert isinstance(batch.targets, Tensor)
        return {"net.rnn": Probe(_nats(logits_TBPL[-1:], batch.targets[-1:], "mean"))}


def _nats(logits_TBPL: Tensor, targets_TBP: Tensor, reduction: str) -> Tensor:
    """Return the cross-entropy of all pixels in a row, or its mean; levels stand last, where they are read fastest."""
    return F.cross_entropy(logits_TBPL.flatten(0, 2), targets_TBP.flatten(), reduction=reduction)
