"""A probe's loss and scores. Shapes: T steps, B series, K answers, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.memory.net import ProbeNet
from nas_rnn.tasks.memory.scores import NEAR, statistics
from nas_rnn.tasks.model import Loss, Probe, State, TaskModel


class Rememberer(TaskModel):
    """Cross-entropy of the answers, or the squared error of one that is a number; ``lengths`` are told apart."""

    def __init__(self, net: ProbeNet, *, numbers: bool, lengths: Sequence[int]) -> None:
        super().__init__()
        self.net = net
        self.numbers = numbers
        self.lengths = tuple(lengths)

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean over answers; in evaluation with what is solved of each series, and its error."""
        error_KB, right_KB, steps_B = self._judged(batch)
        del steps_B
        found: dict[str, Tensor] = {}
        if not self.training:
            assert isinstance(batch.targets, Mapping)
            rows = statistics(
                right_KB.all(0).double().cpu().numpy() * 100.0,
                error_KB.detach().sum(0).double().cpu().numpy(),
                len(error_KB),
                batch.targets["length"].cpu().numpy(),
                self.lengths,
            )
            found = {name: torch.from_numpy(values).to(error_KB.device) for name, values in rows.items()}
        return Loss(error_KB.mean(), error_KB.numel(), statistics=found), None

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of the last answer."""
        error_KB, _, steps_B = self._judged(batch)
        return {"net.rnn": Probe(error_KB[-1].mean(), steps_B)}

    @torch.no_grad()
    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what is answered, (K, B) classes or numbers, and whether a series is solved, (B,)."""
        outputs_KBC = self._outputs(batch)[0]
        answers_KB = outputs_KBC[..., 0] if self.numbers else outputs_KBC.argmax(-1)
        return answers_KB, self._judged(batch)[1].all(0)

    def _judged(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return errors (K, B), whether each answer is right, and the real steps (B,)."""
        outputs_KBC, steps_B = self._outputs(batch)
        assert isinstance(batch.targets, Mapping)
        wanted_KB = batch.targets["answers"]
        if self.numbers:
            off_KB = outputs_KBC[..., 0] - wanted_KB.to(outputs_KBC.dtype)
            return off_KB.square(), off_KB.abs() < NEAR, steps_B
        error_KB = F.cross_entropy(outputs_KBC.flatten(0, 1), wanted_KB.flatten(), reduction="none")
        return error_KB.view_as(wanted_KB), outputs_KBC.argmax(-1) == wanted_KB, steps_B

    def _outputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        assert isinstance(batch.lengths, Mapping)
        steps_B = batch.lengths["inputs"]
        return self.net(batch.inputs, None, steps_B)[0], steps_B
