"""The layers around the recurrent ones, from looks to one answer.

Shapes: T looks, B pictures, P pixels of a look, H hidden, C classes. An exported model has this file's source in it, so
it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class GlimpseModel(nn.Module):
    """Pixels as they are, or a linear embedding of them; recurrent layers; dropout; a linear layer to classes.

    Forward: ``(looks (T, B, P), state) -> (logits (B, C), state)``. What the last layer reads is the output
    after the last look, or with ``mean`` the mean over the looks.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        pixels: int,
        classes: int,
        embedding: int = 0,
        mean: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input: nn.Module = nn.Linear(pixels, embedding) if embedding else nn.Identity()
        self.rnn = make_rnn(embedding or pixels)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, classes)
        self.mean = mean

    def forward(self, looks_TBP: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.rnn(self.input(looks_TBP), state)
        read_BH = hidden_TBH.mean(0) if self.mean else hidden_TBH[-1]
        return self.output(self.dropout(read_BH)), state

    def after_each_look(self, looks_TBP: Tensor) -> Tensor:
        """Return (T, B, C): the logits if each look had been the last one."""
        hidden_TBH, _ = self.rnn(self.input(looks_TBP), None)
        if self.mean:
            seen = torch.arange(1, len(hidden_TBH) + 1, device=hidden_TBH.device)[:, None, None]
            hidden_TBH = hidden_TBH.cumsum(0) / seen
        logits_TBC: Tensor = self.output(hidden_TBH)
        return logits_TBC


def looks(pictures: Tensor, pixels: Sequence[int], count: int, mean: float, deviation: float) -> Tensor:
    """Return the looks (T, B, P) at grey pictures (B, height, width), of the same values as in training.

    ``pixels`` are the places (T * P,) of what is seen, ``count`` is T; looks get the training part's ``mean`` 0 and
    ``deviation`` 1.
    """
    seen = pictures.flatten(1)[:, list(pixels)].reshape(len(pictures), count, -1).transpose(0, 1)
    return (seen.to(torch.get_default_dtype()) - mean) / deviation
