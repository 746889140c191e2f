"""Nets unlike those of the built-in tasks, of torch alone. Shapes: T steps, B sequences, I inputs, H hidden, C tags."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class BothWays(nn.Module):
    """Recurrent layers that read in both directions, and a tag for every step."""

    def __init__(self, make_rnn: Any, *, size: int, tags: int) -> None:
        super().__init__()
        self.rnn = make_rnn(size, bidirectional=True)
        self.output = nn.Linear(2 * self.rnn.hidden_size, tags)

    def forward(self, x_TBI: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.rnn(x_TBI, state)
        return self.output(hidden_TBH), state


class TwoNets(nn.Module):
    """Layers that read in both directions, and others, deeper in the net, that read what these give."""

    def __init__(self, make_rnn: Any, *, size: int, tags: int) -> None:
        super().__init__()
        self.front = make_rnn(size, bidirectional=True)
        self.back = nn.ModuleDict({"layers": make_rnn(2 * self.front.hidden_size)})
        self.output = nn.Linear(self.front.hidden_size, tags)

    def forward(self, x_TBI: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        front_TBH, first = self.front(x_TBI, None)
        hidden_TBH, second = self.back["layers"](front_TBH, None)
        return self.output(hidden_TBH), (*first, *second)
