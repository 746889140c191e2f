"""Traits: what an operation does to large values, what carries a state, and that equal cells have equal traits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given

from nas_rnn.cells import Cell, cell, find_operation, linear, parse_cell
from nas_rnn.cells.graph.operations import BUILT_IN, operation, operations, restore_operations, sigmoid, tanh
from nas_rnn.cells.traits import GROUPS, traits
from nas_rnn.cells.traits.algebra import STEEPEST, Passage, degree, passages
from nas_rnn.cells.traits.carry import cheapest_cycle
from nas_rnn.cells.traits.table import FARTHEST, trait_table
from nas_rnn.plugins import registry
from tests.cells.disguise import disguised
from tests.random_cells import cells


def zoo() -> list[Cell]:
    return [registry().find("cell", name).value for name in registry().names("cell")]


@pytest.mark.parametrize(
    ("name", "degrees", "expected"),
    [
        ("tanh", (1.0,), 0.0),
        ("sigmoid", (3.0,), 0.0),
        ("relu", (1.0,), 1.0),
        ("softplus", (2.0,), 2.0),
        ("log_sigmoid", (1.0,), 1.0),
        ("sqrt", (1.0,), 0.5),
        ("exp", (1.0,), STEEPEST),
        ("exp", (0.0,), 0.0),
        ("mul", (1.0, 1.0), 2.0),
        ("mul", (0.0, 1.0), 1.0),
        ("add", (1.0, 2.0), 2.0),
        ("sub", (1.0, 1.0), 1.0),
        ("div", (2.0, 1.0), 1.0),
        ("div", (0.0, 1.0), 0.0),
        ("minimum", (0.0, 1.0), 1.0),
        ("blend", (0.0, 1.0, 1.0), 1.0),
        ("blend", (1.0, 1.0, 0.0), 2.0),
    ],
)
def test_the_degree_of_an_operation(name, degrees, expected):
    assert degree(find_operation(name), degrees) == pytest.approx(expected, abs=0.01)


def test_every_built_in_operation_has_a_degree_and_passages():
    for name in BUILT_IN:
        row = find_operation(name)
        for power in (0.0, 1.0, STEEPEST, 10 * STEEPEST):
            assert 0 <= degree(row, (power,) * row.arity) <= STEEPEST
        assert len(passages(row)) == row.arity


def test_how_arguments_are_passed_on():
    added, scaled, changed = Passage.ADDED, Passage.SCALED, Passage.CHANGED
    expected = {
        "add": (added, added),
        "sub": (added, added),
        "mul": (scaled, scaled),
        "div": (scaled, changed),
        "neg": (added,),
        "identity": (added,),
        "tanh": (changed,),
        "relu": (changed,),
        "exp": (changed,),
        "maximum": (changed, changed),
        "blend": (scaled, scaled, scaled),
    }
    assert {name: passages(find_operation(name)) for name in expected} == expected


def test_an_operation_of_a_plugin_has_traits_too():
    known = operations()
    try:
        squares = operation("squares", value="a * a", derivative="2 * a")
        assert degree(squares, (1.0,)) == pytest.approx(2.0)
        assert passages(squares) == (Passage.CHANGED,)
    finally:
        restore_operations(known)


def named(name: str) -> dict[str, float]:
    return traits(registry().find("cell", name).value)


def test_what_carries_the_states_of_known_cells():
    rnn, lstm = named("rnn"), named("lstm")
    assert rnn["carry: matrices of a cycle"] == 1 and rnn["carry: activations of a cycle"] == 1
    assert rnn["carry: additive cycle"] == 0
    assert lstm["carry: additive cycle"] == 1 and lstm["carry: additive cycle without a gate"] == 0
    assert named("gru")["carry: additive cycle"] == 1
    assert lstm["growth: bounded output"] == 1 and rnn["growth: bounded states"] == 1


def test_a_sum_without_a_gate_and_a_state_that_explodes():
    @cell
    def heaps(x, h, c):
        c = c + tanh(linear(x, h))
        return tanh(c), c

    @cell
    def explodes(x, h):
        return h * h + sigmoid(linear(x))

    assert traits(heaps)["carry: additive cycle without a gate"] == 1
    assert traits(explodes)["growth: degree of the states"] == 2
    assert traits(explodes)["growth: growth"] == pytest.approx(0.0)  # 0 squared stays 0: it must be fed

    @cell
    def fed(x, h):
        return h * h + linear(x)

    assert traits(fed)["growth: growth"] == pytest.approx(math.log1p(STEEPEST))
    assert traits(fed)["growth: bounded output"] == 0


def test_a_state_that_nothing_reads_is_told():
    @cell
    def idle(x, h, c):
        return tanh(linear(x, h)), sigmoid(linear(x, c))

    found = traits(idle, "counts")
    assert found["counts: states"] == 2 and found["counts: states that the output needs"] == 1
    assert found["counts: nodes that the output does not need"] == 2


@given(cells())
def test_traits_are_finite_and_do_not_depend_on_how_a_cell_is_written(drawn):
    found = traits(drawn)
    assert all(math.isfinite(value) for value in found.values())
    assert traits(parse_cell(drawn.to_text())) == found
    assert traits(disguised(drawn, 0, permute_states=True)) == found


def test_every_published_cell_has_all_groups():
    for published in zoo():
        found = traits(published)
        assert {name.partition(":")[0] for name in found} == set(GROUPS), published.name
        assert all(math.isfinite(value) for value in found.values()), published.name


def test_the_cheapest_cycle_is_the_least_mean():
    costs = np.full((3, 3), 99.0)
    costs[1, 0], costs[2, 1], costs[0, 2] = 1.0, 2.0, 0.0  # a circle of three: 3 in 3 steps
    assert cheapest_cycle(costs) == pytest.approx(1.0)
    costs[2, 2] = 0.5
    assert cheapest_cycle(costs) == pytest.approx(0.5)


def test_a_table_standardises_and_encodes_its_own_cells_alike():
    published = [traits(one) for one in zoo()[:30]]
    table, rows = trait_table(published)
    assert rows.shape == (30, len(table.names)) and np.abs(rows).max() <= FARTHEST
    assert np.array_equal(table.encode(published), rows)
    unclipped = np.abs(rows).max(axis=0) < FARTHEST
    assert np.allclose(rows[:, unclipped].mean(axis=0), 0, atol=1e-9)
    assert np.allclose(rows[:, unclipped].std(axis=0), 1)
