"""The layers around the recurrent ones, from a window of a series to how it goes on.

Shapes: T rows that are read, B windows, S rows ahead, V variables, K of them targets, C numbers of a calendar, H
hidden. An exported model has this file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class ForecastNet(nn.Module):
    """Recurrent layers read a window; a linear layer says all rows ahead at once, as changes of the last value.

    Forward: ``(window (T, B, V + C), state) -> (targets (S, B, K), state)``, in deviations of the training part. What
    is read and what is said is relative to the last row of the window, so that a level that drifts is no obstacle (Zeng
    et al. 2023, "Are Transformers Effective for Time Series Forecasting?", NLinear); without ``anchored`` it is not.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        variables: int,
        calendar: int,
        targets: Sequence[int],
        horizon: int,
        anchored: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = make_rnn(variables + calendar)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, horizon * len(targets))
        self.variables, self.horizon, self.targets, self.anchored = (
            variables,
            horizon,
            list(targets),
            anchored,
        )

    def forward(self, window_TBI: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        read_TBI, anchor_BV = relative(window_TBI, window_TBI[-1], self.variables, self.anchored)
        hidden_TBH, state = self.rnn(read_TBI, state)
        change_BSK = self.output(self.dropout(hidden_TBH[-1])).unflatten(
            -1, (self.horizon, len(self.targets))
        )
        return change_BSK.transpose(0, 1) + anchor_BV[:, self.targets], state


class RecursiveNet(nn.Module):
    """The same recurrent layers read a window and then what they said themselves, one row ahead at a time.

    Forward: ``(window (T + S, B, V + C), state) -> (variables (S, B, V), state)``, in deviations of the training part.
    Of the last S rows of the input only the calendar is read: it is known beforehand. All variables are forecast, since
    the next row reads them.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        variables: int,
        calendar: int,
        horizon: int,
        anchored: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = make_rnn(variables + calendar)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, variables)
        self.variables, self.horizon, self.anchored = variables, horizon, anchored

    def forward(self, window_TBI: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        last_BI = window_TBI[-self.horizon - 1]
        read_TBI, anchor_BV = relative(window_TBI[: -self.horizon], last_BI, self.variables, self.anchored)
        ahead_SBC = window_TBI[-self.horizon :, :, self.variables :]
        hidden_TBH, state = self.rnn(read_TBI, state)
        value_BV, said = read_TBI[-1, :, : self.variables], list[Tensor]()
        for step in range(self.horizon):
            value_BV = value_BV + self.output(self.dropout(hidden_TBH[-1]))
            said.append(value_BV)
            if step + 1 < self.horizon:
                row_BI = torch.cat([value_BV, ahead_SBC[step]], dim=-1)
                hidden_TBH, state = self.rnn(row_BI.unsqueeze(0), state)
        return torch.stack(said) + anchor_BV, state


def relative(window_TBI: Tensor, last_BI: Tensor, variables: int, anchored: bool) -> tuple[Tensor, Tensor]:
    """Return a window whose variables count from their last value, and that value, (B, V); zero if not ``anchored``."""
    last_BV = last_BI[:, :variables]
    if not anchored:
        return window_TBI, torch.zeros_like(last_BV)
    change_TBV = window_TBI[:, :, :variables] - last_BV
    return torch.cat([change_TBV, window_TBI[:, :, variables:]], dim=-1), last_BV


def standardised(values: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Return variables (..., V) in deviations of the training part from its mean."""
    return (values - torch.tensor(mean)) / torch.tensor(deviation)


def in_own_units(values: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Return what `standardised` took."""
    return values * torch.tensor(deviation) + torch.tensor(mean)
