"""A session model's loss and scores. Shapes: T steps, B sessions, N real steps of all of them, K items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch, at_last_step, real_steps
from nas_rnn.tasks.behavior.net import SessionModel
from nas_rnn.tasks.behavior.ranking import MOST_SCORES, Ranks, joined, ranks_of
from nas_rnn.tasks.model import ItemStatistics, Loss, Probe, State, TaskModel

IGNORED = -100


class SessionPredictor(TaskModel):
    """Cross-entropy of the next item over all items; where that is none of them, nothing is learned."""

    carries_state: ClassVar[bool] = True

    def __init__(self, net: SessionModel, top: int) -> None:
        super().__init__()
        self.net, self.top = net, top

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean over steps whose next item is known, in nats; in evaluation with each session's own sums."""
        hidden_NH, targets_N, real_TB = self.read(batch)
        nats_N = self._nats(hidden_NH, targets_N)
        known_N = targets_N < self.net.items
        count = int(known_N.sum())
        total = nats_N.sum() / max(1, count)
        if self.training:
            return Loss(total, count), None
        return Loss(total, count, statistics=self._losses(nats_N, known_N, real_TB)), None

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        """Return what `loss` does, and ``found`` and ``reciprocal`` of each session in per cent, over its ``steps``."""
        hidden_NH, targets_N, real_TB = self.read(batch)
        ranks, nats_N = self.ranked(hidden_NH, targets_N)
        ranked = {
            "found": _by_session(100 * ranks.found(self.top), real_TB),
            "reciprocal": _by_session(100 * ranks.reciprocal(self.top), real_TB),
            "steps": real_TB.sum(0),
        }
        return {**self._losses(nats_N, targets_N < self.net.items, real_TB), **ranked}, None

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of each session's last step alone."""
        assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
        assert isinstance(batch.lengths, Tensor)
        hidden_TBH, _ = self.net.hidden(batch.inputs, None)
        targets_B = at_last_step(batch.targets[..., None], batch.lengths)[:, 0]
        nats_B = self._nats(at_last_step(hidden_TBH, batch.lengths), targets_B)
        count = (targets_B < self.net.items).sum().clamp(min=1)
        return {"net.rnn": Probe(nats_B.sum() / count, batch.lengths)}

    def read(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is read after the real steps alone (N, H), their targets (N,), and where they are (T, B)."""
        assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
        assert isinstance(batch.lengths, Tensor)
        hidden_TBH, _ = self.net.hidden(batch.inputs, None)
        real_TB = real_steps(batch.lengths, len(hidden_TBH))
        return hidden_TBH[real_TB], batch.targets[real_TB], real_TB

    def ranked(self, hidden_NH: Tensor, targets_N: Tensor) -> tuple[Ranks, Tensor]:
        """Return the ranks of the targets among all items, and their nats (N,), 0 where they are none of the items."""
        pieces = max(1, MOST_SCORES // self.net.items)
        ranks, nats = list[Ranks](), list[Tensor]()
        for own_MH, own_M in zip(torch.split(hidden_NH, pieces), torch.split(targets_N, pieces), strict=True):
            scores_MK = self.net.scores(own_MH)
            ranks.append(ranks_of(scores_MK, own_M))
            nats.append(self._nats_of(scores_MK, own_M))
        return joined(ranks), torch.cat(nats)

    def _nats(self, hidden_NH: Tensor, targets_N: Tensor) -> Tensor:
        return self._nats_of(self.net.scores(hidden_NH), targets_N)

    def _nats_of(self, scores_NK: Tensor, targets_N: Tensor) -> Tensor:
        known_N = targets_N.masked_fill(targets_N >= self.net.items, IGNORED)
        return F.cross_entropy(scores_NK, known_N, ignore_index=IGNORED, reduction="none")

    def _losses(self, nats_N: Tensor, known_N: Tensor, real_TB: Tensor) -> dict[str, Tensor]:
        return {"nats": _by_session(nats_N.double(), real_TB), "known": _by_session(known_N, real_TB)}


def _by_session(values_N: Tensor, real_TB: Tensor) -> Tensor:
    """Return (B,): what the values of a session's real steps add up to."""
    values_TB = values_N.new_zeros(real_TB.shape)
    values_TB[real_TB] = values_N
    return values_TB.sum(0)
