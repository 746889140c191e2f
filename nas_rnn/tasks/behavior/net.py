"""The layers around the recurrent ones, from the items that were seen to the scores of the next.

Shapes: T steps, B sessions, K items, H hidden, E embedding. An exported model has this file's source in it, so it
imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SessionModel(nn.Module):
    """Embedding and dropout; recurrent layers; dropout; a score for each of K items (Hidasi et al. 2016, "GRU4Rec").

    The number K stands for every other item: it is read, and never predicted. ``tied`` scores items by their own
    vectors (Press & Wolf 2017), behind a projection where E and H differ.

    Forward: ``(items (T, B), state) -> (logits (T, B, K), state)``.
    """

    def __init__(
        self, make_rnn: Any, *, items: int, embedding: int, tied: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.items = items
        self.embedding = nn.Embedding(items + 1, embedding)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(dropout)
        self.rnn = make_rnn(embedding)
        hidden = self.rnn.hidden_size
        self.tied = tied
        self.project: nn.Module = nn.Identity()
        if tied:
            if hidden != embedding:
                self.project = nn.Linear(hidden, embedding, bias=False)
            self.bias = nn.Parameter(torch.zeros(items))
        else:
            self.output = nn.Linear(hidden, items)

    def forward(self, items_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.hidden(items_TB, state)
        return self.scores(hidden_TBH), state

    def hidden(self, items_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return what the next items are read from (T, B, H), and the state."""
        hidden_TBH, state = self.rnn(self.dropout(self.embedding(items_TB)), state)
        return self.dropout(hidden_TBH), state

    def scores(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., K) of hidden values (..., H)."""
        if self.tied:
            return F.linear(self.project(hidden), self.embedding.weight[: self.items], self.bias)
        scores: Tensor = self.output(hidden)
        return scores


def encode(names: Sequence[str], items: Sequence[str]) -> Tensor:
    """Return the numbers (T,) of names; K, of every other item, for one that is not among the K ``items``."""
    numbers = {name: number for number, name in enumerate(items)}
    return torch.tensor([numbers.get(name, len(items)) for name in names], dtype=torch.int64)


def likeliest(logits: Tensor, items: Sequence[str], count: int = 20) -> list[str]:
    """Return the names of the ``count`` items of the highest logits (K,), the likeliest first."""
    places = logits.topk(min(count, len(items))).indices.tolist()
    return [items[place] for place in places]
