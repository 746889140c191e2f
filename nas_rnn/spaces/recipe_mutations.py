"""Small changes to recipes of NAS-Bench-NLP, by which evolution walks from one to the next.

Each changes a recipe in place, and may do nothing or leave one that breaks rules or has dead nodes: `mutate_recipe`
drops these, and who calls it tries again until the rules of the space are kept.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nas_rnn.spaces.recipes import Recipe

ACTIVATIONS = ("activation_tanh", "activation_sigm", "activation_leaky_relu")
INPUTS = {"blend": 3, "elementwise_prod": 2, "elementwise_sum": 2}


Change = Callable[[Recipe, np.random.Generator], None]


def mutate_recipe(recipe: Recipe, change: Change, rng: np.random.Generator) -> Recipe:
    """Return a copy of ``recipe`` with one change, one of `CHANGES`, and without dead nodes."""
    changed = copy.deepcopy(recipe)
    change(changed, rng)
    return without_dead(changed)


def without_dead(recipe: Recipe) -> Recipe:
    """Return ``recipe`` without the nodes that no next state needs."""
    needed: set[str] = set()
    stack = [key for key in recipe if key.startswith("h_new_")]
    while stack:
        key = stack.pop()
        if key in recipe and key not in needed:
            needed.add(key)
            stack.extend(recipe[key]["input"])
    return {key: node for key, node in recipe.items() if key in needed}


def leaves(recipe: Mapping[str, object]) -> list[str]:
    """Return what a recipe's nodes may read beside each other: the input and the previous states."""
    return ["x", *(key.replace("new", "prev") for key in sorted(recipe) if key.startswith("h_new_"))]


def change_activation(recipe: Recipe, rng: np.random.Generator) -> None:
    """Make an activation another one."""
    keys = [key for key, node in recipe.items() if node["op"] in ACTIVATIONS]
    if keys:
        node = recipe[_any(keys, rng)]
        node["op"] = _any([word for word in ACTIVATIONS if word != node["op"]], rng)


def change_elementwise(recipe: Recipe, rng: np.random.Generator) -> None:
    """Make a sum, a product or a blend another of these, with an input more or less where it takes one."""
    keys = [key for key, node in recipe.items() if node["op"] in INPUTS]
    if keys:
        key = _any(keys, rng)
        node = recipe[key]
        node["op"] = _any([word for word in INPUTS if word != node["op"]], rng)
        _resize(recipe, key, INPUTS[node["op"]], rng)


def change_width(recipe: Recipe, rng: np.random.Generator) -> None:
    """Give a linear an input more or one less."""
    keys = [key for key, node in recipe.items() if node["op"] == "linear"]
    if keys:
        key = _any(keys, rng)
        _resize(recipe, key, len(recipe[key]["input"]) + (1 if rng.random() < 0.5 else -1), rng)


def rewire(recipe: Recipe, rng: np.random.Generator) -> None:
    """Let a node read another value in one of its inputs."""
    key = _any(list(recipe), rng)
    node = recipe[key]
    open_values = _readable(recipe, key)
    if open_values:
        node["input"][int(rng.integers(len(node["input"])))] = _any(open_values, rng)


def grow(recipe: Recipe, rng: np.random.Generator) -> None:
    """Put a new operation between a node and one of its inputs: a linear with its activation, or an elementwise one."""
    reader = _any([key for key, node in recipe.items() if node["op"] not in ACTIVATIONS] or list(recipe), rng)
    place = int(rng.integers(len(recipe[reader]["input"])))
    word = _any(["linear", *INPUTS], rng)
    name = _free(recipe)
    recipe[name] = {"op": word, "input": [recipe[reader]["input"][place]]}
    if word == "linear":
        last = _free(recipe)
        recipe[last] = {"op": _any(ACTIVATIONS, rng), "input": [name]}
    else:
        last = name
    recipe[reader]["input"][place] = last
    _resize(recipe, name, INPUTS.get(word, 2), rng)


def shrink(recipe: Recipe, rng: np.random.Generator) -> None:
    """Take a node out: what read it reads one of its inputs instead, past the linear of an activation."""
    keys = [key for key in recipe if not key.startswith("h_new_")]
    if keys:
        key = _any(keys, rng)
        source = _any(recipe[key]["input"], rng)
        if recipe[key]["op"] in ACTIVATIONS and source in recipe:
            source = _any(recipe[source]["input"], rng)
        _replace(recipe, key, source)


def move_state(recipe: Recipe, rng: np.random.Generator) -> None:
    """Make another node a next state in place of one that is; its old node stays as an ordinary one."""
    state = _any([key for key in recipe if key.startswith("h_new_")], rng)
    other = _any(list(recipe), rng)
    swap = {state: other, other: state}
    renamed = {swap.get(key, key): node for key, node in recipe.items()}
    recipe.clear()
    recipe.update(renamed)
    for node in recipe.values():
        node["input"] = [swap.get(read, read) for read in node["input"]]


def add_state(recipe: Recipe, rng: np.random.Generator) -> None:
    """Make an ordinary node the next state of a new path, and let some node read the new path."""
    keys = [key for key in recipe if not key.startswith("h_new_")]
    if keys:
        number = len(leaves(recipe)) - 1
        old = _any(keys, rng)
        recipe[f"h_new_{number}"] = recipe.pop(old)
        _replace(recipe, old, f"h_new_{number}")
        node = recipe[_any([key for key, node in recipe.items() if node["op"] not in ACTIVATIONS], rng)]
        node["input"][int(rng.integers(len(node["input"])))] = f"h_prev_{number}"


def drop_state(recipe: Recipe, rng: np.random.Generator) -> None:
    """Make the last path's next state an ordinary node; what read the path reads another leaf."""
    number = len(leaves(recipe)) - 2
    if number > 0:
        name = _free(recipe)
        recipe[name] = recipe.pop(f"h_new_{number}")
        _replace(recipe, f"h_new_{number}", name)
        _replace(recipe, f"h_prev_{number}", _any(leaves(recipe)[1:], rng))


CHANGES: tuple[Change, ...] = (
    change_activation,
    change_elementwise,
    change_width,
    rewire,
    grow,
    shrink,
    move_state,
    add_state,
    drop_state,
)


def _resize(recipe: Recipe, key: str, size: int, rng: np.random.Generator) -> None:
    """Drop inputs of a node, or add some that it does not read yet, until it has ``size`` of them or none is left."""
    reads = recipe[key]["input"]
    while len(reads) > max(size, 1):
        del reads[int(rng.integers(len(reads)))]
    while len(reads) < size and (values := _readable(recipe, key)):
        reads.append(_any(values, rng))


def _readable(recipe: Recipe, key: str) -> list[str]:
    """Return the values that node ``key`` could read and does not: leaves, and nodes that do not depend on it."""
    later = {key}
    grown = True
    while grown:
        above = {name for name, node in recipe.items() if not later.isdisjoint(node["input"])}
        grown = not above <= later
        later |= above
    return [
        name for name in [*leaves(recipe), *recipe] if name not in later and name not in recipe[key]["input"]
    ]


def _replace(recipe: Recipe, old: str, new: str) -> None:
    for node in recipe.values():
        node["input"] = [new if read == old else read for read in node["input"]]


def _free(recipe: Recipe) -> str:
    number = len(recipe)
    while f"node_{number}" in recipe:
        number += 1
    return f"node_{number}"


def _any(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
