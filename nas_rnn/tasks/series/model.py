"""A series model's loss and scores. Shapes: T steps, B series, V variables, C classes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.model import Loss, State, TaskModel
from nas_rnn.tasks.series.net import SeriesModel


class SeriesClassifier(TaskModel):
    """Cross-entropy of one answer a series."""

    def __init__(self, net: SeriesModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats.

        In evaluation it comes with ``correct`` (B,), 100 or 0, and the counts of `MacroF1`, (B, C).
        """
        logits_BC, _ = self.net(batch.inputs, None, batch.lengths)
        labels_B = batch.targets
        assert isinstance(labels_B, Tensor)
        statistics = {} if self.training else _statistics(logits_BC.argmax(-1), labels_B, logits_BC.shape[1])
        return Loss(F.cross_entropy(logits_BC, labels_B), len(labels_B), statistics=statistics), None


def _statistics(answers_B: Tensor, labels_B: Tensor, classes: int) -> dict[str, Tensor]:
    right_B = answers_B == labels_B
    predicted_BC, actual_BC = F.one_hot(answers_B, classes), F.one_hot(labels_B, classes)
    return {
        "correct": right_B * 100.0,
        "hits": predicted_BC * actual_BC,
        "predicted": predicted_BC,
        "actual": actual_BC,
    }
