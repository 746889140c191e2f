"""The spaces on which strategies are checked."""

from __future__ import annotations

from nas_rnn.cells import linear
from nas_rnn.cells.graph.operations import relu, sigmoid, tanh
from nas_rnn.spaces import DecisionSpace, search_space
from nas_rnn.strategies import OneShot, Strategy


@search_space
def small_space(choose, x, h):  # type: ignore[no-untyped-def]
    """Have fewer candidates than are asked for, so that the end is seen too."""
    new = choose("activation", [relu, sigmoid, tanh])(linear(x, h))
    if choose("gated", ["no", "yes"]) == "no":
        return new
    for _ in range(choose("depth", range(1, 4))):
        new = sigmoid(linear(x, h)) * new
    return choose("last", [relu, tanh])(new)


@search_space
def small_chain(choose, x, h):  # type: ignore[no-untyped-def]
    """Have few candidates, all of which own the same weights: a chain space."""
    first = choose("first", [relu, sigmoid, tanh])(linear(x, h))
    return first + choose("second", [relu, sigmoid, tanh])(linear(choose("from", [first, h])))


def space_for(kind: type[Strategy]) -> DecisionSpace:
    """Return a space that a strategy of ``kind`` must be able to search: one-shot strategies need a chain space."""
    return small_chain if issubclass(kind, OneShot) else small_space
