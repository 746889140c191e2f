"""Batches that are context leave the state that they would leave if they were scored."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nas_rnn.cells.zoo.classic import lstm
from nas_rnn.execution import RNN
from nas_rnn.plugins import registry
from nas_rnn.tasks import Regularisation
from nas_rnn.tasks.data import EVALUATION


@pytest.mark.parametrize("name", ["char-lm", "word-lm"])
def test_context_leaves_the_state_of_what_is_scored(name: str) -> None:
    task = registry().find("task", name).value()
    data = task.load(None)
    model = task.build(data.meta, lambda size, **options: RNN(lstm, size, 8, **options), Regularisation())
    model.eval()
    batch = next(iter(task.batches(data, "valid", EVALUATION)))
    assert batch.context
    with torch.no_grad():
        unscored, state = model.loss(batch, None)
        scored, same = model.loss(replace(batch, context=False), None)
    assert (unscored.count, unscored.statistics) == (0, {}) and scored.count > 0
    assert all(torch.equal(*pair) for pair in zip(state, same, strict=True))
