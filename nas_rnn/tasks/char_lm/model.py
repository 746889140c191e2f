"""A language model's loss and scores.

Shapes: T steps, B streams, V symbols.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.char_lm.net import LanguageModel
from nas_rnn.tasks.model import Loss, Probe, State, TaskModel
from nas_rnn.tasks.streams import IGNORED


class CharModel(TaskModel):
    """Cross-entropy of the next character; the state is carried from chunk to chunk."""

    carries_state: ClassVar[bool] = True

    def __init__(self, net: LanguageModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats; in evaluation with the bits and characters of each of the B rows."""
        targets_TB = batch.targets
        assert isinstance(batch.inputs, Tensor) and isinstance(targets_TB, Tensor)
        if batch.context:  # nothing but the state counts
            _, state = self.net.rnn(self.net.input(batch.inputs), state)
            return Loss(torch.zeros(()), 0), state
        logits_TBV, state = self.net(batch.inputs, state)
        log_probabilities = F.log_softmax(logits_TBV.flatten(0, 1), -1)
        mean = F.nll_loss(log_probabilities, targets_TB.flatten(), ignore_index=IGNORED)
        if self.training:  # the chunks that train have no place without a target
            return Loss(mean, targets_TB.numel()), state
        nats = F.nll_loss(log_probabilities, targets_TB.flatten(), ignore_index=IGNORED, reduction="none")
        characters_B = (targets_TB != IGNORED).sum(0)
        bits_B = nats.view_as(targets_TB).sum(0).double() / math.log(2)
        statistics = {"bits": bits_B, "characters": characters_B}
        return Loss(mean, int(characters_B.sum()), statistics=statistics), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of the last step alone."""
        logits_TBV, _ = self.net(batch.inputs, None)
        assert isinstance(batch.targets, Tensor)
        return {"net.rnn": Probe(F.cross_entropy(logits_TBV[-1], batch.targets[-1], ignore_index=IGNORED))}
