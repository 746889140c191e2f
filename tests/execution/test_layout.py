"""How parameters are packed and counted."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.cells.zoo.mutations import mut3
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN, make_layout, parameter_count
from tests.cells.disguise import disguised
from tests.execution.zoo import zoo_cells
from tests.random_cells import cells

SIZES = [(4, 6), (6, 6), (2, 4)]


@settings(max_examples=100, deadline=None)
@given(tested=cells(), sizes=st.sampled_from(SIZES))
def test_the_count_is_the_modules(tested: Cell, sizes: tuple[int, int]) -> None:
    with torch.device("meta"):
        rnn = RNN(tested, *sizes)
    count = sum(parameter.numel() for parameter in rnn.parameters())
    assert parameter_count(tested, *sizes) == count
    assert costs(tested, *sizes).parameters == count


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", zoo_cells())
def test_the_count_for_layers_and_directions(name: str, layers: int, bidirectional: bool) -> None:
    tested = zoo_cells()[name]
    if any(path.size == "input" for path in tested.states):
        pytest.skip("its layers' states differ in size")
    rnn = RNN(tested, 4, 8, layers, bidirectional=bidirectional)
    count = sum(parameter.numel() for parameter in rnn.parameters())
    assert parameter_count(tested, 4, 8, layers, bidirectional) == count


def test_the_lstm_has_torchs_count_less_one_bias() -> None:
    theirs = sum(p.numel() for p in torch.nn.LSTM(5, 7, 2, bias=False, bidirectional=True).parameters())
    assert parameter_count(lstm, 5, 7, 2, True) == theirs + 4 * 4 * 7


@settings(max_examples=100, deadline=None)
@given(tested=cells(max_nodes=20), sizes=st.sampled_from(SIZES))
def test_places_tile_the_tensors(tested: Cell, sizes: tuple[int, int]) -> None:
    layout = make_layout(tested.canonical(), *sizes)
    vectors = (
        *layout.biases,
        *layout.diagonals,
        *layout.gains,
        *layout.shifts,
        *layout.scalars,
        *layout.vectors,
    )
    for name, shape in layout.shapes:
        places = sorted(item.place for item in (*layout.matrices, *vectors) if item.place.tensor == name)
        ends = [0, *(place.stop for place in places)]
        assert [place.start for place in places] == ends[:-1]
        assert ends[-1] == shape[0]


@settings(max_examples=100, deadline=None)
@given(tested=cells(max_nodes=20))
@example(mut3)  # its canonical form meets r * h before tanh(h), which is of a lower level; few random ones do
def test_matrices_for_one_value_lie_together_by_level(tested: Cell) -> None:
    layout = make_layout(tested.canonical(), 4, 6)
    for tensor in ("weight_ih", "weight_hh"):
        here = sorted((m for m in layout.matrices if m.place.tensor == tensor), key=lambda m: m.place)
        sources = [m.source for m in here]
        changes = sum(a != b for a, b in pairwise(sources))
        assert changes == max(len(set(sources)) - 1, 0)
        levels = [layout.levels[source] for source in sources]
        assert levels == sorted(levels)
        for matrix in here:
            node = layout.canonical.nodes[matrix.owner]
            assert node.inputs[matrix.argument] == matrix.source
            assert matrix.place.stop - matrix.place.start == layout.hidden_size


def test_levels_of_the_gru() -> None:
    layout = make_layout(gru.canonical(), 3, 4)
    assert layout.levels[0] == -1
    assert layout.levels[1] == 0
    assert max(layout.levels) == 1
    assert dict(layout.shapes) == {"weight_ih": (12, 3), "weight_hh": (12, 4), "bias": (16,)}


@settings(max_examples=60, deadline=None)
@given(tested=cells(), seed=st.integers(0, 1000), sizes=st.sampled_from(SIZES))
def test_equal_digests_have_equal_layouts(tested: Cell, seed: int, sizes: tuple[int, int]) -> None:
    other = disguised(tested, seed, permute_states=True)
    assert other.digest == tested.digest
    assert make_layout(other.canonical(), *sizes).shapes == make_layout(tested.canonical(), *sizes).shapes


def test_heads_must_divide_both_sizes() -> None:
    tested = parse_cell("@cell\ndef f(x, h):\n    return tanh(linear(x, h, heads=4))\n")
    with pytest.raises(UserError, match=r"hidden_size must be a multiple of 4, not 6; 4 or 8 would work"):
        RNN(tested, 8, 6)
    with pytest.raises(UserError, match=r"input_size must be a multiple of 4, not 3; 4 would work"):
        parameter_count(tested, 3, 8)
    assert dict(make_layout(tested.canonical(), 4, 8).shapes)["weight_heads_0"][0] == 4


def test_projects_own_a_matrix_only_where_sizes_differ() -> None:
    tested = parse_cell("@cell\ndef f(x, h):\n    return tanh(h) + project(x)\n")
    assert parameter_count(tested, 3, 5) == 15
    assert parameter_count(tested, 5, 5) == 0
    assert parameter_count(tested, 3, 5, num_layers=2) == 15


def test_states_of_input_size_do_not_stack() -> None:
    tested = parse_cell(
        '@cell\ndef f(x, h, last=state(size="input")):\n    return tanh(linear(x, h, last)), x\n'
    )
    with pytest.raises(UserError, match=r"'last'.*3 in the first layer and 5 in the next.*input_size=5"):
        RNN(tested, 3, 5, num_layers=2)
    with pytest.raises(UserError, match="input_size=10"):
        RNN(tested, 3, 5, num_layers=2, bidirectional=True)
    output, (h, last) = RNN(tested, 5, 5, num_layers=3)(torch.randn(2, 4, 5))
    assert (output.shape, h.shape, last.shape) == ((2, 4, 5), (3, 4, 5), (3, 4, 5))
    widening = parse_cell('@cell\ndef f(x, h=state(size="input")):\n    return tanh(x + h)\n')
    with pytest.raises(UserError, match="doubles"):
        RNN(widening, 3, 3, num_layers=2, bidirectional=True)


def test_a_layout_is_its_own_copy() -> None:
    layout = make_layout(lstm.canonical(), 3, 4)
    assert copy.deepcopy(layout) is layout
    assert make_layout(lstm.canonical(), 3, 4) is layout
