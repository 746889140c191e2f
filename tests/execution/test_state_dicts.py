"""Weights of a cell whose biases started elsewhere, for the cell as it was found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.cells import Cell, gate_bias, parse_cell, with_gate_bias
from nas_rnn.cells.zoo.classic import lstm
from nas_rnn.execution import RNN, repacked
from tests.execution.zoo import zoo_cells
from tests.random_cells import random_cell

SIZES = [0.0, *np.linspace(0.1, 1.9, 7).tolist()]
ZOO = {name: cell for name, cell in zoo_cells().items() if gate_bias(cell) is not None}


def moved(model: nn.Module) -> nn.Module:
    """Return ``model`` with no parameter where it starts."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def check(found: Cell, size: float, **options: bool | int) -> bool:
    """Compare ``found``, given its twin's weights, with the twin; return whether they are packed alike."""
    twin = with_gate_bias(found, size)
    trained = moved(RNN(twin, 4, 4, dtype=torch.float64, backend="eager", **options))  # type: ignore[arg-type]
    ours = RNN(found, 4, 4, dtype=torch.float64, backend="eager", **options)  # type: ignore[arg-type]
    weights = repacked(trained, ours)
    ours.load_state_dict(weights)
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(ours(x), trained(x), rtol=1e-10, atol=1e-12, equal_nan=True)
    return all(torch.equal(weights[name], tensor) for name, tensor in trained.named_parameters())


def test_the_order_of_gates_depends_on_where_biases_start() -> None:
    alike = [check(lstm, size) for size in SIZES]
    assert True in alike and False in alike
    check(lstm, SIZES[alike.index(False)], num_layers=2, bidirectional=True)


@pytest.mark.parametrize("name", ZOO)
def test_published_cells(name: str) -> None:
    for size in SIZES:
        check(ZOO[name], size)


def test_random_cells() -> None:
    drawn = [random_cell(np.random.default_rng(seed), max_nodes=20) for seed in range(200)]
    alike = [check(cell, 0.0) for cell in drawn if gate_bias(cell) is not None]
    assert False in alike


def test_products_with_what_simplification_makes() -> None:
    """Arguments that stand nowhere in the cell as it is written, and one argument given twice."""
    text = (
        "@cell\ndef f(x, h):\n"
        "    g = sigmoid(linear(x, h, bias=1.0))\n"
        "    a = tanh(linear(1 - g, h, h, x))\n"
        "    b = tanh(linear(h, blend(sigmoid(linear(h)), h, g), h))\n"
        "    return blend(g, a, b)\n"
    )
    for size in SIZES:
        check(parse_cell(text), size)


def test_a_model_around_the_layers() -> None:
    def model(cell: Cell) -> nn.Module:
        return nn.ModuleDict({"rnn": RNN(cell, 3, 4), "out": nn.Linear(4, 2)})

    size = next(size for size in SIZES if not check(lstm, size))
    trained, ours = moved(model(with_gate_bias(lstm, size))), model(lstm)
    ours.load_state_dict(repacked(trained, ours))
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        expected = trained["out"](trained["rnn"](x)[0])
        torch.testing.assert_close(ours["out"](ours["rnn"](x)[0]), expected)
