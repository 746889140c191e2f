"""The layers around the recurrent ones for next-symbol prediction.

Shapes: T steps, B sequences, V symbols, H hidden. An exported model has this file's source in it, so it imports torch
alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class OneHot(nn.Module):
    """Symbols as one-hot vectors: (T, B) integers to (T, B, V) floats. No parameters.

    The only place that makes them: recurrent layers that can look a symbol's column of weights up directly
    need to change nothing else.
    """

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.size = symbols

    def forward(self, symbols_TB: Tensor) -> Tensor:
        shape = (*symbols_TB.shape, self.size)
        zeros = torch.zeros(shape, device=symbols_TB.device, dtype=torch.get_default_dtype())
        return zeros.scatter_(-1, symbols_TB.unsqueeze(-1), 1.0)


class LanguageModel(nn.Module):
    """One-hot, or embedding and dropout; recurrent layers; dropout; a linear layer to the symbols' logits.

    Forward: ``(symbols (T, B), state) -> (logits (T, B, V), state)``. One-hot inputs see no dropout: it would
    erase whole symbols instead of features.
    """

    def __init__(self, make_rnn: Any, *, symbols: int, embedding: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.input: nn.Module = OneHot(symbols)
        if embedding:
            self.input = nn.Sequential(nn.Embedding(symbols, embedding), nn.Dropout(dropout))
        self.rnn = make_rnn(embedding or symbols)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, symbols)

    def forward(self, symbols_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.rnn(self.input(symbols_TB), state)
        return self.output(self.dropout(hidden_TBH)), state


def encode(text: str, vocabulary: str) -> Tensor:
    """Return the symbols of ``text``, (T,): the places of its characters in ``vocabulary``."""
    numbers = {character: number for number, character in enumerate(vocabulary)}
    return torch.tensor([numbers[character] for character in text], dtype=torch.int64)


def decode(symbols: Tensor, vocabulary: str) -> str:
    """Return the text of symbols (T,)."""
    return "".join(vocabulary[number] for number in symbols.tolist())
