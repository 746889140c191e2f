"""The layers around the recurrent ones, from a series to one answer, or to one a step.

Shapes: T steps, B series, V variables, H what the recurrent layers give a step, C classes. An exported model has this
file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class SeriesModel(nn.Module):
    """Variables as they are, or a linear embedding of them; recurrent layers; dropout; a linear layer to classes.

    Forward: ``(series (T, B, V), state, lengths (B,)) -> (logits (B, C), state)``; without lengths all T steps are
    real. What the last layer reads is the output after the last real step, or with ``mean`` the mean over the real
    steps. With ``bidirectional`` it is the last real step's of the forward direction beside the first one's of the
    backward direction: what each has given after it has read everything. With ``each`` it is read after every step, and
    logits are (T, B, C). The state is that after T steps: it means nothing where series end earlier.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        variables: int,
        classes: int,
        embedding: int = 0,
        mean: bool = False,
        bidirectional: bool = False,
        each: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input: nn.Module = nn.Linear(variables, embedding) if embedding else nn.Identity()
        size = embedding or variables
        self.rnn = make_rnn(size, bidirectional=True) if bidirectional else make_rnn(size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size * (1 + bidirectional), classes)
        self.mean, self.bidirectional, self.each = mean, bidirectional, each

    def forward(
        self, series_TBV: Tensor, state: Any = None, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.hidden(self.input(series_TBV), state, lengths_B)
        read = hidden_TBH if self.each else self.read(hidden_TBH, lengths_B)
        return self.output(self.dropout(read)), state

    def hidden(self, inputs_TBV: Tensor, state: Any, lengths_B: Tensor | None) -> tuple[Tensor, Any]:
        """Return what the recurrent layers give after each step; a backward direction begins at each last real one."""
        if lengths_B is None or not self.bidirectional:
            hidden_TBH, state = self.rnn(inputs_TBV, state)
            return hidden_TBH, state
        packed = pack_padded_sequence(inputs_TBV, lengths_B.cpu(), enforce_sorted=False)
        hidden, state = self.rnn(packed, state)
        return pad_packed_sequence(hidden, total_length=len(inputs_TBV))[0], state

    def read(self, hidden_TBH: Tensor, lengths_B: Tensor | None) -> Tensor:
        """Return (B, H): of what the recurrent layers gave, what the answer is made from."""
        if self.mean:
            if lengths_B is None:
                return hidden_TBH.mean(0)
            real_TB = torch.arange(len(hidden_TBH), device=lengths_B.device)[:, None] < lengths_B
            return torch.where(real_TB[..., None], hidden_TBH, 0.0).sum(0) / lengths_B[:, None]
        columns = torch.arange(hidden_TBH.shape[1], device=hidden_TBH.device)
        last_BH = hidden_TBH[-1] if lengths_B is None else hidden_TBH[lengths_B - 1, columns]
        if not self.bidirectional:
            return last_BH
        half = hidden_TBH.shape[-1] // 2
        return torch.cat([last_BH[:, :half], hidden_TBH[0, :, half:]], dim=-1)


def scaled(series: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Return series (..., V) with each variable brought to the training part's mean 0 and deviation 1.

    Series in 64 bits are scaled in 64 bits: what tells their values apart may be far smaller than they are.
    """
    values = series.to(torch.promote_types(series.dtype, torch.get_default_dtype()))
    values = (values - values.new_tensor(mean)) / values.new_tensor(deviation)
    return values.to(torch.get_default_dtype())
