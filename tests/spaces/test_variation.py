"""Variation of candidates by their decisions: a change of one, and a mixture of two candidates."""

import numpy as np
import pytest

from nas_rnn.cells import linear
from nas_rnn.cells.graph.operations import identity, relu, sigmoid, tanh
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate, Choice, search_space


@search_space
def deep(choose, x, h, c):
    """A branch with a question of its own, and a range."""
    act = choose("act", [tanh, relu, identity])
    value = linear(x, h)
    for _ in range(choose("depth", range(1, 8))):
        value = act(linear(value))
    if choose("memory", ["yes", "no"]) == "no":
        return value, None
    return value, c * choose("keep", [sigmoid, tanh])(linear(x)) + value


@search_space
def single(choose, x, h):
    """One candidate."""
    return choose("act", [tanh])(linear(x, h))


@search_space
def same(choose, x, h):
    """Two decisions and one cell."""
    choose("idle", ["a", "b"])
    return tanh(linear(x, h))


def asked_of_both(a: Candidate, b: Candidate) -> set[str]:
    return set(a.decisions) & set(b.decisions)


@pytest.mark.parametrize(
    "space", [deep, load_space("gated"), load_space("lstm_ablations")], ids=lambda s: s.name
)
def test_a_mutation_changes_one_decision_and_the_cell(space):
    rng = np.random.default_rng(0)
    for seed in range(100):
        parent = space.sample(seed)
        child = space.mutate(parent, rng)
        assert child.digest != parent.digest
        assert space.replay(child.decisions).cell == child.cell
        differing = [k for k in asked_of_both(parent, child) if parent.decisions[k] != child.decisions[k]]
        assert len(differing) == 1


def test_every_decision_is_mutated_and_what_it_brings_is_drawn():
    parent = deep.replay({"act": "tanh", "depth": 4, "memory": "no"})
    rng = np.random.default_rng(1)
    children = [deep.mutate(parent, rng).decisions for _ in range(200)]
    changed = [{k for k in parent.decisions if child[k] != parent.decisions[k]} for child in children]
    assert {frozenset(one) for one in changed} == {frozenset({k}) for k in parent.decisions}
    assert {child.get("keep") for child in children if child["memory"] == "yes"} == {"sigmoid", "tanh"}


def test_a_range_is_mutated_mostly_to_a_neighbour_and_sometimes_further():
    choice, rng = Choice("depth", tuple(range(1, 8)), ordered=True), np.random.default_rng(2)
    steps = [abs(int(choice.other(4, rng)) - 4) for _ in range(2000)]
    assert set(steps) == {1, 2, 3}
    # A neighbour in 7 of 10 cases, and in a third of the rest.
    assert 0.76 < steps.count(1) / len(steps) < 0.84
    assert {choice.other(1, rng) for _ in range(200)} == set(range(2, 8))


def test_a_candidate_from_the_study_has_no_choices_and_is_mutated_all_the_same():
    parent = deep.sample(3)
    bare = Candidate(parent.cell, parent.decisions)
    assert deep.mutate(bare, np.random.default_rng(3)).digest != parent.digest


def test_where_nothing_gives_another_cell_the_cell_comes_back():
    for space in (single, same):
        parent = space.sample(0)
        assert space.mutate(parent, np.random.default_rng(0)).digest == parent.digest


def test_equal_generators_give_equal_children():
    a, b = deep.sample(0), deep.sample(1)
    one, two = np.random.default_rng(5), np.random.default_rng(5)
    assert [deep.mutate(a, one).decisions for _ in range(10)] == [
        deep.mutate(a, two).decisions for _ in range(10)
    ]
    assert deep.crossover(a, b, one).decisions == deep.crossover(a, b, two).decisions


def test_a_crossover_takes_each_decision_from_a_parent_that_has_it():
    a = deep.replay({"act": "tanh", "depth": 1, "memory": "yes", "keep": "tanh"})
    b = deep.replay({"act": "relu", "depth": 7, "memory": "no"})
    rng = np.random.default_rng(6)
    children = [deep.crossover(a, b, rng).decisions for _ in range(400)]
    for key in ("act", "depth", "memory"):
        from_a = sum(child[key] == a.decisions[key] for child in children)
        assert 150 < from_a < 250
        assert all(child[key] in (a.decisions[key], b.decisions[key]) for child in children)
    assert {child.get("keep") for child in children} == {"tanh", None}
    assert len({tuple(child.items()) for child in children}) == 8


def test_a_crossover_draws_what_neither_parent_decided():
    @search_space
    def both(choose, x, h):
        if choose("one", ["yes", "no"]) == "yes" and choose("two", ["yes", "no"]) == "yes":
            return choose("only then", [tanh, relu])(linear(x, h))
        return linear(x, h)

    a, b = (
        both.replay({"one": "yes", "two": "no"}),
        Candidate(both.sample(0).cell, {"one": "no", "two": "yes"}),
    )
    rng = np.random.default_rng(7)
    drawn = {both.crossover(a, b, rng).decisions.get("only then") for _ in range(100)}
    assert drawn == {None, "tanh", "relu"}
