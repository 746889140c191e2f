"""Averaged weights: the average by its formula, and the model's own weights left as they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from nas_rnn.training import RunSpec
from nas_rnn.training.averaging import AveragedWeights
from nas_rnn.training.trainer import Trainer


def test_it_is_an_exponential_average_over_a_share_of_the_steps() -> None:
    model = nn.Linear(3, 2).double()
    average = AveragedWeights(model, 0.25)
    wanted = model.weight.detach().clone()
    for step in range(1, 40):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3, dtype=torch.float64))
        average.update(step)
        wanted += (model.weight.detach() - wanted) / (0.25 * step + 1)
        torch.testing.assert_close(average.state()["weight"], wanted, rtol=1e-12, atol=1e-12)


def test_the_model_has_its_own_weights_again() -> None:
    model = nn.Linear(3, 2)
    average = AveragedWeights(model, 0.5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model.bias.add_(1.0)
    average.update(1)
    with pytest.raises(ZeroDivisionError), average.loaded():
        assert torch.allclose(model.bias, before["bias"] + 1 / 1.5)
        raise ZeroDivisionError
    assert torch.equal(model.bias, before["bias"] + 1.0)
    assert torch.equal(model.weight, before["weight"])


def test_a_share_of_nothing_is_the_weights_themselves() -> None:
    model = nn.Linear(3, 2)
    average = AveragedWeights(model, 0.0)
    average.update(1)
    with average.loaded():
        assert average.state() == {}
        assert model.training


def test_a_run_is_read_from_averaged_weights_and_trains_as_without(
    make_trainer: Callable[..., Trainer], spec_with: Callable[..., RunSpec], tmp_path: object
) -> None:
    """Averaging is only looked at: the raw weights, and so the training loss, are those of a run without it."""
    with_average, without = make_trainer(spec_with()), make_trainer(spec_with(average=0.0))
    for trainer in (with_average, without):
        while not trainer.finished:
            trainer.run_epoch()
    pairs = list(zip(with_average.records, without.records, strict=True))
    assert all(one.train_loss == other.train_loss for one, other in pairs)
    assert all(one.metric != other.metric for one, other in pairs)


def test_matrices_decay_and_biases_do_not(
    make_trainer: Callable[..., Trainer], spec_with: Callable[..., RunSpec]
) -> None:
    """One step from equal weights: AdamW takes rate x decay x weight off (Loshchilov & Hutter 2019, Algorithm 2)."""
    plain, decayed = (
        make_trainer(spec_with(average=0.0)),
        make_trainer(spec_with(average=0.0, weight_decay=0.1)),
    )
    names = {
        name: group["weight_decay"]
        for group in decayed._optimizer.param_groups
        for name in _names(decayed, group)
    }
    assert {name.rpartition(".")[2][:4] for name, decay in names.items() if decay} == {"weig"}
    assert {name.rpartition(".")[2][:4] for name, decay in names.items() if not decay} == {"bias"}
    assert all(group["weight_decay"] == 0.0 for group in plain._optimizer.param_groups)


def _names(trainer: Trainer, group: dict[str, object]) -> list[str]:
    ids = {id(parameter) for parameter in group["params"]}  # type: ignore[attr-defined]
    return [name for name, parameter in trainer._model.named_parameters() if id(parameter) in ids]
