"""What is exported: the recurrent layers, and the whole model where a task was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from nas_rnn.execution import RNN
from nas_rnn.tasks import Task
from nas_rnn.tasks.batch import Tensors
from nas_rnn.tasks.model import TaskModel
from nas_rnn.training import RunSpec
from nas_rnn.training.model import recurrent_nets


@dataclass(frozen=True, kw_only=True)
class TaskModelBundle:
    """A task and what was learned of it: ``model`` is whole.

    ``meta`` is what its data is like, ``example`` some inputs as the model takes them, if any were kept: (T, B, ...),
    or by name with the axes that `Task.input_axes` says.
    """

    task: Task
    model: TaskModel
    spec: RunSpec
    meta: Mapping[str, Any]
    example: Tensors | None

    @property
    def has_net(self) -> bool:
        """Whether the model is one net of torch alone, with its loss beside it."""
        return isinstance(getattr(self.model, "net", None), nn.Module)

    def nets(self) -> dict[str, RNN]:
        """Return the recurrent nets by their paths in the model's own net, or in the model where it has none."""
        return recurrent_nets(self.net)

    @property
    def net(self) -> nn.Module:
        """The model's net, or the model itself where it has none."""
        found = getattr(self.model, "net", self.model)
        return found if isinstance(found, nn.Module) else self.model


@dataclass(frozen=True, kw_only=True)
class ExportBundle:
    """The layers ``rnn``, of several recurrent nets the first, called ``name``.

    ``task_model`` is None where they were not trained on anything."""

    name: str
    rnn: RNN
    task_model: TaskModelBundle | None = None
