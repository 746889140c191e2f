"""A roll model's loss and scores. Shapes: T frames, B pieces, K notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch, at_last_step, real_steps
from nas_rnn.tasks.model import Loss, Probe, State, TaskModel
from nas_rnn.tasks.music.net import RollModel


class Pianist(TaskModel):
    """Binary cross-entropy of all notes of the next frame, added up; a long piece's state goes on to its next batch."""

    carries_state: ClassVar[bool] = True

    def __init__(self, net: RollModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean over real frames, in nats; in evaluation with what the metrics need of each piece."""
        if batch.restarts is not None:  # all pieces begin; the state is that of others
            state = None
        logits_TBK, state = self.net(batch.inputs, state)
        targets_TBK, lengths_B = _own(batch)
        real_TB = real_steps(lengths_B, len(logits_TBK))
        nats_TB = _nats(logits_TBK, targets_TBK).masked_fill(~real_TB, 0.0)
        count = int(lengths_B.sum())
        total = nats_TB.sum() / count
        if self.training:
            return Loss(total, count), state
        said_TBK, sounds_TBK = logits_TBK > 0, targets_TBK > 0.5
        hits_TB, either_TB = (both.sum(-1) for both in (said_TBK & sounds_TBK, said_TBK | sounds_TBK))
        statistics = {
            "nats": nats_TB.double().sum(0),
            "frames": lengths_B,
            "hits": hits_TB.masked_fill(~real_TB, 0).sum(0),
            "either": either_TB.masked_fill(~real_TB, 0).sum(0),
        }
        return Loss(total, count, statistics=statistics), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of each piece's last frame alone."""
        logits_TBK, _ = self.net(batch.inputs, None)
        targets_TBK, lengths_B = _own(batch)
        there_B = lengths_B > 0
        lengths_B = lengths_B.clamp(min=1)
        nats_B = at_last_step(_nats(logits_TBK, targets_TBK)[..., None], lengths_B)[:, 0]
        return {"net.rnn": Probe(nats_B[there_B].mean(), lengths_B)}


def _own(batch: Batch) -> tuple[Tensor, Tensor]:
    assert isinstance(batch.targets, Tensor) and isinstance(batch.lengths, Tensor)
    return batch.targets, batch.lengths


def _nats(logits_TBK: Tensor, targets_TBK: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits_TBK, targets_TBK, reduction="none").sum(-1)
