"""What weights start at, in all layers and directions."""

from __future__ import annotations

import math

import pytest
import torch

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN

H = 16


def gates(rnn: RNN, name: str, columns: int) -> torch.Tensor:
    """Return the matrices of each layer, direction and gate, (n, H, columns)."""
    found = [p.detach() for key, p in rnn.named_parameters() if key.startswith(name)]
    return torch.cat([p.view(-1, H, columns) for p in found if p.shape[-1] == columns])


def make(cell: str = "lstm", **options: object) -> RNN:
    torch.manual_seed(0)
    return RNN(cell, H, H, 2, bidirectional=True, **options)  # type: ignore[arg-type]


def test_uniform_as_torch() -> None:
    rnn = make()
    for key, parameter in rnn.named_parameters():
        if key.startswith("weight"):
            largest = float(parameter.detach().abs().max())
            assert 0.95 / math.sqrt(H) < largest <= 1 / math.sqrt(H)


def test_glorot() -> None:
    """Each gate's matrix by itself, not all of them as one with four times the rows."""
    rnn = make(init="glorot")
    for name in ("weight_ih", "weight_hh"):
        own = gates(rnn, name, H)
        bound = math.sqrt(6 / (H + H))
        assert 0.9 * bound < float(own.abs().amax(-1).amax(-1).min()) and float(own.abs().max()) <= bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_orthogonal(dtype: torch.dtype) -> None:
    rnn = make(init="orthogonal", dtype=dtype)
    own = gates(rnn, "weight_hh", H).double()
    assert len(own) == 4 * 4
    products = own @ own.transpose(1, 2)
    torch.testing.assert_close(products, torch.eye(H).double().expand_as(products), rtol=0, atol=0.02)
    assert not torch.equal(own[0], own[1])
    inputs = gates(rnn, "weight_ih", H).double()
    assert not torch.allclose(inputs[0] @ inputs[0].T, torch.eye(H).double(), atol=0.1)


def test_block_diagonal_matrices() -> None:
    """Each block by itself."""
    rnn = RNN("slstm", 8, 8, init="orthogonal")
    for key, parameter in rnn.named_parameters():
        if key.startswith("weight_heads") and parameter.shape[1] == parameter.shape[2]:
            blocks = parameter.detach()
            found = blocks @ blocks.transpose(1, 2)
            assert torch.allclose(found, torch.eye(blocks.shape[1]).expand_as(found), atol=1e-5)


@pytest.mark.parametrize("size", [0.0, 2.5])
def test_gate_bias(size: float) -> None:
    """That of forget gates alone, in all layers and directions."""
    plain, rnn = make(), make(gate_bias=size)
    biases = [p for key, p in rnn.named_parameters() if key.startswith("bias")]
    assert len(biases) == 4
    for own, stated in zip(
        biases, (p for k, p in plain.named_parameters() if k.startswith("bias")), strict=True
    ):
        assert torch.equal(own, stated * size)
        assert int((stated != 0).sum()) == H
    rnn.reset_parameters()
    assert torch.equal(biases[0], next(p for k, p in plain.named_parameters() if k == "bias_l0") * size)


def test_what_a_seed_draws_has_not_changed() -> None:
    torch.manual_seed(1)
    first = RNN("rnn", 1, 2).weight_hh_l0
    torch.manual_seed(1)
    drawn = torch.rand(2, 3) * 2 - 1
    torch.testing.assert_close(first, drawn.flatten()[2:].view(2, 2) / math.sqrt(2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": "orthogonl"}, "unknown init 'orthogonl'.*orthogonal"),
        ({"gate_bias": -1.0}, "gate_bias is a number from 0 on, or None .*, not -1.0"),
        ({"gate_bias": "1"}, "not '1'"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**options)
