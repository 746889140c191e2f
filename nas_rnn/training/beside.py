"""What may go on in a run beside the training of its weights: in a supernet's, the choice between its cells."""

from __future__ import annotations

from typing import Protocol

from nas_rnn.tasks import Part
from nas_rnn.tasks.model import TaskModel
from nas_rnn.training.loop import Batches


class Beside(Protocol):
    """Hears of every batch and of every step of a run; what it does depends on the run's seed and epoch alone."""

    def batches(self, part: Part, epoch: int, batches: Batches) -> Batches:
        """Return the batches of a pass over ``part``; each is asked for when the one before is done with."""
        ...

    def after_step(self, model: TaskModel) -> int:
        """Do what follows a step of the weights; return on how many further real targets that was learned."""
        ...


class NothingBeside:
    """A run that trains the weights of one cell."""

    def batches(self, part: Part, epoch: int, batches: Batches) -> Batches:
        return batches

    def after_step(self, model: TaskModel) -> int:
        return 0
