"""What torch does with modules: functional calls, ensembles, copies, data parallel training, checkpointing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from nas_rnn.execution import RNN

X = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0)).double()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = RNN("lstm", 3, 4, 2, dtype=torch.float64)
        self.output = nn.Linear(4, 1, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.output(self.rnn(x)[0])
        return found


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


def test_functional_call() -> None:
    model, other = Net(), Net()
    found = torch.func.functional_call(model, dict(other.named_parameters()), (X,))
    torch.testing.assert_close(found, other(X))
    for ours, theirs in zip(
        gradients(other, found.square().sum()), gradients(other, other(X).square().sum()), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_an_ensemble() -> None:
    """Stacked models run and learn at once, each as by itself."""
    models = [Net() for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(models)  # type: ignore[arg-type]
    base = copy.deepcopy(models[0]).to("meta")

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(base, (parameters, buffers), (x,)).square().sum()
        return found

    found = torch.vmap(torch.func.grad(loss), in_dims=(0, 0, None))(parameters, buffers, X)
    for number, model in enumerate(models):
        expected = gradients(model, model(X).square().sum())
        for (name, _), theirs in zip(model.named_parameters(), expected, strict=True):
            torch.testing.assert_close(found[name][number], theirs)


@pytest.mark.parametrize("way", ["plain", "weight norm", "pruned"])
def test_copies(way: str) -> None:
    model = Net()
    if way == "weight norm":
        parametrizations.weight_norm(model.rnn, "weight_hh_l0")
    if way == "pruned":
        prune.l1_unstructured(model.rnn, "weight_hh_l0", 0.5)
        with (
            torch.no_grad()
        ):  # torch copies no tensors of a graph, which a pruned weight is until its next call
            model(X)
    others = [copy.deepcopy(model)]
    if way != "weight norm":  # torch pickles no parametrised modules
        others.append(pickle.loads(pickle.dumps(model)))
    for other in others:
        assert other.rnn.backend == "fused"
        torch.testing.assert_close(other(X), model(X))
        other.load_state_dict(model.state_dict())


def test_averaged_weights() -> None:
    model = Net()
    average = AveragedModel(model)
    average.update_parameters(model)
    torch.testing.assert_close(average(X), model(X))


@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing(reentrant: bool) -> None:
    model = Net()
    x = X.clone().requires_grad_()
    expected = gradients(model, model(x).square().sum())
    found = checkpoint(model, x, use_reentrant=reentrant)
    assert isinstance(found, Tensor)
    model.zero_grad()
    found.square().sum().backward()
    for parameter, theirs in zip(model.parameters(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, theirs)


@pytest.fixture
def _process_group(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("_process_group")
def test_data_parallel_training() -> None:
    """Of one process, whose hooks gather the gradients all the same."""
    model = Net()
    parallel = DistributedDataParallel(copy.deepcopy(model))
    for _ in range(2):
        expected = gradients(model, model(X).square().sum())
        parallel.zero_grad()
        parallel(X).square().sum().backward()
        for parameter, theirs in zip(parallel.parameters(), expected, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, theirs)
