"""Test items stand in the order of the data, so that neighbours in a text are neighbours in a result."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas_rnn.tasks import Batching, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.char_lm.model import CharModel
from nas_rnn.training.loop import scoring_pass


class _TellsTarget(nn.Module):
    """Gives the right answer with a confidence that rises with the symbol's number."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        following = inputs + 1
        logits = -(torch.arange(300) - following[..., None]).abs() * (following[..., None] / 100.0 + 0.01)
        return logits.double() + self.scale, state


def test_blocks_of_parallel_streams_stand_one_stream_after_the_other() -> None:
    rising = torch.arange(257)  # every symbol is followed by the next: confidence rises along the text
    data = TaskData({"test": {"codes": rising.numpy()}})
    batches = CharLM().batches(data, "test", Batching(batch=4, length=8))
    found = scoring_pass(CharModel(_TellsTarget()), batches, seed=0).statistics
    assert found["characters"].tolist() == [8.0] * 32
    assert bool((np.diff(found["bits"]) < 0).all())
