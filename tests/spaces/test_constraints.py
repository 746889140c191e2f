"""Constraints: what they count, how they are written, and spaces that keep them."""

import numpy as np
import pytest

from nas_rnn.cells import linear, parse_cell
from nas_rnn.cells.costs import costs
from nas_rnn.cells.operations import exp, identity, relu, sigmoid, tanh
from nas_rnn.errors import UserError
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import (
    Constraints,
    DecisionSpace,
    Rejected,
    Rejections,
    SpaceError,
    check_space,
    constrained,
    parse_constraints,
    search_space,
)
from nas_rnn.strategies import Exhausted, RandomSearch


@search_space
def small(choose, x, h):
    """Eighteen candidates: one to three products one after another, each with an activation."""
    value = linear(x, h)
    for number in range(choose("depth", range(1, 4))):
        value = linear(value) if number else value
        value = choose("act", [tanh, exp, sigmoid])(value)
    return relu(value) if choose("ends", ["relu", "plain"]) == "relu" else value


def parameters(cell):
    return costs(cell, 4, 8).parameters


def test_constraints_are_read_from_texts_and_print_so():
    texts = ["products<=4", " operations <= 20", "levels<=2", "states<=2", "parameters<=70000", "must=layer_norm",
             "must=tanh", "not=exp"]  # fmt: skip
    found = parse_constraints(texts)
    assert found == Constraints(
        max_products=4,
        max_operations=20,
        max_levels=2,
        max_states=2,
        max_parameters=70_000,
        must_contain=("layer_norm", "tanh"),
        must_not_contain=("exp",),
    )
    assert parse_constraints(str(found).split(", ")) == found
    assert not parse_constraints([]) and parse_constraints(["states<=1"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["product<=4"], "unknown constraint 'product' in 'product<=4'; did you mean 'products'"),
        (["products<4"], "a bound reads products<=20, with a whole number, not 'products<4'"),
        (["products=4"], "a bound reads products<=20"),
        (["products<=many"], "a bound reads products<=20"),
        (["products<=-1"], "a bound reads products<=20"),
        (["products"], "a constraint reads products<=4, must=layer_norm or not=exp, not 'products'"),
        (["products<=4", "products<=5"], "products is bounded twice, by 4 and by 5"),
        (["must=layernorm"], "unknown operation 'layernorm' in a constraint; did you mean 'layer_norm'"),
        (["not=sigmoidd"], "did you mean 'sigmoid'"),
        (["must<=tanh"], "must takes the name of an operation, must=tanh"),
        (["must=exp", "not=exp"], "constraints demand and forbid exp"),
        ("products<=4", r'constraints are a list of texts, \["products<=4"\], not one text'),
    ],
)
def test_a_constraint_that_cannot_be_read_names_what_would_work(texts, message):
    with pytest.raises(SpaceError, match=message):
        parse_constraints(texts)


@pytest.mark.parametrize("wrong", [-1, 2.5, True])
def test_a_bound_is_a_whole_number(wrong):
    with pytest.raises(SpaceError, match="a bound on levels is a whole number from 0"):
        Constraints(max_levels=wrong)


# The LSTM: one product of h for each of four gates, 3 sigmoids, 2 tanh, 3 products and 1 sum of units, one level.
@pytest.mark.parametrize(
    ("name", "value"), [("products", 4), ("operations", 9), ("levels", 1), ("states", 2), ("parameters", 416)]
)
def test_a_bound_is_broken_from_one_more_on(name, value):
    lstm = load_cell("lstm")
    assert parse_constraints([f"{name}<={value}"]).broken(lstm, parameters) == ()
    assert parse_constraints([f"{name}<={value - 1}"]).broken(lstm, parameters) == (f"{name}<={value - 1}",)


def test_normalisations_are_operations_and_heads_do_not_hinder_the_count():
    normed = parse_cell(
        "@cell\ndef n(x, h):\n    return tanh(layer_norm(linear(x, h, heads=3)) + linear(h, heads=4))\n"
    )
    assert parse_constraints(["operations<=3", "products<=2"]).broken(normed) == ()
    assert parse_constraints(["operations<=2", "products<=1"]).broken(normed) == (
        "products<=1",
        "operations<=2",
    )


def test_words_are_those_of_the_equations_that_a_next_state_needs():
    written = parse_cell(
        "@cell\ndef w(x, h):\n    dead = exp(h)\n    return blend(sigmoid(linear(x, h)), h, tanh(h))\n"
    )
    must = ["must=blend", "must=linear", "must=sigmoid", "not=exp", "not=diagonal", "not=layer_norm"]
    assert parse_constraints(must).broken(written) == ()
    assert parse_constraints(["must=exp", "not=blend", "not=linear"]).broken(written) == (
        "must=exp",
        "not=blend",
        "not=linear",
    )


@pytest.mark.parametrize("name", ["gated", "enas", "nas_bench_nlp"])
def test_every_candidate_of_a_constrained_space_keeps_the_constraints_and_the_contract(name):
    limits = Constraints(max_products=26, max_levels=9, must_contain=("sigmoid",), max_parameters=2000)
    space = constrained(load_space(name), limits, parameters)
    assert isinstance(space, DecisionSpace) == isinstance(load_space(name), DecisionSpace)
    assert space.name == name and space.doc == load_space(name).doc
    assert check_space(space, samples=12) == []
    for seed in range(20):
        assert limits.broken(space.sample(seed).cell, parameters) == ()


def test_without_constraints_the_space_stays_what_it_is():
    assert constrained(small, Constraints()) is small


def test_a_bound_on_parameters_needs_a_count():
    with pytest.raises(SpaceError, match=r"needs a count of them: constrained\(space, ..., count=...\)"):
        constrained(small, Constraints(max_parameters=10))


def test_rejected_decisions_tell_the_candidate_and_the_constraints():
    space = constrained(small, parse_constraints(["products<=1", "not=exp"]))
    with pytest.raises(Rejected, match="breaks not=exp, products<=1") as caught:
        space.replay({"depth": 2, "act": "exp", "ends": "plain"})
    assert caught.value.candidate.decisions == {"depth": 2, "act": "exp", "ends": "plain"}
    assert caught.value.broken == ("not=exp", "products<=1")
    kept = {"depth": 1, "act": "tanh", "ends": "relu"}
    assert space.replay(kept).cell == small.replay(kept).cell


def test_random_search_finds_all_that_keep_the_constraints_once_and_ends():
    space = constrained(small, parse_constraints(["products<=2", "not=exp"]))
    strategy = RandomSearch(space, seed=0)
    found = []
    with pytest.raises(Exhausted, match="every candidate of the space 'small' has been proposed"):
        while True:
            found.append(strategy.ask().decisions)
    expected = [
        {"depth": depth, "act": act, "ends": ends}
        for depth in (1, 2)
        for act in ("tanh", "sigmoid")
        for ends in ("relu", "plain")
    ]
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_decisions_that_break_a_constraint_are_repaired_when_a_generator_is_given():
    space = constrained(small, parse_constraints(["not=exp"]))
    wanted = {"depth": 3, "act": "exp", "ends": "relu"}
    repaired = [space.replay(wanted, np.random.default_rng(seed)).decisions for seed in range(30)]
    assert all(decisions["act"] != "exp" for decisions in repaired)
    # Most of what was wanted is kept, and equal generators give equal repairs.
    assert sum(d["depth"] == 3 for d in repaired) > 15
    assert space.replay(wanted, np.random.default_rng(4)).decisions == repaired[4]
    fits = {"depth": 3, "act": "tanh", "ends": "relu"}
    assert space.replay(fits, np.random.default_rng(0)).decisions == fits


@pytest.mark.parametrize("name", ["gated", "nas_bench_nlp"])
def test_constraints_that_nothing_keeps_are_named(name):
    space = constrained(load_space(name), parse_constraints(["must=layer_norm", "products<=100000"]))
    with pytest.raises(
        SpaceError, match=rf"1,000 candidates in a row of the space '{name}' .*: must=layer_norm \(1,000"
    ):
        space.sample(0)


def test_the_constraint_that_was_broken_most_is_the_one_to_loosen():
    rejections = Rejections()
    candidate = small.sample(0)
    with pytest.raises(
        SpaceError, match=r"states<=1 \(1,000 times\), not=exp \(500 times\); loosen states<=1"
    ):
        for number in range(1000):
            rejections.add(
                Rejected("small", candidate, ["not=exp", "states<=1"] if number % 2 else ["states<=1"])
            )


def test_mutations_in_a_constrained_space_keep_the_constraints():
    limits = parse_constraints(["states<=2", "not=tanh"])
    space = constrained(load_space("nas_bench_nlp"), limits)
    rng = np.random.default_rng(0)
    cell, seen = space.sample(0).cell, set()
    for _ in range(40):
        cell = space.mutate(cell, rng)
        assert limits.broken(cell) == ()
        seen.add(cell.digest)
    assert len(seen) > 20


def test_a_space_on_cells_that_cannot_mutate_has_no_mutate_when_constrained():
    class Plain:
        plugin_kind = "space"
        name = "plain"
        doc = "The GRU and others."

        def sample(self, seed):
            return load_space("gated").sample(seed)

    space = constrained(Plain(), parse_constraints(["states<=1"]))
    assert not hasattr(space, "mutate")
    assert all(len(space.sample(seed).cell.states) == 1 for seed in range(10))


def test_identity_counts_for_words_and_not_for_costs():
    written = parse_cell("@cell\ndef w(x, h):\n    return identity(linear(x, h))\n")
    assert identity.name == "identity"
    assert parse_constraints(["must=identity", "operations<=0"]).broken(written) == ()


def test_constraints_are_errors_of_the_user():
    assert issubclass(Rejected, UserError)
