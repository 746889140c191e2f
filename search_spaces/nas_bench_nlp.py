"""The space of NAS-Bench-NLP (Klyuchnikov et al. 2020, arXiv:2006.07116, section 3), and its random generator.

A cell is a graph of at most 24 operations with one to three hidden states. It is drawn as the authors draw theirs: more
operations than needed are put one after another, each reading earlier ones; then some of them are made the next states,
what none of these needs is dropped, and a cell that breaks a rule is drawn again. The space works on cells, not on
decisions: most of what is drawn is dropped, so decisions would say little of what remains.
"""

from dataclasses import replace

import numpy as np

from nas_rnn import UserError
from nas_rnn.spaces import Candidate, cell_from_recipe, recipe_from_cell
from nas_rnn.spaces.recipe_mutations import ACTIVATIONS, CHANGES, INPUTS, mutate_recipe, without_dead

MAX_NODES = 24
STATES = (1, 2, 3)
DRAWN = (7, 14, 21)  # how many operations are drawn beside the states, as in the authors' example of use
WEIGHTS = {"linear": 3 / 6, "blend": 1 / 6, "elementwise_prod": 1 / 6, "elementwise_sum": 1 / 6}
LINEAR_INPUTS = {2: 4 / 5, 3: 1 / 5}
MAX_TRIES = 100_000
TRIES_OF_A_KIND = 20  # so that kinds of change that often break rules are not rare


def broken_rules(recipe):
    """Return the rules of the space that a recipe breaks, as texts."""
    states = [key for key in recipe if key.startswith("h_new_")]
    previous = {key.replace("new", "prev") for key in states}
    read = {value for node in recipe.values() for value in node["input"]}
    checks = {
        f"at most {MAX_NODES} operations": len(recipe) <= MAX_NODES,
        f"{STATES[0]} to {STATES[-1]} hidden states": len(states) in STATES,
        "the input and every state are read": {"x", *previous} <= read,
        "a next state does not read a previous state": all(
            previous.isdisjoint(recipe[key]["input"]) for key in states
        ),
        "each operation reads what it may": all(
            _reads_well(recipe, node, previous) for node in recipe.values()
        ),
    }
    return [rule for rule, kept in checks.items() if not kept]


def _reads_well(recipe, node, previous):
    """Whether a node reads what the generator offers it: linear reads x, states and activations; activations read
    linear; the others read states and any operation, but not x."""
    reads, word = node["input"], node["op"]
    if word in ACTIVATIONS:
        return len(reads) == 1 and reads[0] in recipe and recipe[reads[0]]["op"] == "linear"
    if len(set(reads)) != len(reads):
        return False
    if word == "linear":
        offered = {"x", *previous, *(key for key, other in recipe.items() if other["op"] in ACTIVATIONS)}
        return len(reads) in LINEAR_INPUTS and offered.issuperset(reads)
    return len(reads) == INPUTS[word] and "x" not in reads


def draw_recipe(rng):
    """Draw a recipe that may break rules."""
    states = int(rng.choice(STATES))
    total = states + int(rng.choice(DRAWN))
    previous = [f"h_prev_{number}" for number in range(states)]
    recipe, activations = {}, []
    while len(recipe) < total:
        word = str(rng.choice(list(WEIGHTS), p=list(WEIGHTS.values())))
        name = f"node_{len(recipe)}"
        if word == "linear":
            wanted = int(rng.choice(list(LINEAR_INPUTS), p=list(LINEAR_INPUTS.values())))
            offered = ["x", *previous, *activations]
            recipe[name] = {"op": word, "input": _some(offered, min(wanted, len(offered)), rng)}
            activations.append(f"node_{len(recipe)}")
            recipe[activations[-1]] = {"op": str(rng.choice(ACTIVATIONS)), "input": [name]}
        elif INPUTS[word] <= states + len(recipe):
            recipe[name] = {"op": word, "input": _some([*previous, *recipe], INPUTS[word], rng)}
    new = {name: f"h_new_{number}" for number, name in enumerate(_some(list(recipe), states, rng))}
    named = {
        new.get(name, name): {"op": node["op"], "input": [new.get(read, read) for read in node["input"]]}
        for name, node in recipe.items()
    }
    return without_dead(named)


def _some(options, count, rng):
    return [options[i] for i in rng.choice(len(options), count, replace=False)]


def _cell(recipe):
    cell = cell_from_recipe(recipe)
    return replace(cell, name=f"nas_bench_nlp_{cell.digest.rpartition('-')[2][:6]}")


class NasBenchNlp:
    """The space; strategies sample from it and mutate what they sampled."""

    plugin_kind = "space"
    name = "nas_bench_nlp"
    doc = "Random graphs of linear, blend, product, sum and activations, with up to three states (NAS-Bench-NLP)."

    def sample(self, seed):
        """Return a random candidate; equal seeds give equal candidates."""
        rng = np.random.default_rng(seed)
        for _ in range(MAX_TRIES):
            recipe = draw_recipe(rng)
            if not broken_rules(recipe):
                return Candidate(_cell(recipe))
        raise AssertionError(f"{MAX_TRIES} draws broke the rules of nas_bench_nlp")

    def mutate(self, cell, rng):
        """Return a neighbour of ``cell``: one change of its recipe; `UserError` where it has no recipe."""
        recipe = recipe_from_cell(cell)
        for attempt in range(MAX_TRIES):
            if attempt % TRIES_OF_A_KIND == 0:
                change = CHANGES[int(rng.integers(len(CHANGES)))]
            changed = mutate_recipe(recipe, change, rng)
            if not broken_rules(changed) and (neighbour := _cell(changed)).digest != cell.digest:
                return neighbour
        raise UserError(f"no single change makes {cell.name!r} another cell of nas_bench_nlp")


nas_bench_nlp = NasBenchNlp()
