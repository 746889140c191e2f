"""The random graphs of NAS-Bench-NLP: the generator's rules, and walks by mutation that keep them."""

import sys
from collections import Counter

import numpy as np
import pytest

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import MutableSpace, cell_from_recipe, recipe_from_cell
from nas_rnn.spaces.recipe_mutations import CHANGES, mutate_recipe

SPACE = load_space("nas_bench_nlp")
broken_rules = sys.modules[type(SPACE).__module__].broken_rules

SIMPLE = {
    "a": {"op": "linear", "input": ["x", "h_prev_0"]},
    "h_new_0": {"op": "activation_tanh", "input": ["a"]},
}


def test_samples_keep_the_rules_and_use_the_whole_space():
    recipes = [recipe_from_cell(SPACE.sample(seed).cell) for seed in range(150)]
    assert not [broken_rules(recipe) for recipe in recipes if broken_rules(recipe)]
    words = Counter(node["op"] for recipe in recipes for node in recipe.values())
    assert set(words) == {
        "linear",
        "blend",
        "elementwise_prod",
        "elementwise_sum",
        "activation_tanh",
        "activation_sigm",
        "activation_leaky_relu",
    }
    widths = Counter(len(node["input"]) for r in recipes for node in r.values() if node["op"] == "linear")
    assert 0.1 < widths[3] / (widths[2] + widths[3]) < 0.35 and set(widths) == {2, 3}
    assert {len(SPACE.sample(seed).cell.states) for seed in range(60)} == {1, 2, 3}
    assert max(map(len, recipes)) > 12


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (
            {"h_new_0": {"op": "activation_tanh", "input": ["h_prev_0"]}},
            "a next state does not read a previous state",
        ),
        ({"a": {"op": "linear", "input": ["x"]}}, "the input and every state are read"),
        ({"a": {"op": "linear", "input": ["x", "x"]}}, "each operation reads what it may"),
        ({"h_new_0": {"op": "elementwise_sum", "input": ["a", "x"]}}, "each operation reads what it may"),
        ({f"h_new_{n}": SIMPLE["h_new_0"] for n in range(4)}, "1 to 3 hidden states"),
        ({f"n{n}": SIMPLE["h_new_0"] for n in range(23)}, "at most 24 operations"),
        (
            {
                "b": {"op": "linear", "input": ["a", "x"]},
                "h_new_0": {"op": "activation_tanh", "input": ["b"]},
            },
            "each operation reads what it may",  # linear reads activations, not linear
        ),
    ],
)
def test_each_rule_is_told_when_it_is_broken(changes, rule):
    assert broken_rules(SIMPLE) == []
    assert rule in broken_rules({**SIMPLE, **changes})


def test_a_walk_by_mutation_stays_in_the_space_and_gets_far():
    assert isinstance(SPACE, MutableSpace)
    rng = np.random.default_rng(0)
    cell = cell_from_recipe(SIMPLE)
    seen, sizes, states = set(), set(), set()
    for _ in range(80):
        changed = SPACE.mutate(cell, rng)
        assert changed.digest != cell.digest
        cell = changed
        assert broken_rules(recipe_from_cell(cell)) == []
        seen.add(cell.digest)
        sizes.add(len(recipe_from_cell(cell)))
        states.add(len(cell.states))
    assert len(seen) > 40 and max(sizes) >= 8 and len(states) > 1


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_kind_of_change_gives_other_cells_of_the_space(change):
    rng = np.random.default_rng(1)
    changed = 0
    for seed in range(40):
        recipe = recipe_from_cell(SPACE.sample(seed).cell)
        before = cell_from_recipe(recipe).digest
        for _ in range(5):
            other = mutate_recipe(recipe, change, rng)
            changed += not broken_rules(other) and cell_from_recipe(other).digest != before
        assert cell_from_recipe(recipe).digest == before  # a copy was changed
    assert changed >= 10


def test_a_cell_that_is_no_recipe_cannot_be_mutated():
    with pytest.raises(UserError, match=r"'lstm' cannot be written as a recipe:\n.*bias that starts at 0"):
        SPACE.mutate(load_cell("lstm"), np.random.default_rng(0))
