"""A glimpse model's loss and scores. Shapes: T looks, B pictures, P pixels of a look, C classes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.glimpses.net import GlimpseModel
from nas_rnn.tasks.model import Loss, State, TaskModel


class GlimpseClassifier(TaskModel):
    """Cross-entropy of one answer a picture."""

    def __init__(self, net: GlimpseModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats; in evaluation with 100 for every picture named correctly, else 0."""
        logits_BC, _ = self.net(batch.inputs, None)
        labels_B = batch.targets
        assert isinstance(labels_B, Tensor)
        mean = F.cross_entropy(logits_BC, labels_B)
        statistics = {} if self.training else {"correct": (logits_BC.argmax(-1) == labels_B) * 100.0}
        return Loss(mean, len(labels_B), statistics=statistics), None
