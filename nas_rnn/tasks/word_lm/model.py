"""A language model's loss and scores. Shapes: T steps, B streams, H hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.model import Loss, Probe, State, TaskModel
from nas_rnn.tasks.streams import IGNORED
from nas_rnn.tasks.word_lm.net import LanguageModel


class WordModel(TaskModel):
    """Cross-entropy of the next word; the state is carried from chunk to chunk."""

    carries_state: ClassVar[bool] = True

    def __init__(self, net: LanguageModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats; in evaluation with the nats and words of each of the B rows."""
        targets_TB = batch.targets
        assert isinstance(batch.inputs, Tensor) and isinstance(targets_TB, Tensor)
        hidden_TBH, state = self.net.hidden(batch.inputs, state)
        if batch.context:  # nothing but the state counts
            return Loss(torch.zeros(()), 0), state
        nats_TB = self.net.nats(hidden_TBH, targets_TB)
        if self.training:  # the chunks that train have no place without a target
            return Loss(nats_TB.mean(), targets_TB.numel()), state
        words_B = (targets_TB != IGNORED).sum(0)
        count = int(words_B.sum())
        statistics = {"nats": nats_TB.double().sum(0), "words": words_B}
        return Loss(nats_TB.sum() / max(1, count), count, statistics=statistics), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of the last step alone."""
        assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
        hidden_TBH, _ = self.net.hidden(batch.inputs, None)
        nats_1B, targets_1B = self.net.nats(hidden_TBH[-1:], batch.targets[-1:]), batch.targets[-1:]
        return {"net.rnn": Probe(nats_1B.sum() / (targets_1B != IGNORED).sum().clamp(min=1))}
