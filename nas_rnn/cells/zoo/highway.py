"""Recurrent highway networks (Zilly et al. 2017), "Recurrent highway networks", arXiv:1607.03474, equations 6-9.

The carry gate is one minus the transform gate, as in the paper's experiments. x enters the first layer of a step
alone. The transform gates' biases start at -2 (the paper's choice for Penn Treebank).
"""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear

FAMILY = "highway"


@cell
def rhn2(x, h):
    """Recurrent highway network of depth 2 (Zilly et al. 2017), arXiv:1607.03474, equations 6-9."""
    t1 = sigmoid(linear(x, h, bias=-2.0))
    s1 = blend(t1, tanh(linear(x, h)), h)
    t2 = sigmoid(linear(s1, bias=-2.0))
    return blend(t2, tanh(linear(s1)), s1)


@cell
def rhn3(x, h):
    """Recurrent highway network of depth 3 (Zilly et al. 2017), arXiv:1607.03474, equations 6-9."""
    t1 = sigmoid(linear(x, h, bias=-2.0))
    s1 = blend(t1, tanh(linear(x, h)), h)
    t2 = sigmoid(linear(s1, bias=-2.0))
    s2 = blend(t2, tanh(linear(s1)), s1)
    t3 = sigmoid(linear(s2, bias=-2.0))
    return blend(t3, tanh(linear(s2)), s2)


@cell
def rhn4(x, h):
    """Recurrent highway network of depth 4 (Zilly et al. 2017), arXiv:1607.03474, equations 6-9."""
    t1 = sigmoid(linear(x, h, bias=-2.0))
    s1 = blend(t1, tanh(linear(x, h)), h)
    t2 = sigmoid(linear(s1, bias=-2.0))
    s2 = blend(t2, tanh(linear(s1)), s1)
    t3 = sigmoid(linear(s2, bias=-2.0))
    s3 = blend(t3, tanh(linear(s2)), s2)
    t4 = sigmoid(linear(s3, bias=-2.0))
    return blend(t4, tanh(linear(s3)), s3)


@cell
def rhn5(x, h):
    """Recurrent highway network of depth 5 (Zilly et al. 2017), arXiv:1607.03474, equations 6-9."""
    t1 = sigmoid(linear(x, h, bias=-2.0))
    s1 = blend(t1, tanh(linear(x, h)), h)
    t2 = sigmoid(linear(s1, bias=-2.0))
    s2 = blend(t2, tanh(linear(s1)), s1)
    t3 = sigmoid(linear(s2, bias=-2.0))
    s3 = blend(t3, tanh(linear(s2)), s2)
    t4 = sigmoid(linear(s3, bias=-2.0))
    s4 = blend(t4, tanh(linear(s3)), s3)
    t5 = sigmoid(linear(s4, bias=-2.0))
    return blend(t5, tanh(linear(s4)), s4)
