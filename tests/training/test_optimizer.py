"""The optimiser is torch's to the last bit, and brings no compiler along."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from nas_rnn.training.optimizer import AdamW

TRAINED = """
import sys
import numpy as np
from nas_rnn.plugins import load_cell
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import RunSpec, RunStore, TrainingOptions
from nas_rnn.training.files import LocalFiles
from nas_rnn.training.timing import seconds_per_step
from nas_rnn.training.trainer import Trainer
from pathlib import Path

task, store = CharLM(), RunStore(LocalFiles(Path("run")))
data = task.load(None)
spec = RunSpec(
    id="run", role="final", name="lstm", cell=load_cell("lstm").to_text(), hidden_size=4, task="char-lm",
    training=TrainingOptions(epochs=2, threads=1), seed=1, data_seed=1, read_test=True,
)
Trainer(spec, task, data, store).run_epoch()
resumed = Trainer(spec, task, data, store)
assert resumed.epoch == 1
resumed.run_epoch()
assert resumed.result().test_statistics
seconds_per_step([spec], task, data)
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


def steps(kind: type[torch.optim.AdamW], *, kept: bool) -> tuple[list[torch.Tensor], dict[str, Any]]:
    """Return weights and the optimiser's state after some steps; ``kept``: of one that was put away in between."""
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(5, 3)), torch.nn.Parameter(torch.randn(3))]

    def made() -> torch.optim.AdamW:
        groups = [{"params": weights[:1], "weight_decay": 0.1}, {"params": weights[1:], "weight_decay": 0.0}]
        return kind(groups, lr=0.01, betas=(0.9, 0.95))

    optimizer = made()
    for number in range(6):
        if kept and number == 3:
            state = optimizer.state_dict()
            optimizer = made()
            optimizer.load_state_dict(state)
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / (number + 1)
        optimizer.zero_grad(set_to_none=True)
        assert all(weight.grad is None for weight in weights)
        (weights[0] @ weights[1]).sin().sum().backward()
        optimizer.step()
    assert torch.is_grad_enabled() and all(weight.requires_grad for weight in weights)
    return [weight.detach() for weight in weights], optimizer.state_dict()


@pytest.mark.parametrize("kept", [False, True])
def test_it_is_torchs_to_the_last_bit(kept: bool) -> None:
    (weights, state), (theirs, their_state) = steps(AdamW, kept=kept), steps(torch.optim.AdamW, kept=False)
    for one, other in zip(weights, theirs, strict=True):
        assert torch.equal(one, other)
    assert state["param_groups"] == their_state["param_groups"]
    for number, values in their_state["state"].items():
        assert {*state["state"][number]} == {*values}
        assert all(torch.equal(state["state"][number][name], value) for name, value in values.items())


def test_no_gradient_flows_through_a_step() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = AdamW([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    assert weight.is_leaf and weight.grad_fn is None


def test_training_does_not_import_torchs_compiler(tmp_path: Any) -> None:
    """It takes as long as the import of torch, in every worker."""
    done = subprocess.run([sys.executable, "-c", TRAINED], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
