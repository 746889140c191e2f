"""The tree of Zoph & Le 2017 (arXiv:1611.01578, section 3.4 and appendix A), base number 8.

Eight leaves combine a product of x with a product of h; four nodes, then two, then one combine the two below each.
Every node has a combination (sum or elementwise product) and an activation. The cell state c is combined into the value
of one node, and its next value is what another node has before its activation ("cell inject", "cell indices").
"""

from nas_rnn import identity, linear, relu, search_space, sigmoid, tanh

ACTIVATIONS = [identity, tanh, sigmoid, relu]
COMBINATIONS = ["add", "multiply"]
NODES = [*(f"leaf{i}" for i in range(8)), *(f"pair{i}" for i in range(4)), "quad0", "quad1", "root"]


@search_space
def nas_cell(choose, x, h, c):
    """Zoph and Le's tree of 15 nodes over products of x and of h, with a cell state put in and read out."""
    inject, read = choose("inject", NODES), choose("read", NODES)
    plain = {}

    def activated(name, value):
        """Return what the node hands on, with the cell state in it where the space says so."""
        plain[name] = value
        value = choose(f"{name}_act", ACTIVATIONS)(value)
        if name != inject:
            return value
        adds = choose("inject_combine", COMBINATIONS) == "add"
        return choose("inject_act", ACTIVATIONS)(value + c if adds else value * c)

    def leaf(number):
        name = f"leaf{number}"
        if choose(f"{name}_combine", COMBINATIONS) == "add":
            return activated(name, linear(x, h, bias=None))
        return activated(name, linear(x, bias=None) * linear(h, bias=None))

    def node(name, a, b):
        return activated(name, a + b if choose(f"{name}_combine", COMBINATIONS) == "add" else a * b)

    pair0 = node("pair0", leaf(0), leaf(1))
    pair1 = node("pair1", leaf(2), leaf(3))
    pair2 = node("pair2", leaf(4), leaf(5))
    pair3 = node("pair3", leaf(6), leaf(7))
    quad0 = node("quad0", pair0, pair1)
    quad1 = node("quad1", pair2, pair3)
    h = node("root", quad0, quad1)
    return h, plain[read]
