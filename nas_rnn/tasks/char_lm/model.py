"""A language model's loss and scores, and sampling from it.

Shapes: T steps, B streams, V symbols.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.char_lm.net import LanguageModel
from nas_rnn.tasks.char_lm.streams import IGNORED
from nas_rnn.tasks.model import Loss, Probe, State, TaskModel


class CharModel(TaskModel):
    """Cross-entropy of the next character; the state is carried from chunk to chunk."""

    carries_state: ClassVar[bool] = True

    def __init__(self, net: LanguageModel) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats; in evaluation with the bits and characters of each of the B rows."""
        logits_TBV, state = self.net(batch.inputs, state)
        targets_TB = batch.targets
        assert isinstance(targets_TB, Tensor)
        mean = F.cross_entropy(logits_TBV.flatten(0, 1), targets_TB.flatten(), ignore_index=IGNORED)
        if self.training:  # the chunks that train have no place without a target
            return Loss(mean, targets_TB.numel()), state
        nats = F.cross_entropy(
            logits_TBV.flatten(0, 1), targets_TB.flatten(), ignore_index=IGNORED, reduction="none"
        )
        characters_B = (targets_TB != IGNORED).sum(0)
        bits_B = nats.view_as(targets_TB).sum(0).double() / math.log(2)
        statistics = {"bits": bits_B, "characters": characters_B}
        return Loss(mean, int(characters_B.sum()), statistics=statistics), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of the last step alone."""
        logits_TBV, _ = self.net(batch.inputs, None)
        assert isinstance(batch.targets, Tensor)
        return {"net.rnn": Probe(F.cross_entropy(logits_TBV[-1], batch.targets[-1], ignore_index=IGNORED))}


@torch.no_grad()
def sample(net: LanguageModel, prompt: list[int], *, length: int, temperature: float, seed: int) -> list[int]:
    """Return ``length`` symbols that follow ``prompt``, each drawn from the model's own distribution.

    ``temperature`` divides the logits; 0 always takes the likeliest symbol. The draws depend on ``seed``
    alone and leave torch's own random state as it was; the net's training mode is left as it was.
    """
    was_training = net.training
    net.eval()
    generator = torch.Generator().manual_seed(seed)
    device = next(net.parameters()).device
    state: Any = None
    step, drawn = prompt, list[int]()
    for _ in range(length):
        logits, state = net(torch.tensor(step, device=device).unsqueeze(1), state)
        drawn.append(_draw(logits[-1, 0].double().cpu(), temperature, generator))
        step = drawn[-1:]
    net.train(was_training)
    return drawn


def _draw(logits_V: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0.0:
        return int(logits_V.argmax())
    scaled_V = (logits_V - logits_V.max()) / temperature
    return int(torch.multinomial(scaled_V.exp(), 1, generator=generator))
