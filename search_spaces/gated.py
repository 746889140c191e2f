"""The cells between the vanilla RNN, the GRU and the LSTM: which gates there are, what they read, what they guard."""

from nas_rnn import (
    blend,
    diagonal,
    identity,
    leaky_relu,
    linear,
    relu,
    search_space,
    sigmoid,
    softplus,
    tanh,
)


@search_space
def gated(choose, x, h, c):
    """Gated cells: candidate activation, gates and what they read, coupling, peepholes, update, exposure."""
    memory = choose("memory", ["none", "hidden", "cell"])
    peepholes = memory == "cell" and choose("peepholes", ["no", "yes"]) == "yes"

    def gate(name, peep=None, bias=0.0):
        reads = choose(f"{name}_reads", ["x and h", "x", "h"])
        inputs = {"x and h": (x, h), "x": (x,), "h": (h,)}[reads]
        before = linear(*inputs, bias=bias)
        return sigmoid(before + diagonal(peep) if peepholes else before)

    # The candidate: what may enter the memory.
    activation = choose("candidate", [tanh, relu, leaky_relu, softplus, sigmoid, identity])
    reset = choose("reset", ["none", "before", "after"])
    if reset == "none":
        g = activation(linear(x, h))
    else:
        r = gate("reset", c)
        g = activation(linear(x, r * h) if reset == "before" else linear(x) + r * linear(h))
    if memory == "none":
        return g, None

    # The memory: the output itself, as in the GRU, or a cell-state path of its own, as in the LSTM.
    old = c if memory == "cell" else h
    update = choose("update", ["input and forget", "input", "forget", "1 - input", "1 - forget"])
    if update == "input and forget":
        i, f = gate("input", c), gate("forget", c, bias=1.0)
        new = f * old + i * g
    elif update == "input":
        i = gate("input", c)
        new = old + i * g
    elif update == "forget":
        f = gate("forget", c, bias=1.0)
        new = f * old + g
    elif update == "1 - input":
        i = gate("input", c)
        new = (1 - i) * old + i * g
    else:
        f = gate("forget", c)
        new = blend(f, old, g)
    if memory == "hidden":
        return new, None

    exposed = choose("exposed", [tanh, relu, identity])(new)
    if choose("output_gate", ["yes", "no"]) == "yes":
        o = gate("output", new)
        exposed = o * exposed
    return exposed, new
