"""Test items stand in the order of the data, so that neighbours in a text are neighbours in a result."""

from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.tasks import TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training.loop import evaluation_pass


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
    task = CharLM()
    rising = torch.arange(257)  # every symbol is followed by the next: confidence rises along the text
    data = TaskData(arrays={"test": rising.numpy()}, meta={})
    batches = task.batches(data, "test", batch=4, length=8, seed=None)
    values = evaluation_pass(_TellsTarget(), task, batches).values
    assert len(values) == 32
    assert bool((values.diff() < 0).all())
