"""What is taken home: the recurrent layers, and the whole model where a task was learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nas_rnn.execution import RNN
from nas_rnn.tasks import Task
from nas_rnn.training import RunSpec


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A task and what was learnt of it: ``model`` is whole, with the recurrent layers as ``model.rnn``.

    ``meta`` is what its data is like, ``example`` some inputs (T, B, ...) as the model takes
    them, if any were kept.
    """

    task: Task
    model: nn.Module
    spec: RunSpec
    meta: Mapping[str, Any]
    example: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The layers ``rnn``, called ``name``; ``learnt`` is None where they were not trained on anything."""

    name: str
    rnn: RNN
    learnt: Learnt | None = None
