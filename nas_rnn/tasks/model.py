"""What a task's model is to the trainer: something with a loss, with scores, and with a probe for gradient flow.

The model owns loss and scoring, since only it knows the shapes of what it computes; the trainer knows none. Imports
torch and batches alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nas_rnn.tasks.batch import Batch

State = Any
"""What a model carries from one batch to the next: None, a tensor, or tuples and mappings of them."""

ItemStatistics = Mapping[str, Tensor]
"""By name, what adds up over items: (B,) or (B, k), a row for each column of a batch."""


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

    ``total`` is a scalar and is differentiated: the mean over real targets, or any surrogate of it. ``count`` is how
    many real targets there are, padding left out; throughput and costs count them. ``shown`` is what curves show, a
    scalar in nats per target (None: ``total``). ``statistics`` are sums of each item that come along for free: what
    `Task.monitor`, and every metric that needs no decoding, is computed from. They are asked for only in evaluation
    mode.
    """

    total: Tensor
    count: int
    shown: Tensor | None = None
    statistics: ItemStatistics = field(default_factory=dict)

    @property
    def curve(self) -> Tensor:
        """What curves show."""
        return self.total if self.shown is None else self.shown


@dataclass(frozen=True)
class Probe:
    """For gradient flow, of one recurrent net: ``loss`` of the last real step alone, a scalar, and ``lengths`` (B,).

    ``lengths`` are the real steps that the net read in each column; None says that all columns are equally long.
    """

    loss: Tensor
    lengths: Tensor | None = None


class TaskModel(nn.Module, ABC):
    """A task's model around one or several recurrent nets, which may have any attribute names.

    A model that can be exported as Python or ONNX keeps all that it learns in one module of torch alone, its attribute
    ``net``, whose forward is ``(inputs, state) -> (outputs, state)``.
    """

    carries_state: ClassVar[bool] = False
    """Whether ``net`` continues from states that it returned: an exported model then takes them as inputs."""

    @abstractmethod
    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the loss of a batch, and the state for the next one.

        A ``state`` of None is the start. Whoever returns a state has it handed back, cut off from the graph, with the
        next batch of the pass (truncated back-propagation through time); whoever returns None starts anew each time.
        It is called for training, and for validation after every epoch: it must not decode.
        """

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        """Return each item's statistics for the metrics of a final run, and the state for the next batch.

        By default they are those of `loss`. It may decode or sample; whatever it draws, it draws from ``generator``,
        which starts anew for each batch from the run's seed and the batch's number.
        """
        loss, state = self.loss(batch, state)
        return loss.statistics, state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return, by the path of a recurrent net in the model ("net.rnn"), the loss of its last real step.

        By default that of the whole batch for every net that is there, which is right for one answer a sequence: as
        curves show it, or as it is differentiated where what is shown gives no gradient.
        """
        loss, _ = self.loss(batch, None)
        return {"": Probe(loss.curve if loss.curve.requires_grad else loss.total)}

    def forward(self, inputs: Any, state: State = None) -> Any:
        """Return what ``net`` computes: ``(outputs, state)``."""
        net = self.net
        assert isinstance(net, nn.Module), "this task's model has no net"
        return net(inputs, state)


def detached(state: State) -> State:
    """Return a state cut off from the graph that computed it."""
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, Mapping):
        return {name: detached(part) for name, part in state.items()}
    return tuple(detached(part) for part in state) if isinstance(state, tuple | list) else state
