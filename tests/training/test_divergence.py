"""Leaving the finite numbers ends a run at once, with the reason, and spoils nothing that was stored."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas_rnn.training import Diverged, RunSpec, RunStore
from nas_rnn.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]


class Failing(nn.Module):
    """An LSTM whose output is multiplied by ``factor`` from its ``after``-th call in training on."""

    def __init__(self, input_size: int, hidden_size: int, after: int, factor: float) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.calls, self.after, self.factor = 0, after, factor

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.lstm(inputs, state)
        self.calls += self.training
        return (output * self.factor if self.calls > self.after else output), state


def failing(after: int, factor: float) -> Callable[[RunSpec, int], nn.Module]:
    return lambda spec, input_size: Failing(input_size, spec.hidden_size, after, factor)


def test_a_loss_that_is_not_a_number(make_trainer: MakeTrainer, spec: RunSpec) -> None:
    trainer = make_trainer(spec, make_rnn=failing(3, math.nan))
    with pytest.raises(Diverged, match="loss became nan in epoch 1, step 3") as caught:
        trainer.run_epoch()
    assert (caught.value.epoch, caught.value.step) == (1, 3)
    result = trainer.result("diverged", str(caught.value))
    assert (result.best_epoch, result.best_metric, result.epochs) == (None, None, [])


class InfiniteGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * math.inf


class BadGradient(Failing):
    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.lstm(inputs, state)
        return InfiniteGradient.apply(output), state  # type: ignore[no-untyped-call]


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(
    make_trainer: MakeTrainer, spec: RunSpec
) -> None:
    models: list[BadGradient] = []

    def bad(spec: RunSpec, input_size: int) -> nn.Module:
        models.append(BadGradient(input_size, spec.hidden_size, 0, 1.0))
        return models[0]

    trainer = make_trainer(spec, make_rnn=bad)
    before = [parameter.detach().clone() for parameter in models[0].parameters()]
    with pytest.raises(Diverged, match=r"gradient norm became (nan|inf) in epoch 1, step 0"):
        trainer.run_epoch()
    assert all(torch.equal(a, b) for a, b in zip(before, models[0].parameters(), strict=True))


class Poisoned(nn.LSTM):
    """Has a weight that plays no part in the output and is not finite."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.idle = nn.Parameter(torch.tensor(math.inf))


def test_a_weight_that_is_not_finite(make_trainer: MakeTrainer, spec: RunSpec) -> None:
    trainer = make_trainer(spec, make_rnn=lambda spec, size: Poisoned(size, spec.hidden_size))
    with pytest.raises(Diverged, match=r"weights net\.rnn\.idle became non-finite in epoch 1"):
        trainer.run_epoch()


class BadEvaluation(Failing):
    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.lstm(inputs, state)
        return (output if self.training else output * math.nan), state


def test_a_validation_that_is_not_finite(make_trainer: MakeTrainer, spec: RunSpec) -> None:
    trainer = make_trainer(spec, make_rnn=lambda spec, size: BadEvaluation(size, spec.hidden_size, 0, 1.0))
    with pytest.raises(Diverged, match="validation loss became nan in epoch 1"):
        trainer.run_epoch()
    assert trainer.records == []


def test_what_was_stored_before_stays(tmp_path: Path, make_trainer: MakeTrainer, spec: RunSpec) -> None:
    spec, store = replace(spec, role="final", read_test=True), RunStore(tmp_path)
    trainer = make_trainer(spec, store, failing(20, math.nan))
    first = trainer.run_epoch()
    with pytest.raises(Diverged, match="in epoch 2") as caught:
        trainer.run_epoch()
    result = trainer.result("diverged", str(caught.value))
    assert (result.best_epoch, result.best_metric) == (1, first.metric)
    assert result.test_statistics is None
    assert store.read_result() == result
    assert store.read_records() == [first]
    assert make_trainer(spec, store, failing(20, math.nan)).epoch == 1


def test_a_rate_that_is_far_too_high_is_noticed_early(make_trainer: MakeTrainer, spec: RunSpec) -> None:
    class Growing(Failing):
        def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
            output, state = self.lstm(inputs, state)
            weight = next(self.lstm.parameters())
            return output * (weight.abs().sum() ** 40), state

    high = replace(spec, training=replace(spec.training, learning_rate=1e4))
    trainer = make_trainer(high, make_rnn=lambda spec, size: Growing(size, spec.hidden_size, 0, 1.0))
    with pytest.raises(Diverged) as caught:
        trainer.run_epoch()
    assert caught.value.step < 10
