"""Chain spaces: which spaces are some, and where their cells differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas_rnn.plugins import load_space
from nas_rnn.spaces import SpaceError, constrained, parse_constraints
from nas_rnn.spaces.chain import chain_of, owners, shared_cell
from tests.oneshot.chains import everything, leaves, tangled, two, unequal
from tests.strategies.small_spaces import Drawn, alone, idle


def test_darts_is_a_chain_of_eight_nodes_that_pick_an_earlier_one_and_an_activation():
    chain = chain_of(load_space("darts"))
    assert [node.shape for node in chain.nodes] == [(4,), *((number, 4) for number in range(2, 9))]
    assert chain.fixed == {"s1_from": "s0"}
    assert len(owners(chain.cell)) == 18


@pytest.mark.parametrize("space", [two, everything], ids=lambda space: space.name)
def test_a_chain_gives_the_candidate_of_any_decisions(space):
    chain = chain_of(space)
    rng = np.random.default_rng(1)
    for _ in range(10):
        candidate = space.sample(rng)
        assert [replace(node, name=None) for node in chain.graph(candidate.decisions)] == [
            replace(node, name=None) for node in candidate.cell.nodes
        ]
    picks = [[1] * len(node.axes) for node in chain.nodes]
    decisions = chain.decisions(picks)
    assert all(decisions[axis.choice.key] == axis.choice.labels[1] for axis in chain.axes)
    assert space.replay(decisions).decisions == decisions


def test_drawn_cells_are_spread_over_all_choices():
    chain, rng = chain_of(two), np.random.default_rng(0)
    drawn = [chain.draw(rng) for _ in range(300)]
    assert len(set(drawn)) == 32


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (leaves, "'c_from' changes how many values there are; the strategy 'weight-sharing' needs only"),
        (tangled, "'b_from' is read in several places"),
        (idle, "'idle' decides nothing"),
        (unequal, "own different weights, such as deep=no and deep=yes"),
        (load_space("gated"), "own different weights"),
        (Drawn(), "works on cells"),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_what_is_no_chain_of_independent_choices_is_refused(space, message):
    with pytest.raises(SpaceError, match=message):
        chain_of(space)


@pytest.mark.parametrize("space", [leaves, tangled, alone, load_space("enas")], ids=lambda space: space.name)
def test_weights_can_be_shared_where_only_what_is_read_and_computed_differs(space):
    assert len(owners(shared_cell(space))) == len(owners(space.sample(1).cell))


@pytest.mark.parametrize("space", [unequal, load_space("gated"), Drawn()], ids=lambda space: space.name)
def test_weights_cannot_be_shared_where_cells_own_different_ones(space):
    with pytest.raises(SpaceError):
        shared_cell(space)


def test_a_narrowed_space_is_the_chain_that_it_was():
    narrow = constrained(two, parse_constraints(["lacks=relu"]))
    assert chain_of(narrow) == chain_of(two)
