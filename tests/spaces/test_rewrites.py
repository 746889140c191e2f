"""The space of changed graphs: every mutant is a cell that reads back, walks get far, and a start may be given."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph.nodes import State
from nas_rnn.cells.graph.verify import verify
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import MutableSpace
from nas_rnn.spaces.rewriting import CHANGES, rewritten
from nas_rnn.strategies.evolution import Evolution
from nas_rnn.testing import check_space, check_strategy
from tests.execution.zoo import zoo_cells

SPACE = load_space("rewrites")
ZOO = zoo_cells()


def test_it_keeps_the_contract_of_spaces_and_evolution_walks_on_it() -> None:
    assert isinstance(SPACE, MutableSpace)
    assert check_space(SPACE, samples=100) == []
    assert check_strategy(Evolution, [SPACE]) == []


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(ZOO)), st.sampled_from(CHANGES), st.integers(0, 2**32 - 1))
def test_each_change_of_a_published_cell_gives_another_cell_or_nothing(name, change, seed) -> None:
    cell = ZOO[name]
    changed = rewritten(cell, change, "changed", np.random.default_rng(seed))
    if changed is None:
        return
    verify(changed)
    assert changed.digest != cell.digest
    assert parse_cell(changed.to_text()) == changed
    assert changed == rewritten(cell, change, "changed", np.random.default_rng(seed))
    read = {node.path for node in changed.nodes if isinstance(node, State)}
    assert read == set(range(len(changed.states)))
    assert any(0 in node.inputs for node in changed.nodes) or 0 in changed.outputs


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_walks_stay_within_their_bounds(seed) -> None:
    rng = np.random.default_rng(seed)
    cell = load_cell("rnn")
    for _ in range(40):
        cell = SPACE.mutate(cell, rng)
        verify(cell)
        assert parse_cell(cell.to_text()) == cell
        assert len(cell.nodes) <= 40 and 1 <= len(cell.states) <= 4


def test_walks_get_far() -> None:
    rng = np.random.default_rng(0)
    cell, seen, sizes, states = load_cell("rnn"), set(), set(), set()
    for _ in range(300):
        cell = SPACE.mutate(cell, rng)
        seen.add(cell.digest)
        sizes.add(len(cell.nodes))
        states.add(len(cell.states))
    assert len(seen) > 250 and len(sizes) > 10 and len(states) > 2


GATED = """
@cell
def rnn(x, h):
    return tanh(linear(x, h))

@cell
def sums(x, h):
    return tanh(linear(x, h)) + h

@cell
def gated(x, h):
    return tanh(linear(x, h)) * sigmoid(linear(x, h)) + h
"""
REMEMBERING = """
@cell
def rnn(x, h):
    return tanh(linear(x, h))

@cell
def with_memory(x, h, c):
    c = tanh(linear(x, h)) + c
    return c, c

@cell
def squashed(x, h, c):
    c = tanh(linear(x, h)) + c
    return tanh(c), c
"""


@pytest.mark.parametrize("steps", [GATED, REMEMBERING])
def test_gates_and_memories_are_few_changes_away_from_the_vanilla_rnn(steps: str) -> None:
    cells = [parse_cell(f"@cell{text}") for text in steps.split("@cell")[1:]]
    for before, after in pairwise(cells):
        rng = np.random.default_rng(0)
        drawn = (rewritten(before, change, "drawn", rng) for _ in range(2000) for change in CHANGES)
        assert any(found is not None and found.digest == after.digest for found in drawn)


def test_every_kind_of_change_happens_to_the_lstm() -> None:
    rng, lstm = np.random.default_rng(1), load_cell("lstm")
    done = Counter(
        change.__name__
        for change in CHANGES
        for _ in range(60)
        if rewritten(lstm, change, "changed", rng) is not None
    )
    assert set(done) == {change.__name__ for change in CHANGES}


def near(cell: Cell) -> set[str]:
    rng = np.random.default_rng(3)
    return {SPACE.mutate(cell, rng).digest for _ in range(400)}


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_random_candidate_is_some_changes_from_the_start(name: str) -> None:
    start = load_cell(name)
    space = SPACE.starting_from([start]) if name != "rnn" else SPACE
    known = near(start)
    assert any(space.sample(seed).digest in known for seed in range(60))


def test_larger_cells_than_the_bound_can_be_changed() -> None:
    large = load_cell("darts_v2")
    assert len(large.nodes) > 40
    changed = SPACE.mutate(large, np.random.default_rng(0))
    assert len(changed.nodes) <= len(large.nodes)
