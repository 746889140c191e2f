"""A forecast's loss and scores. Shapes: S rows ahead, B windows, V variables, K targets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.model import Loss, State, TaskModel


class Forecaster(TaskModel):
    """The mean absolute error in deviations; a value that was filled is no target."""

    def __init__(
        self, net: nn.Module, targets: Sequence[int], units: Sequence[float], naive: Sequence[float]
    ) -> None:
        """``units`` (K,) are what one deviation is in the metric, ``naive`` (K,) what MASE divides by, in deviations.

        ``targets`` (K,) are the places of the targets in what ``net`` says; none: it says them alone.
        """
        super().__init__()
        self.net = net
        self._targets, self._units, self._naive = list(targets), tuple(units), tuple(naive)

    def said(self, inputs: Tensor) -> Tensor:
        """Return the forecast of the targets, (S, B, K)."""
        said_SBK, _ = self.net(inputs, None)
        assert isinstance(said_SBK, Tensor)
        return said_SBK[..., self._targets] if self._targets else said_SBK

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean absolute error over known values; in evaluation with the sums of errors of each window."""
        assert isinstance(batch.inputs, Tensor) and not isinstance(batch.targets, Tensor)
        values_SBK, known_SBK = batch.targets["values"], batch.targets["known"]
        error_SBK = torch.where(known_SBK, self.said(batch.inputs) - values_SBK, 0.0)
        count = int(known_SBK.sum())
        mean = error_SBK.abs().sum() / max(1, count)
        statistics = {} if self.training else self._statistics(error_SBK.detach().double(), known_SBK)
        return Loss(mean, max(1, count), statistics=statistics), None

    def _statistics(self, error_SBK: Tensor, known_SBK: Tensor) -> dict[str, Tensor]:
        own_SBK = error_SBK * error_SBK.new_tensor(self._units)
        return {
            "absolute": own_SBK.abs().sum((0, 2)),
            "squares": own_SBK.square().sum((0, 2)),
            "scaled": (error_SBK.abs() / error_SBK.new_tensor(self._naive)).sum((0, 2)),
            "count": known_SBK.sum((0, 2)).double(),
        }
