"""The three best cells that Jozefowicz et al. 2015 found by evolution, "An empirical exploration of recurrent
network architectures" (ICML), section 4.1.

They add or squash x where a vector of hidden size is needed; the paper's inputs have that size, here `project`
brings them to it. Public ports disagree on MUT2 and MUT3: in the paper the reset gate of MUT2 reads x without a
matrix, and the update gate of MUT3 alone reads tanh(h).
"""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear, project

FAMILY = "mutations"


@cell
def mut1(x, h):
    """MUT1 (Jozefowicz et al. 2015): the update gate reads x alone, the candidate tanh(x) without a matrix."""
    z = sigmoid(linear(x))
    r = sigmoid(linear(x, h))
    n = tanh(linear(r * h) + tanh(project(x)))
    return blend(z, n, h)


@cell
def mut2(x, h):
    """MUT2 (Jozefowicz et al. 2015): the reset gate reads x without a matrix."""
    z = sigmoid(linear(x, h))
    r = sigmoid(project(x) + linear(h))
    n = tanh(linear(r * h, x))
    return blend(z, n, h)


@cell
def mut3(x, h):
    """MUT3 (Jozefowicz et al. 2015): the update gate reads tanh(h)."""
    z = sigmoid(linear(x, tanh(h)))
    r = sigmoid(linear(x, h))
    n = tanh(linear(r * h, x))
    return blend(z, n, h)
