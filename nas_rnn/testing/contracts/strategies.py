"""The space on which a strategy is checked."""

from __future__ import annotations

from nas_rnn.cells import linear
from nas_rnn.cells.operations import relu, sigmoid, tanh
from nas_rnn.spaces import search_space


@search_space
def small_space(choose, x, h):  # type: ignore[no-untyped-def]
    """Have fewer candidates than are asked for, so that the end is seen too."""
    new = choose("activation", [relu, sigmoid, tanh])(linear(x, h))
    if choose("gated", ["no", "yes"]) == "no":
        return new
    for _ in range(choose("depth", range(1, 4))):
        new = sigmoid(linear(x, h)) * new
    return choose("last", [relu, tanh])(new)
