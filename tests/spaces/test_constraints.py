"""Constraints: what they count, how they are written, and spaces that keep them."""

import numpy as np
import pytest

from nas_rnn.cells import linear, parse_cell
from nas_rnn.cells.graph.operations import exp, identity, relu, sigmoid, tanh
from nas_rnn.errors import UserError
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import (
    Constraints,
    DecisionSpace,
    Infeasible,
    Rejected,
    Rejections,
    SpaceError,
    constrained,
    parse_constraints,
    search_space,
)
from nas_rnn.strategies import Exhausted, RandomSearch
from nas_rnn.testing import check_space


@search_space
def small(choose, x, h):
    """Eighteen candidates: one to three products one after another, each with an activation."""
    value = linear(x, h)
    for number in range(choose("depth", range(1, 4))):
        value = linear(value) if number else value
        value = choose("act", [tanh, exp, sigmoid])(value)
    return relu(value) if choose("ends", ["relu", "plain"]) == "relu" else value


def test_constraints_are_read_from_texts_and_print_so():
    texts = ["products<=4", " operations <= 20", "levels<=2", "states<=2", "parameters<=70000", "contains=layer_norm",
             "contains=tanh", "lacks=exp"]  # fmt: skip
    found = parse_constraints(texts)
    assert found == Constraints(
        max_products=4,
        max_operations=20,
        max_levels=2,
        max_states=2,
        max_parameters=70_000,
        contains=("layer_norm", "tanh"),
        lacks=("exp",),
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
        (["products"], "a constraint reads products<=4, contains=layer_norm or lacks=exp, not 'products'"),
        (["products<=4", "products<=5"], "products is bounded twice, by 4 and by 5"),
        (["contains=layernorm"], "unknown operation 'layernorm' in a constraint; did you mean 'layer_norm'"),
        (["lacks=sigmoidd"], "did you mean 'sigmoid'"),
        (["contains<=tanh"], "contains=tanh demands an operation, lacks=tanh forbids it"),
        (["contains=exp", "lacks=exp"], "constraints demand and forbid exp"),
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


# The LSTM: one product of h for each of four gates, 3 sigmoids, 2 tanh, 3 products and 1 sum of units, one level;
# 4 * 128 * (64 + 128 + 1) parameters.
@pytest.mark.parametrize(
    ("name", "value"),
    [("products", 4), ("operations", 9), ("levels", 1), ("states", 2), ("parameters", 98_816)],
)
def test_a_bound_is_broken_from_one_more_on(name, value):
    lstm = load_cell("lstm")
    assert parse_constraints([f"{name}<={value}"]).broken(lstm) == ()
    assert parse_constraints([f"{name}<={value - 1}"]).broken(lstm) == (f"{name}<={value - 1}",)


def test_normalisations_are_operations_and_heads_do_not_hinder_the_count():
    normed = parse_cell(
        "@cell\ndef n(x, h):\n    return tanh(layer_norm(linear(x, h, heads=3)) + linear(h, heads=4))\n"
    )
    assert parse_constraints(["operations<=3", "products<=2"]).broken(normed) == ()
    assert parse_constraints(["operations<=2", "products<=1"]).broken(normed) == (
        "products<=1",
        "operations<=2",
    )


def test_parameters_are_counted_at_sizes_that_heads_divide():
    """At 66 inputs and 129 units, the next multiples of 3 after 64 and 128."""
    split = parse_cell("@cell\ndef s(x, h):\n    return tanh(linear(x, h, bias=None, heads=3))\n")
    assert parse_constraints([f"parameters<={129 * (66 + 129) // 3}"]).broken(split) == ()
    assert parse_constraints([f"parameters<={129 * (66 + 129) // 3 - 1}"]).broken(split) != ()


def test_a_learned_vector_is_a_word():
    assert parse_constraints(["contains=vector", "lacks=scalar"]).broken(load_cell("fastgrnn")) == (
        "lacks=scalar",
    )


def test_words_are_those_of_the_equations_that_a_next_state_needs():
    written = parse_cell(
        "@cell\ndef w(x, h):\n    dead = exp(h)\n    return blend(sigmoid(linear(x, h)), h, tanh(h))\n"
    )
    texts = [
        "contains=blend",
        "contains=linear",
        "contains=sigmoid",
        "lacks=exp",
        "lacks=diagonal",
        "lacks=vector",
        "lacks=layer_norm",
    ]
    assert parse_constraints(texts).broken(written) == ()
    assert parse_constraints(["contains=exp", "lacks=blend", "lacks=linear"]).broken(written) == (
        "contains=exp",
        "lacks=blend",
        "lacks=linear",
    )


@pytest.mark.parametrize("name", ["gated", "enas", "nas_bench_nlp"])
def test_every_candidate_of_a_constrained_space_keeps_the_constraints_and_the_contract(name):
    limits = Constraints(max_products=26, max_levels=9, contains=("sigmoid",), max_parameters=420_000)
    space = constrained(load_space(name), limits)
    assert isinstance(space, DecisionSpace) == isinstance(load_space(name), DecisionSpace)
    assert space.name == name and space.doc == load_space(name).doc
    assert check_space(space, samples=12) == []
    for seed in range(20):
        assert limits.broken(space.sample(seed).cell) == ()


def test_without_constraints_the_space_stays_what_it_is():
    assert constrained(small, Constraints()) is small


def test_rejected_decisions_tell_the_candidate_and_the_constraints():
    space = constrained(small, parse_constraints(["products<=1", "lacks=exp"]))
    with pytest.raises(Rejected, match="breaks lacks=exp, products<=1") as caught:
        space.replay({"depth": 2, "act": "exp", "ends": "plain"})
    assert caught.value.candidate.decisions == {"depth": 2, "act": "exp", "ends": "plain"}
    assert caught.value.broken == ("lacks=exp", "products<=1")
    kept = {"depth": 1, "act": "tanh", "ends": "relu"}
    assert space.replay(kept).cell == small.replay(kept).cell


def test_random_search_finds_all_that_keep_the_constraints_once_and_ends():
    space = constrained(small, parse_constraints(["products<=2", "lacks=exp"]))
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
    space = constrained(small, parse_constraints(["lacks=exp"]))
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
    space = constrained(load_space(name), parse_constraints(["contains=layer_norm", "products<=100000"]))
    with pytest.raises(
        Infeasible, match=rf"1,000 candidates in a row of the space '{name}' .*: contains=layer_norm \(1,000"
    ):
        space.sample(0)


def test_the_constraint_that_was_broken_most_is_the_one_to_loosen():
    rejections = Rejections()
    candidate = small.sample(0)
    with pytest.raises(
        SpaceError, match=r"states<=1 \(1,000 times\), lacks=exp \(500 times\); loosen states<=1"
    ):
        for number in range(1000):
            rejections.add(
                Rejected("small", candidate, ["lacks=exp", "states<=1"] if number % 2 else ["states<=1"])
            )


def test_mutations_in_a_constrained_space_keep_the_constraints():
    limits = parse_constraints(["states<=2", "lacks=tanh"])
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
    assert parse_constraints(["contains=identity", "operations<=0"]).broken(written) == ()


def test_constraints_are_errors_of_the_user():
    assert issubclass(Rejected, UserError)
