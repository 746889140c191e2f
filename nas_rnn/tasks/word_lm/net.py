"""The layers around the recurrent ones for next-word prediction.

Shapes: T steps, B sequences, V words, H hidden, E embedding. An exported model has this file's source in it, so it
imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORED = -100
"""The target where nothing is to be predicted, as torch's losses have it."""


class LanguageModel(nn.Module):
    """Embedding and dropout; recurrent layers; dropout; a projection to the words' scores.

    Forward: ``(words (T, B), state) -> (scores (T, B, V), state)``, logits or, with an adaptive softmax, logarithms of
    probabilities; a softmax makes probabilities of either. ``tied`` takes the embedding's own matrix for the output
    (Press & Wolf 2017, "Using the output embedding to improve language models"), behind a projection where E and H
    differ. ``cutoffs`` are those of an adaptive softmax (Grave et al. 2017, "Efficient softmax approximation for GPUs",
    section 4), whose words stand by their frequency and whose probabilities are exact; it is never tied.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        words: int,
        embedding: int,
        tied: bool = True,
        cutoffs: Sequence[int] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(dropout)
        self.rnn = make_rnn(embedding)
        hidden = self.rnn.hidden_size
        self.tied = tied and not cutoffs
        self.project: nn.Module = nn.Identity()
        if self.tied:
            if hidden != embedding:
                self.project = nn.Linear(hidden, embedding, bias=False)
            self.bias = nn.Parameter(torch.zeros(words))
        elif cutoffs:
            # Each cluster's words are read from a quarter of the features of the one before, where that leaves some.
            shrinks = 4.0 if hidden >= 4 ** (len(cutoffs) + 1) else 1.0
            self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(hidden, words, list(cutoffs), div_value=shrinks)
        else:
            self.output = nn.Linear(hidden, words)

    def forward(self, words_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.hidden(words_TB, state)
        return self.scores(hidden_TBH), state

    def hidden(self, words_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return what the words are read from (T, B, H), and the state."""
        hidden_TBH, state = self.rnn(self.dropout(self.embedding(words_TB)), state)
        return self.dropout(hidden_TBH), state

    def scores(self, hidden_TBH: Tensor) -> Tensor:
        """Return (T, B, V)."""
        if self.tied:
            return F.linear(self.project(hidden_TBH), self.embedding.weight, self.bias)
        if hasattr(self, "adaptive"):
            log_NV: Tensor = self.adaptive.log_prob(hidden_TBH.flatten(0, 1))
            return log_NV.view(*hidden_TBH.shape[:2], -1)
        scores_TBV: Tensor = self.output(hidden_TBH)
        return scores_TBV

    def nats(self, hidden_TBH: Tensor, targets_TB: Tensor) -> Tensor:
        """Return (T, B): minus the logarithm of each target's probability, exact; 0 where targets are `IGNORED`."""
        if hasattr(self, "adaptive"):
            known_TB = targets_TB.clamp(min=0)
            logs_N: Tensor = self.adaptive(hidden_TBH.flatten(0, 1), known_TB.flatten()).output
            return -logs_N.view_as(targets_TB).masked_fill(targets_TB == IGNORED, 0.0)
        scores_NV = self.scores(hidden_TBH).flatten(0, 1)
        nats_N = F.cross_entropy(scores_NV, targets_TB.flatten(), ignore_index=IGNORED, reduction="none")
        return nats_N.view_as(targets_TB)


def encode(text: str, vocabulary: Sequence[str]) -> Tensor:
    """Return the places (T,) in ``vocabulary`` of words with spaces between; line ends are words, too."""
    numbers = {word: number for number, word in enumerate(vocabulary)}
    words = text.replace("\n", " <eos> ").split()
    return torch.tensor([numbers.get(word, numbers["<unk>"]) for word in words], dtype=torch.int64)


def decode(words: Tensor, vocabulary: Sequence[str]) -> str:
    """Return the text of words (T,), with spaces between them."""
    return " ".join(vocabulary[number] for number in words.tolist())
