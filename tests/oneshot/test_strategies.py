"""The one-shot strategies: what a supernet ranked comes first, then random cells; and which cells are most probable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas_rnn.errors import UserError
from nas_rnn.oneshot.deriving import derived, most_probable
from nas_rnn.plugins import load_space, registry
from nas_rnn.spaces import constrained, parse_constraints
from nas_rnn.spaces.chain import chain_of
from nas_rnn.strategies import Differentiable, Exhausted, WeightSharing
from nas_rnn.testing.strategies import check_strategy
from tests.oneshot.chains import leaves, two


@pytest.mark.parametrize(
    ("kind", "space"), [(WeightSharing, two), (WeightSharing, leaves), (Differentiable, two)]
)
def test_they_keep_the_rules_of_strategies(kind, space):
    assert check_strategy(kind, [space]) == []


def test_they_are_found_by_their_names():
    assert registry().find("strategy", "weight-sharing").value is WeightSharing
    assert registry().find("strategy", "differentiable").value is Differentiable


@pytest.mark.parametrize("kind", [WeightSharing, Differentiable])
def test_a_space_whose_cells_share_no_weights_is_refused(kind):
    with pytest.raises(UserError, match="'random', 'tpe' and 'evolution' search any space"):
        kind(load_space("gated"), 0)


def test_what_was_ranked_comes_first_and_no_cell_twice():
    best = [two.sample(seed).decisions for seed in (3, 5, 3, 7)]
    strategy = WeightSharing(two, 0)
    strategy.expect(two.sample(5))
    strategy.take(best)
    found = []
    with pytest.raises(Exhausted):
        while True:
            found.append(strategy.ask())
    assert [candidate.decisions for candidate in found[:2]] == [best[0], best[3]]
    digests = {candidate.digest for candidate in found} | {two.sample(5).digest}
    assert len(digests) == len(found) + 1


def test_combinations_come_by_their_probability_and_each_once():
    chain, rng = chain_of(two), np.random.default_rng(0)
    probabilities = [rng.dirichlet(np.ones(np.prod(node.shape))).reshape(node.shape) for node in chain.nodes]
    found = list(most_probable(chain, probabilities))
    values = [value for value, _ in found]
    assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1.0)
    assert len({tuple(decisions.items()) for _, decisions in found}) == 32
    expected = sorted(
        (
            float(np.prod([p[place] for p, place in zip(probabilities, places, strict=True)]))
            for places in itertools.product(*(np.ndindex(*node.shape) for node in chain.nodes))
        ),
        reverse=True,
    )
    assert values == pytest.approx(expected)


def test_the_best_that_keep_the_constraints_are_derived():
    chain = chain_of(two)
    narrow = constrained(two, parse_constraints(["lacks=relu"]))
    probabilities = [np.full(node.shape, 0.1) for node in chain.nodes]
    probabilities[0][1] = 0.7  # relu, which no candidate may have
    probabilities[0][2] = 0.2
    found = derived(narrow, chain, probabilities, 4)
    assert [candidate.decisions["b_act"] for _, candidate in found] == ["sigmoid"] * 4
    assert len({candidate.digest for _, candidate in found}) == 4
