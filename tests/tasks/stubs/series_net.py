"""The next value of a series, as a change of the last one; of torch alone. Shapes: T steps, B series, H hidden."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class SeriesNet(nn.Module):
    """Forward: ``(values (T, B, 1), state) -> (next values (T, B), state)``, in standardised units."""

    def __init__(self, make_rnn: Any) -> None:
        super().__init__()
        self.cells = make_rnn(1)
        self.change = nn.Linear(self.cells.hidden_size, 1)

    def forward(self, x_TB1: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.cells(x_TB1, state)
        return (x_TB1 + self.change(hidden_TBH))[..., 0], state
