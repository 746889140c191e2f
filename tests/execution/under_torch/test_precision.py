"""Half precision and autocast: float32 within a layer, its own states and float32 ones taken back, nothing infinite."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from tests.execution.zoo import zoo_cells

HALF = [torch.float16, torch.bfloat16]
ZOO = zoo_cells()
CLOSE = {torch.float16: 2e-3, torch.bfloat16: 2e-2}


def gradients(rnn: RNN, output: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(output.float().square().sum(), list(rnn.parameters()), allow_unused=True))


@pytest.mark.parametrize("dtype", HALF)
def test_a_layer_of_half_precision_is_the_float32_layer_rounded(dtype: torch.dtype) -> None:
    rnn = RNN("lstm", 3, 4, 2).to(dtype)
    assert rnn.backend == "fused"
    exact = copy.deepcopy(rnn).float()
    x = torch.randn(5, 2, 3).to(dtype)
    (output, states), (expected, finals) = rnn(x), exact(x.float())
    assert {output.dtype, *(s.dtype for s in states)} == {dtype}
    assert torch.equal(output, expected.to(dtype))
    for ours, theirs in zip(states, finals, strict=True):
        assert torch.equal(ours, theirs.to(dtype))
    for ours, theirs in zip(gradients(rnn, output), gradients(exact, expected), strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.float(), theirs, rtol=10 * CLOSE[dtype], atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("backend", ["fused", "eager", "reference"])
def test_against_torchs_own(dtype: torch.dtype, backend: str) -> None:
    theirs = torch.nn.LSTM(3, 4)
    ours = RNN.from_torch(theirs, backend).to(dtype)
    x = torch.randn(20, 2, 3)
    torch.testing.assert_close(ours(x.to(dtype))[0].float(), theirs(x)[0], rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("cell", ZOO.values(), ids=ZOO.keys())
def test_states_are_taken_back(cell: Cell) -> None:
    """Its own and float32 ones, as half precision and under autocast, for a sequence and for a step."""
    rnn = RNN(cell, 8, 8, backend="eager")
    x = torch.randn(3, 2, 8)
    for dtype in HALF:
        half = copy.deepcopy(rnn).to(dtype)
        output, state = half(x.to(dtype))
        half(x.to(dtype), state)
        half(x.to(dtype), tuple(s.float() for s in state))
        half.step(x[0].to(dtype), state)
        assert output.dtype == dtype
        with torch.autocast("cpu", dtype):
            for given in (x, x.to(dtype)):
                output, state = rnn(given)
                rnn(given, state)
                rnn(given, tuple(s.to(dtype) for s in state))
                rnn.step(given[0], state)
                assert output.dtype == torch.float32


@pytest.mark.parametrize("dtype", HALF)
def test_autocast_computes_in_float32(dtype: torch.dtype) -> None:
    """Of an input that other layers have rounded the results are exact, and so are gradients."""
    rnn = RNN("gru", 3, 4, 2, bidirectional=True)
    x = torch.randn(5, 2, 3)
    expected = rnn(x)[0]
    with torch.autocast("cpu", dtype):
        output = rnn(x)[0]
        assert torch.equal(output, expected)
        assert torch.equal(rnn(x.to(dtype))[0], rnn(x.to(dtype).float())[0])
    for ours, theirs in zip(gradients(rnn, output), gradients(rnn, expected), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("backend", ["fused", "eager", "reference"])
def test_layer_norms_stay_finite(dtype: torch.dtype, backend: str) -> None:
    """Also where all units are alike, or so large that their squares leave half precision."""
    cell = parse_cell("@cell\ndef normed(x, h):\n    return tanh(layer_norm(linear(x, h)))\n")
    rnn = RNN(cell, 3, 4, backend=backend).to(dtype)
    for x in (torch.zeros(5, 2, 3), torch.full((5, 2, 3), 3e4)):
        output, _ = rnn(x.to(dtype))
        assert output.isfinite().all()
        assert all(g.isfinite().all() for g in gradients(rnn, output))


def test_an_input_that_is_no_float_is_refused_under_autocast_too() -> None:
    rnn = RNN("rnn", 3, 4)
    for dtype in (torch.int64, torch.complex64):
        with (
            torch.autocast("cpu", torch.bfloat16),
            pytest.raises(UserError, match=r"use x.to\(torch.float32\)$"),
        ):
            rnn(torch.zeros(5, 2, 3, dtype=dtype))


def test_a_state_of_another_dtype_is_refused() -> None:
    rnn = RNN("rnn", 3, 4)
    x = torch.randn(5, 2, 3)
    for dtype in (torch.float64, torch.bfloat16):
        with pytest.raises(UserError, match="they must agree"):
            rnn(x, (torch.zeros(1, 2, 4, dtype=dtype),))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(UserError, match="they must agree"):
        rnn(x, (torch.zeros(1, 2, 4, dtype=torch.int64),))
    with pytest.raises(UserError, match="they must agree"):
        rnn.bfloat16()(x.bfloat16(), (torch.zeros(1, 2, 4, dtype=torch.float16),))
