"""The layers around the recurrent ones, from looks to one answer.

Shapes: T looks, B pictures, P pixels of a look, H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.tasks.plain import Source, filled

PLAIN = """
    class Model(nn.Module):
        \"""Names a picture: ``logits (B, @classes@), state = model(looks (T, B, @pixels@))``; see `looks`.\"""

        def __init__(self, rnn: nn.Module) -> None:
            super().__init__()
            self.input = @input@
            self.rnn = rnn
            self.output = nn.Linear(rnn.hidden_size, @classes@)

        def forward(self, looks: Tensor, state: tuple[Tensor, ...] | None = None):
            hidden, state = self.rnn(self.input(looks), state)
            return self.output(@read@), state
    """


def plain_source(pixels: int, classes: int, *, embedding: int, mean: bool) -> str:
    """Return `GlimpseModel` in plain torch, as `Task.plain_model` wants it."""
    layer = f"nn.Linear({pixels}, {embedding})" if embedding else "nn.Identity()"
    read = "hidden.mean(0)" if mean else "hidden[-1]"
    return filled(PLAIN, pixels=pixels, classes=classes, input=Source(layer), read=Source(read))


class GlimpseModel(nn.Module):
    """Pixels as they are, or a linear embedding of them; recurrent layers; dropout; a linear layer to classes.

    Forward: ``(looks (T, B, P), state) -> (logits (B, C), state)``. What the last layer reads is the output
    after the last look, or with ``mean`` the mean over the looks.
    """

    def __init__(
        self,
        pixels: int,
        classes: int,
        make_rnn: Callable[[int], nn.Module],
        *,
        embedding: int,
        mean: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.input: nn.Module = nn.Linear(pixels, embedding) if embedding else nn.Identity()
        self.rnn = make_rnn(embedding or pixels)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(int(self.rnn.hidden_size), classes)  # type: ignore[arg-type]
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
