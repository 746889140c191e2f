"""Cells that train in parallel over time: each state is updated as s' = a * s + b, where a and b know the input alone.

Such recurrences are scans (Blelloch 1990, "Prefix sums and their applications", section 1.4), and all products are with
the input, so that they are computed for whole sequences at once. minGRU and minLSTM (Feng et al. 2024,
arXiv:2410.01201) are points of this space; QRNN (Bradbury et al. 2017, arXiv:1611.01576), SRU (Lei et al. 2018,
arXiv:1709.02755) without its peepholes and RG-LRU (De et al. 2024, arXiv:2402.19427) are near others.
"""

from nas_rnn import (
    exp,
    identity,
    layer_norm,
    linear,
    log_sigmoid,
    project,
    relu,
    search_space,
    sigmoid,
    sqrt,
    state,
    tanh,
    vector,
)


@search_space
def linear_recurrence(choose, x, h, c, d, last=state(size="input")):
    """Linear recurrences, which are scans: decay, what enters, one memory or two, and what is made of them."""
    window = choose("reads", ["x", "x and the last x"])
    inputs = (x,) if window == "x" else (last, x)

    def gate(bias=0.0):
        return sigmoid(linear(*inputs, bias=bias))

    def remembered(name, old):
        """Return the next value of a memory."""
        g = choose(f"{name}_candidate", [identity, tanh, relu, sigmoid])(linear(*inputs))
        decay = choose(
            f"{name}_decay", ["forget gate", "1 - input gate", "two gates that sum to 1", "learned", "RG-LRU"]
        )
        if decay == "1 - input gate":
            i = gate()
            return (1 - i) * old + i * g
        if decay == "two gates that sum to 1":
            f, i = gate(), gate()
            return f / (f + i) * old + i / (f + i) * g
        if decay == "RG-LRU":
            r, i = gate(), gate()
            a = exp(8 * r * log_sigmoid(vector(5.0)))
            return a * old + sqrt(1 - a * a) * (i * g)
        f = gate(bias=1.0) if decay == "forget gate" else sigmoid(vector(3.0))
        enters = choose(f"{name}_enters", ["all", "input gate", "1 - forget"])
        if enters == "all":
            return f * old + g
        return f * old + (gate() if enters == "input gate" else 1 - f) * g

    kept = x if window == "x and the last x" else None
    memories = choose("memories", ["the output", "one", "two"])
    if memories == "the output":
        return remembered("memory", h), None, None, kept

    memory = remembered("memory", c)
    second = remembered("second", d) if memories == "two" else None
    value = memory
    if second is not None:
        value = memory + second if choose("both", ["sum", "product"]) == "sum" else memory * second
    value = choose("exposed", [identity, tanh, relu])(value)
    if choose("output_gate", ["yes", "no"]) == "yes":
        value = gate() * value
    shortcut = choose("shortcut", ["none", "sum", "highway"])
    if shortcut == "sum":
        value = value + project(x)
    elif shortcut == "highway":
        r = gate()
        value = r * value + (1 - r) * project(x)
    if choose("norm", ["no", "yes"]) == "yes":
        value = layer_norm(value)
    return value, memory, second, kept
