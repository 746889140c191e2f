"""Costs are counted by hand here, at sizes that tell input, hidden and heads apart."""

import pytest

from nas_rnn.cells import cell, diagonal, layer_norm, linear, project, scalar, state
from nas_rnn.cells.graph.costs import Costs, costs
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.cells.zoo.lstm_ablations import lstm_fgr
from nas_rnn.errors import UserError

X, H = 3, 5


def test_rnn() -> None:
    assert costs(rnn, X, H) == Costs(
        parameters=H * (X + H) + H,
        products=1,
        hoisted=1,
        levels=1,
        elementwise=1,
        reductions=0,
        multiply_adds=H * (X + H),
        state_size=H,
    )


def test_lstm() -> None:
    # three sigmoids, two tanh, three products, one sum
    assert costs(lstm, X, H) == Costs(
        parameters=4 * H * (X + H) + 4 * H,
        products=4,
        hoisted=4,
        levels=1,
        elementwise=9,
        reductions=0,
        multiply_adds=4 * H * (X + H),
        state_size=2 * H,
    )


def test_gru() -> None:
    # three activations, r * U h, the sum with W x, and 1 - z, two products and a sum for the blend;
    # the candidate's two linears have a bias each
    assert costs(gru, X, H) == Costs(
        parameters=3 * H * (X + H) + 4 * H,
        products=3,
        hoisted=3,
        levels=1,
        elementwise=9,
        reductions=0,
        multiply_adds=3 * H * (X + H),
        state_size=H,
    )


def test_lstm_with_full_gate_recurrence() -> None:
    # three gates read x and four states, the candidate x and h; nine operations as in the LSTM, and a
    # peephole and its sum for every gate
    weights = 3 * (H * X + 4 * H * H) + H * X + H * H
    assert costs(lstm_fgr, X, H) == Costs(
        parameters=weights + 4 * H + 3 * H,
        products=13,
        hoisted=4,
        levels=1,
        elementwise=15,
        reductions=0,
        multiply_adds=weights,
        state_size=5 * H,
    )


@pytest.mark.parametrize(("ours", "gates", "kept"), [(rnn, 1, 1), (lstm, 4, 4), (gru, 3, 4)])
def test_parameters_are_those_of_torch_without_redundant_second_biases(ours, gates, kept) -> None:
    torch_formula = gates * (H * X + H * H + 2 * H)
    assert costs(ours, X, H).parameters == torch_formula - (2 * gates - kept) * H


def test_project_costs_only_where_sizes_differ() -> None:
    @cell
    def projected(x, h):
        return tanh(linear(h, bias=None)) + project(x)

    assert costs(projected, X, H).parameters == H * H + H * X
    assert costs(projected, X, H).hoisted == 1
    assert costs(projected, H, H).parameters == H * H
    assert costs(projected, H, H).hoisted == 0
    assert costs(projected, H, H).multiply_adds == H * H


def test_heads_split_matrices_and_must_divide_sizes() -> None:
    @cell
    def headed(x, h):
        return tanh(linear(x, bias=None) + linear(h, heads=2))

    assert costs(headed, 3, 8).parameters == 3 * 8 + 8 * 8 // 2 + 8
    with pytest.raises(UserError, match="heads=2"):
        costs(headed, 3, 5)


def test_levels_count_products_that_follow_one_another() -> None:
    @cell
    def deep(x, h):
        first = tanh(linear(x, h))
        second = tanh(linear(first))
        return blend(sigmoid(linear(tanh(linear(x)))), second, h)

    # what depends on x alone is not in the loop
    assert (costs(deep, X, H).levels, costs(deep, X, H).products, costs(deep, X, H).hoisted) == (2, 2, 3)


def test_a_cell_without_products_in_its_loop_has_no_level() -> None:
    @cell
    def elementwise(x, h, last=state(size="input")):  # noqa: B008
        return sigmoid(linear(x)) * h + diagonal(h) * scalar(0.5), x

    found = costs(elementwise, X, H)
    assert (found.levels, found.products, found.hoisted) == (0, 0, 1)
    assert found.parameters == H * X + H + H + 1
    assert found.state_size == H + X


def test_dead_equations_cost_nothing_and_norms_are_reductions() -> None:
    @cell
    def normalised(x, h):
        unused = linear(x, h)  # noqa: F841
        return tanh(layer_norm(linear(x, h)))

    found = costs(normalised, X, H)
    assert found.parameters == H * (X + H) + H + 2 * H
    assert (found.elementwise, found.reductions) == (1, 1)


@pytest.mark.parametrize("sizes", [(0, 5), (3, -1)])
def test_sizes_are_positive(sizes) -> None:
    with pytest.raises(UserError, match="whole number from 1"):
        costs(lstm, *sizes)
