"""The reference interpreter against formulas written by hand, and against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.execution import RNN
from tests.execution.zoo import zoo_cells
from tests.random_cells import random_cell

INPUTS, HIDDEN = 4, 6
Step = Callable[[RNN, Tensor, Tensor], Tensor]


def written(body: str, parameters: str = "x, h") -> Cell:
    return parse_cell(f"@cell\ndef written({parameters}):\n{body}\n")


def blockwise(weight: Tensor, value: Tensor) -> Tensor:
    pieces = value.chunk(weight.shape[0], -1)
    return torch.cat([piece @ block.T for piece, block in zip(pieces, weight, strict=True)], -1)


def normed(value: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    deviation = value.var(-1, unbiased=False, keepdim=True).add(1e-5).sqrt()
    return (value - value.mean(-1, keepdim=True)) / deviation * gain + bias


def leaky_blend(m: RNN, x: Tensor, h: Tensor) -> Tensor:
    gate = torch.sigmoid(m.scalar_l0[0])
    return gate * (x @ m.weight_ih_l0.T) + (1 - gate) * F.leaky_relu(h)


WORDS: dict[str, tuple[Cell, Step]] = {
    "linear": (
        written("    return tanh(linear(x, h, bias=0.5))"),
        lambda m, x, h: torch.tanh(x @ m.weight_ih_l0.T + h @ m.weight_hh_l0.T + m.bias_l0),
    ),
    "two matrices for one value": (
        written("    return linear(h, h, bias=None) + linear(x)"),
        lambda m, x, h: (
            h @ m.weight_hh_l0[:6].T + h @ m.weight_hh_l0[6:].T + x @ m.weight_ih_l0.T + m.bias_l0
        ),
    ),
    "heads": (
        written("    return tanh(linear(x, h, heads=2))"),
        lambda m, x, h: torch.tanh(
            sum(
                blockwise(w, x if w.shape[-1] == INPUTS // 2 else h)
                for w in (m.weight_heads_0_l0, m.weight_heads_1_l0)
            )
            + m.bias_l0
        ),
    ),
    "diagonal": (
        written("    return tanh(project(diagonal(x)) + diagonal(h))"),
        lambda m, x, h: torch.tanh((m.diagonal_ih_l0[0] * x) @ m.weight_ih_l0.T + m.diagonal_hh_l0[0] * h),
    ),
    "layer_norm": (
        written("    return layer_norm(linear(layer_norm(x), h))"),
        lambda m, x, h: normed(
            normed(x, m.norm_gain_ih_l0[0], m.norm_bias_ih_l0[0]) @ m.weight_ih_l0.T
            + h @ m.weight_hh_l0.T
            + m.bias_l0,
            m.norm_gain_hh_l0[0],
            m.norm_bias_hh_l0[0],
        ),
    ),
    "scalar, project and blend": (
        written("    return blend(sigmoid(scalar(0.3)), project(x), leaky_relu(h))"),
        leaky_blend,
    ),
    "arithmetic": (
        written(
            "    y = project(x)\n"
            "    return (y - h * 0.5) / (2 + exp(-y)) + maximum(h, minimum(y, 1)) - softplus(h)"
        ),
        lambda m, x, h: (
            (lambda y: (y - h * 0.5) / (2 + torch.exp(-y)) + torch.maximum(h, y.clamp(max=1)))(
                x @ m.weight_ih_l0.T
            )
            - F.softplus(h)
        ),
    ),
}


@pytest.mark.parametrize("backend", ["reference", "eager"])
@pytest.mark.parametrize("word", WORDS)
def test_words_mean_what_they_say(word: str, backend: str) -> None:
    cell, step = WORDS[word]
    rnn = RNN(cell, INPUTS, HIDDEN, backend=backend, dtype=torch.float64)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    x = torch.randn(4, 3, INPUTS, dtype=torch.float64)
    output, (final,) = rnn(x)
    h = torch.zeros(3, HIDDEN, dtype=torch.float64)
    for t in range(4):
        h = step(rnn, x[t], h)
        torch.testing.assert_close(output[t], h)
    torch.testing.assert_close(final[0], h)


@pytest.mark.parametrize("backend", ["reference", "eager"])
def test_states_that_start_elsewhere_or_hold_the_input(backend: str) -> None:
    cell = written(
        "    return project(x - last) + 0 * h, m + 1, x",
        'x, h, m=state(init=-10.0), last=state(init=2, size="input")',
    )
    rnn = RNN(cell, INPUTS, HIDDEN, backend=backend)
    x = torch.randn(3, 2, INPUTS)
    output, (h, m, last) = rnn(x)
    before = torch.cat([torch.full((1, 2, INPUTS), 2.0), x[:-1]])
    torch.testing.assert_close(output, (x - before) @ rnn.weight_ih_l0.T)
    assert torch.equal(m, torch.full((1, 2, HIDDEN), -7.0))
    assert torch.equal(last[0], x[-1])
    assert torch.equal(h[0], output[-1])


def test_project_is_the_identity_where_sizes_agree() -> None:
    rnn = RNN(written("    return project(x) + 0 * h"), 5, 5)
    x = torch.randn(2, 3, 5)
    assert list(rnn.parameters()) == []
    assert torch.equal(rnn(x)[0], x)


GRADCHECKED = [
    lstm,
    gru,
    zoo_cells()["lstm_peephole"],
    WORDS["heads"][0],
    WORDS["layer_norm"][0],
    WORDS["arithmetic"][0],
]


@pytest.mark.parametrize(
    "cell", [*GRADCHECKED, *(random_cell(np.random.default_rng(s), 5) for s in (1, 2, 3))]
)
def test_gradients_agree_with_finite_differences(cell: Cell) -> None:
    rnn = RNN(cell, 2, 4, backend="reference", dtype=torch.float64)
    x = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in rnn.named_parameters()]

    def run(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        output, state = torch.func.functional_call(rnn, dict(zip(names, values, strict=True)), (x,))
        return (output, *state)

    assert torch.autograd.gradcheck(run, (x, *rnn.parameters()))
