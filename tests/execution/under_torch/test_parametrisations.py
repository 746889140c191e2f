"""The values that a user sees as a layer's weights are those that run, whoever put them there."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN

BACKENDS = ("fused", "eager", "reference")


class LowRank(nn.Module):
    """Adds a product of two thin matrices to a frozen weight, as LoRA does (Hu et al. 2021)."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.randn(rows, 2) / 4)
        self.right = nn.Parameter(torch.randn(2, columns) / 4)

    def forward(self, weight: Tensor) -> Tensor:
        return weight.detach() + self.left @ self.right


def _old(function: Callable[..., object]) -> Callable[[RNN], None]:
    def apply(rnn: RNN) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch keeps them for old code
            function(rnn, name="weight_hh_l0")

    return apply


def _replaced(rnn: RNN) -> None:
    """As weight drop by hand does: the parameter under another name, a tensor made of it in its place."""
    raw = rnn.weight_hh_l0
    del rnn._parameters["weight_hh_l0"]
    rnn.register_parameter("weight_hh_l0_raw", nn.Parameter(raw.detach().clone()))
    rnn.weight_hh_l0 = rnn.weight_hh_l0_raw * 0.5


WAYS: dict[str, Callable[[RNN], object]] = {
    "pruned": lambda rnn: prune.l1_unstructured(rnn, "weight_hh_l0", 0.5),
    "pruned by units": lambda rnn: prune.ln_structured(rnn, "weight_ih_l0", 0.5, 2, 0),
    "weight norm": lambda rnn: parametrizations.weight_norm(rnn, "weight_hh_l0"),
    "older weight norm": _old(nn.utils.weight_norm),
    "spectral norm": lambda rnn: parametrizations.spectral_norm(rnn, "weight_hh_l0"),
    "older spectral norm": _old(nn.utils.spectral_norm),
    "orthogonal": lambda rnn: parametrizations.orthogonal(rnn, "weight_ih_l0"),
    "low rank": lambda rnn: parametrize.register_parametrization(rnn, "weight_ih_l0", LowRank(16, 3)),
    "of a bias": lambda rnn: parametrize.register_parametrization(rnn, "bias_l0", nn.Tanh()),
    "replaced": _replaced,
}


def _run(rnn: RNN, x: Tensor) -> list[Tensor]:
    rnn.zero_grad()
    output, states = rnn(x)
    ((output**2).sum() + states[1].sum()).backward(retain_graph=True)
    return [
        output,
        *states,
        *(p.grad.clone() for _, p in sorted(rnn.named_parameters()) if p.grad is not None),
    ]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_values_and_gradients(way: Callable[[RNN], object]) -> None:
    torch.manual_seed(0)
    rnn = RNN("lstm", 3, 4, dtype=torch.float64)
    plain = copy.deepcopy(rnn)
    way(rnn.double())
    rnn = rnn.double()
    rnn.eval()  # power iterations of spectral norms stand still
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter.mul_(0.9)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    found = {}
    for name in BACKENDS:
        rnn.backend = name
        found[name] = _run(rnn, x)
    assert rnn.backend == "reference"
    for name in BACKENDS[:2]:
        for ours, theirs in zip(found[name], found["reference"], strict=True):
            torch.testing.assert_close(ours, theirs)
    # The same values as plain weights give the same outputs, and others than before.
    with torch.no_grad():
        assert not torch.equal(plain(x)[0], found["fused"][0])
        for name, parameter in plain.named_parameters():
            parameter.copy_(getattr(rnn, name))
        torch.testing.assert_close(plain(x)[0], found["fused"][0])


def test_weight_norm_learns() -> None:
    """A step of an optimiser on what stands behind a weight changes what runs."""
    rnn = parametrizations.weight_norm(RNN("gru", 3, 4), "weight_hh_l0")
    x = torch.randn(5, 2, 3)
    before = rnn(x)[0].detach()
    optimizer = torch.optim.SGD(rnn.parameters(), 0.5)
    (rnn(x)[0] ** 2).sum().backward()
    optimizer.step()
    assert not torch.equal(rnn(x)[0], before)
    assert rnn.backend == "fused"


def test_one_step_and_a_state() -> None:
    rnn = RNN("lstm", 3, 4)
    prune.random_unstructured(rnn, "weight_hh_l0", 0.5)
    x = torch.randn(3, 2, 3)
    state = None
    for x_BI in x:
        output, state = rnn.step(x_BI, state)
    torch.testing.assert_close(output, rnn(x)[0][-1])


@pytest.mark.parametrize("frozen", ["weight_ih_l0", "weight_hh_l0", "bias_l0"])
def test_frozen_weights(frozen: str) -> None:
    rnn = RNN("lstm", 3, 4)
    rnn.get_parameter(frozen).requires_grad_(False)
    rnn(torch.randn(5, 2, 3))[0].sum().backward()
    for name, parameter in rnn.named_parameters():
        assert (parameter.grad is None) == (name == frozen)


def test_tied_weights() -> None:
    """Of layers, and of two whole RNNs: one tensor gathers the gradients of all its places."""
    torch.manual_seed(0)
    tied, apart = RNN("lstm", 4, 4, 2, dtype=torch.float64), RNN("lstm", 4, 4, 2, dtype=torch.float64)
    for name in ("weight_ih", "weight_hh", "bias"):
        setattr(tied, f"{name}_l1", getattr(tied, f"{name}_l0"))
        with torch.no_grad():
            for layer in (0, 1):
                apart.get_parameter(f"{name}_l{layer}").copy_(getattr(tied, f"{name}_l0"))
    x = torch.randn(5, 2, 4, dtype=torch.float64)
    for rnn in (tied, apart):
        rnn(x)[0].sin().sum().backward()
    torch.testing.assert_close(tied(x), apart(x))
    for name in ("weight_ih", "weight_hh", "bias"):
        both = apart.get_parameter(f"{name}_l0").grad + apart.get_parameter(f"{name}_l1").grad  # type: ignore[operator]
        torch.testing.assert_close(tied.get_parameter(f"{name}_l0").grad, both)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tensor_of_another_shape_is_refused(backend: str) -> None:
    rnn = RNN("lstm", 3, 4, backend=backend)
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(4, 4))
    with pytest.raises(UserError, match=r"weight_hh_l0 of this RNN has the shape \(16, 4\); .* \(4, 4\)"):
        rnn(torch.randn(5, 2, 3))


class Nothing(nn.Module):
    """Forgets to return what it made."""

    def forward(self, weight: Tensor) -> None:
        return None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            lambda w: w.double(),
            r"weight_hh_l1 of this RNN is torch.float64, and the layer computes in torch.float32",
        ),
        (lambda w: w.to(torch.complex64), "weight_hh_l1 of this RNN is torch.complex64"),
        (lambda w: w > 0, "weight_hh_l1 of this RNN is torch.bool"),
        (
            lambda w: w.to("meta"),
            r"the input is on cpu and weight_hh_l1 of this RNN on meta; use x.to\('meta'\)",
        ),
        (lambda _: None, r"weight_hh_l1 of this RNN is a tensor of the shape \(16, 4\); .* NoneType"),
    ],
    ids=["double", "complex", "bool", "meta", "none"],
)
def test_a_weight_that_would_be_rounded_or_cannot_be_used_is_refused(
    weight: Callable[[Tensor], Tensor], message: str, backend: str
) -> None:
    rnn = RNN("lstm", 3, 4, 2, backend=backend)
    replaced = weight(rnn.weight_hh_l1.detach())
    del rnn.weight_hh_l1
    rnn.weight_hh_l1 = replaced
    with pytest.raises(UserError, match=message):
        rnn(torch.randn(5, 2, 3))


def test_a_parametrisation_that_returns_nothing_is_told() -> None:
    rnn = RNN("lstm", 3, 4)
    parametrize.register_parametrization(rnn, "weight_hh_l0", Nothing(), unsafe=True)
    with pytest.raises(UserError, match="weight_hh_l0 of this RNN is a tensor"):
        rnn(torch.randn(5, 2, 3))


def test_all_weights_and_flattening() -> None:
    rnn = RNN("lstm", 3, 4, 2, bidirectional=True)
    rnn.flatten_parameters()
    assert [len(group) for group in rnn.all_weights] == [3] * 4
    assert rnn.all_weights[1][0] is rnn.weight_ih_l0_reverse
    prune.l1_unstructured(rnn, "weight_hh_l1", 0.5)
    assert rnn.all_weights[2][1] is rnn.weight_hh_l1
