"""Small spaces for the tests of strategies: of decisions, and of cells with and without mutation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nas_rnn.cells import Cell, linear
from nas_rnn.cells.graph.operations import identity, relu, sigmoid, tanh
from nas_rnn.spaces import Candidate, search_space


@search_space
def uneven(choose, x, h):
    """Five combinations: one branch asks a second question."""
    act = choose("act", [tanh, relu])
    if act is tanh:
        inner = choose("inner", [tanh, relu, sigmoid])
        return act(linear(x, inner(linear(h))))
    return act(linear(x, h) * choose("times", range(1, 3)))


@search_space
def alone(choose, x, h):
    """One candidate and no question."""
    return tanh(linear(x, h))


@search_space
def idle(choose, x, h):
    """Eight combinations, two cells."""
    choose("idle", range(2, 10, 2))
    return choose("act", [tanh, relu])(linear(x, h))


@search_space
def conditional(choose, x, h, c):
    """Ranges, and options that depend on an earlier answer."""
    kind = choose("kind", ["plain", "deep"])
    value = linear(x, h)
    for _ in range(
        choose("depth", range(5, 0, -2), given="plain")
        if kind == "plain"
        else choose("depth", range(2), given="deep")
    ):
        value = choose("act", [tanh, relu] if kind == "plain" else [sigmoid, identity], given=kind)(
            linear(value)
        )
    return (value, None) if choose("memory", ["no", "yes"]) == "no" else (value * c, c + value)


@search_space
def chain(choose, x, h):
    """Eight cells: what `Drawn` and `Mutable` hand out without their decisions."""
    value = linear(x, h)
    for place in range(3):
        value = choose(f"act{place}", [tanh, relu])(linear(value))
    return value


class Drawn:
    """Cells without decisions, which can only be drawn."""

    plugin_kind: ClassVar[str] = "space"
    name = "drawn"
    doc = ""

    def sample(self, seed: int | np.random.Generator) -> Candidate:
        return Candidate(chain.sample(seed).cell)


class Mutable(Drawn):
    """Cells without decisions, which can be drawn and mutated."""

    name = "mutable"

    def mutate(self, cell: Cell, rng: np.random.Generator) -> Cell:
        assert isinstance(cell, Cell)
        options = [[tanh, relu][bit] for bit in rng.integers(2, size=3)]
        names = iter(option.__name__ for option in options)
        return chain.build(lambda choice: next(names)).cell
