"""The word `antisymmetric`, from the text form to the backends."""

from __future__ import annotations

import pytest
import torch

from nas_rnn.cells import Cell, CellError, antisymmetric, parse_cell
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.views.difference import difference
from nas_rnn.execution import RNN
from nas_rnn.execution.unrolled import Unrolled
from nas_rnn.spaces import recipe_from_cell
from nas_rnn.spaces.ablations import ablations
from nas_rnn.spaces.constraints import Constraints

INPUTS, HIDDEN, BATCH = 4, 6, 3


def written(line: str, parameters: str = "x, h") -> Cell:
    return parse_cell(f"@cell\ndef f({parameters}):\n    return {line}\n")


TURNING = written("tanh(linear(x) + antisymmetric(h))")
PLAIN = written("tanh(linear(x) + linear(h, bias=None))")


def turning(backend: str, **options: float) -> RNN:
    return RNN(TURNING, INPUTS, HIDDEN, backend=backend, dtype=torch.float64, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["fused", "eager", "reference"])
def test_it_is_a_matrix_less_its_transpose(backend: str) -> None:
    rnn = turning(backend)
    x = torch.randn(5, BATCH, INPUTS, dtype=torch.float64)
    output, _ = rnn(x)
    output.square().sum().backward()
    found = rnn.weight_hh_l0.grad
    w, b = rnn.weight_ih_l0.detach(), rnn.bias_l0.detach()
    learned = rnn.weight_hh_l0.detach().clone().requires_grad_()
    h, outputs = torch.zeros(BATCH, HIDDEN, dtype=torch.float64), []
    for x_t in x:
        h = torch.tanh(x_t @ w.T + b + h @ (learned - learned.T).T)
        outputs.append(h)
    expected = torch.stack(outputs)
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-14)
    (gradient,) = torch.autograd.grad(expected.square().sum(), learned)
    torch.testing.assert_close(found, gradient, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(gradient, -gradient.T)  # the learned matrix's symmetric part does nothing


def test_steps_and_unrolling_compute_the_same() -> None:
    rnn = turning("eager")
    x = torch.randn(4, BATCH, INPUTS, dtype=torch.float64)
    expected, _ = rnn(x)
    state, outputs = None, []
    for x_t in x:
        output, state = rnn.step(x_t, state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs), expected)
    torch.testing.assert_close(Unrolled(rnn)(x)[0], expected)


def test_weight_drop_leaves_it_antisymmetric() -> None:
    rnn = turning("eager", weight_drop=0.5)
    made = rnn._tensors_to_run(0, False, torch.float64)["weight_hh"]
    torch.testing.assert_close(made, -made.T)
    assert (made.abs() > 1.5 * (rnn.weight_hh_l0 - rnn.weight_hh_l0.T).abs()).any(), "nothing was dropped"


def test_it_reads_back_and_is_no_linear() -> None:
    assert parse_cell(TURNING.to_text()) == TURNING
    assert "antisymmetric(h)" in TURNING.to_text()
    assert TURNING.digest != PLAIN.digest
    assert costs(TURNING, INPUTS, HIDDEN) == costs(PLAIN, INPUTS, HIDDEN)


def test_two_of_them_have_two_matrices_in_one_tensor() -> None:
    twice = written("tanh(linear(x) + antisymmetric(h) * linear(h) - antisymmetric(h))")
    rnn = RNN(twice, INPUTS, HIDDEN, backend="eager", dtype=torch.float64)
    x = torch.randn(5, BATCH, INPUTS, dtype=torch.float64)
    assert rnn.weight_hh_l0.shape == (3 * HIDDEN, HIDDEN)
    expected = rnn(x)[0]
    for backend in ("reference", "fused"):
        rnn.backend = backend
        torch.testing.assert_close(rnn(x)[0], expected, rtol=1e-12, atol=1e-14)


def test_it_is_written_and_told_of() -> None:
    assert str(TURNING) == "hₜ = tanh(W_h xₜ + (A_h - A_hᵀ) hₜ₋₁ + b_h)"
    assert r"(A_{h} - A_{h}^\top) h_{t-1}" in TURNING.latex()
    assert (
        str(written("antisymmetric(tanh(linear(x, h)))")) == "hₜ = (A_h - A_hᵀ) tanh(W_h xₜ + U_h hₜ₋₁ + b_h)"
    )
    told = " ".join(difference(TURNING, PLAIN).sentences)
    assert "antisymmetric" in told
    assert ablations(TURNING)
    assert Constraints(lacks=("antisymmetric",)).lacks == ("antisymmetric",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("antisymmetric(x) + linear(h)", "takes a value of hidden_size, not of input_size"),
        ("linear(antisymmetric(scalar(1)), h)", "takes a value of hidden_size, not of one number"),
        ("antisymmetric(h, h)", "takes one value, not 2"),
        ("antisymmetric()", "takes one value, not 0"),
    ],
)
def test_what_it_does_not_take(line: str, said: str) -> None:
    with pytest.raises(CellError, match=said):
        written(line)


def test_outside_of_a_cell_it_says_so() -> None:
    with pytest.raises(CellError):
        antisymmetric(1.0)


def test_a_recipe_has_no_word_for_it() -> None:
    with pytest.raises(Exception, match="a recipe has linear"):
        recipe_from_cell(written("tanh(antisymmetric(linear(x, h)))"))
