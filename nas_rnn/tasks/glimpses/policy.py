"""The loss of a net that looks around, and of its policy. Shapes as in `nas_rnn.tasks.glimpses.attention`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.glimpses.attention import AttentionModel, Looked
from nas_rnn.tasks.model import Loss, State, TaskModel

POLICY = 0.1
"""The share of the policy's surrogate in the total: with 1, clipping by the norm leaves little of the answer's."""


class Attender(TaskModel):
    """Cross-entropy of one answer a picture, and REINFORCE for where to look (Mnih et al. 2014, equation 2).

    The reward is the probability of the right class: what the paper's reward, 1 for a right answer that is drawn, comes
    to on average, with less noise. The policy's surrogate is the sum over looks of the log-density of each place times
    what the reward exceeds `AttentionModel.expected` by (Williams 1992), which learns the reward by its squared error.
    """

    def __init__(self, net: AttentionModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats; in evaluation with 100 for every picture named correctly, else 0."""
        looked = self.net.look(batch.inputs)
        logits_BC = self.net.answer(looked.hidden_TBN)[-1]
        labels_B = batch.targets
        assert isinstance(labels_B, Tensor)
        shown = F.cross_entropy(logits_BC, labels_B)
        right_B = logits_BC.argmax(-1) == labels_B
        if not self.training:
            return Loss(shown, len(labels_B), statistics={"correct": right_B * 100.0}), None
        total = shown if self.net.policy is None else shown + self._surrogate(looked, logits_BC, labels_B)
        return Loss(total, len(labels_B), shown=shown.detach()), None

    def _surrogate(self, looked: Looked, logits_BC: Tensor, labels_B: Tensor) -> Tensor:
        assert self.net.expected is not None
        reward_B = logits_BC.detach().softmax(-1).gather(1, labels_B[:, None])[:, 0]
        expected_TB = self.net.expected(looked.hidden_TBN[:-1].detach())[..., 0]
        surprise_TB = (reward_B - expected_TB).detach()
        off_TB2 = (looked.places_TB2[1:].detach() - looked.proposed_TB2[1:]) / self.net.spread
        density_TB = -off_TB2.square().sum(-1) / 2  # of its logarithm, what the policy can change
        policy = -(density_TB * surprise_TB).sum(0).mean()
        surrogate: Tensor = POLICY * policy + F.mse_loss(expected_TB, reward_B.expand_as(expected_TB))
        return surrogate


@torch.no_grad()
def after_each_look(model: Attender, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return what would be answered after each look, (T, B, C) logits, and the places (T, B, 2), in evaluation."""
    looked = model.net.look(inputs)
    return model.net.answer(looked.hidden_TBN), looked.places_TB2.clamp(-1.0, 1.0)
