"""The layers around the recurrent ones, from a series to what is answered at its end.

Shapes: T steps, B series, F numbers of a step, H hidden, K answers, C outputs. An exported model has this file's source
in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class ProbeNet(nn.Module):
    """Symbols one-hot, or numbers as they are; recurrent layers; dropout; a linear layer at the last K real steps.

    Forward: ``(series, state, lengths) -> (outputs (K, B, C), state)``, where the series are symbols (T, B) or numbers
    (T, B, F), and ``lengths`` (B,) their real steps; None: all are real. What lies behind them changes nothing.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        symbols: int,
        numbers: int,
        outputs: int,
        answers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.symbols = symbols
        self.answers = answers
        self.rnn = make_rnn(symbols or numbers)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, outputs)

    def forward(
        self, series: Tensor, state: Any = None, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.rnn(self.read(series), state)
        if lengths_B is None:
            last_KBH = hidden_TBH[-self.answers :]
        else:
            back_K1 = torch.arange(-self.answers, 0, device=hidden_TBH.device)[:, None]
            columns_B = torch.arange(hidden_TBH.shape[1], device=hidden_TBH.device)
            last_KBH = hidden_TBH[lengths_B + back_K1, columns_B]
        return self.output(self.dropout(last_KBH)), state

    def read(self, series: Tensor) -> Tensor:
        """Return what the recurrent layers are given, (T, B, F)."""
        weight = self.output.weight
        if not self.symbols:
            return series.to(weight.dtype)
        numbers_V = torch.arange(self.symbols, device=series.device)
        return (series[..., None] == numbers_V).to(weight.dtype)


def column(values: Sequence[Any], symbols: int) -> Tensor:
    """Return a series of one, symbols (T, 1), or numbers (T, 1, F) where there are no ``symbols``."""
    return torch.tensor(values, dtype=torch.int64 if symbols else torch.get_default_dtype()).unsqueeze(1)
