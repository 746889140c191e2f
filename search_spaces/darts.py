"""The recurrent cells of DARTS (Liu, Simonyan & Yang 2019, arXiv:1806.09055) and ENAS (Pham et al. 2018,
arXiv:1802.03268).

Each node picks an earlier node and an activation, and a highway gate mixes the two:
s = s' + sigmoid(c) * (act(h) - s'), where c and h are linear in s' (in the first node, in x and the previous state) and
have no bias, as in the authors' programs.
"""

from nas_rnn import identity, linear, relu, search_space, sigmoid, tanh

ACTIVATIONS = [tanh, relu, sigmoid, identity]


def highway(previous, act, *inputs):
    """Return ``previous``, moved towards the activation of ``inputs`` (or of itself) as far as a gate is open."""
    inputs = inputs or (previous,)
    gate = sigmoid(linear(*inputs, bias=None))
    return previous + gate * (act(linear(*inputs, bias=None)) - previous)


def mean(values):
    """Return the average of ``values``."""
    total, *rest = values
    for value in rest:
        total = total + value
    return total / len(values) if rest else total


def fed(choose, name, nodes):
    """Return the node ``name``, fed by one of ``nodes``."""
    source = nodes[choose(f"{name}_from", list(nodes))]
    return highway(source, choose(f"{name}_act", ACTIVATIONS))


@search_space
def darts(choose, x, h):
    """The recurrent cell of DARTS: 8 nodes, each fed by one earlier node through a highway gate, and their mean."""
    s0 = highway(h, tanh, x, h)
    nodes = {"s0": s0}
    for number in range(1, 9):
        s = fed(choose, f"s{number}", nodes)
        nodes[f"s{number}"] = s
    return mean(list(nodes.values())[1:])  # without s0


@search_space
def darts12(choose, x, h):
    """The recurrent cell of DARTS with 12 nodes, as many as ENAS has."""
    s0 = highway(h, tanh, x, h)
    nodes = {"s0": s0}
    for number in range(1, 13):
        s = fed(choose, f"s{number}", nodes)
        nodes[f"s{number}"] = s
    return mean(list(nodes.values())[1:])


@search_space
def enas(choose, x, h):
    """The recurrent cell of ENAS: 12 nodes, each fed by one earlier node, and the mean of those that feed none."""
    s = highway(h, choose("s1_act", ACTIVATIONS), x, h)
    nodes, feeding = {"s1": s}, set()
    for number in range(2, 13):
        source = choose(f"s{number}_from", list(nodes))
        feeding.add(source)
        s = highway(nodes[source], choose(f"s{number}_act", ACTIVATIONS))
        nodes[f"s{number}"] = s
    return mean([value for name, value in nodes.items() if name not in feeding])
