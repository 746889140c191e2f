"""Small chain spaces for the tests of one-shot search."""

from __future__ import annotations

from nas_rnn.cells import diagonal, layer_norm, linear, scalar, state, vector
from nas_rnn.cells.graph.operations import identity, relu, sigmoid, tanh
from nas_rnn.spaces import search_space

ACTIVATIONS = [tanh, relu, sigmoid, identity]
BELOW = state(init=-1.0)


@search_space
def two(choose, x, h):
    """Two nodes of DARTS: 4 * 2 * 4 candidates."""
    a = tanh(linear(x, h))
    act = choose("b_act", ACTIVATIONS)
    b = a + sigmoid(linear(a, bias=None)) * (act(linear(a, bias=None)) - a)
    source = {"a": a, "b": b}[choose("c_from", ["a", "b"])]
    act = choose("c_act", ACTIVATIONS)
    c = source + sigmoid(linear(source, bias=None)) * (act(linear(source, bias=None)) - source)
    return (b + c) / 2


@search_space
def everything(choose, x, h, c, m=BELOW):
    """Every kind of owner, several state paths, and a linear of two arguments that is no choice."""
    before = {"h": h, "c": c, "m": m}
    a = layer_norm(linear(x, h, bias=0.5)) + vector(0.1)
    source = before[choose("b_from", list(before))]
    act = choose("b_act", [tanh, relu, sigmoid])
    b = layer_norm(act(linear(source, heads=2)) + diagonal(source), a) * scalar(0.7)
    s = {**before, "a": a, "b": b}[choose("d_from", ["a", "b", "c"])]
    d = choose("d_act", [tanh, identity])(linear(s)) + a
    return tanh(d), c + sigmoid(b), (m + d) / 2


@search_space
def leaves(choose, x, h):
    """As ENAS: the mean of the nodes that feed none, so the number of values differs."""
    a = tanh(linear(x, h))
    b = choose("b_act", ACTIVATIONS)(linear(a))
    source = choose("c_from", ["a", "b"])
    c = tanh(linear({"a": a, "b": b}[source]))
    return c if source == "b" else (b + c) / 2


@search_space
def tangled(choose, x, h, c):
    """Weights are shared, but no one value has all that the choice decides."""
    a = tanh(linear(x, h))
    source = {"a": a, "c": c}[choose("b_from", ["a", "c"])]
    b = tanh(linear(source))
    return b, c + source * a


@search_space
def unequal(choose, x, h):
    """Candidates of one linear, or of two: no chain space."""
    a = tanh(linear(x, h))
    return a if choose("deep", ["no", "yes"]) == "no" else tanh(linear(a))
