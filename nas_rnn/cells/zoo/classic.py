"""The three cells that torch.nn has."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear

FAMILY = "classic"


@cell
def rnn(x, h):
    """Simple recurrent network (Elman 1990, "Finding structure in time", Cognitive Science 14)."""
    return tanh(linear(x, h))


@cell
def lstm(x, h, c):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), forget gate of Gers et al. 2000.

    The forget gate's bias starts at 1 (Jozefowicz et al. 2015).
    """
    i = sigmoid(linear(x, h))
    f = sigmoid(linear(x, h, bias=1.0))
    o = sigmoid(linear(x, h))
    g = tanh(linear(x, h))
    c = f * c + i * g
    return o * tanh(c), c


@cell
def gru(x, h):
    """Gated recurrent unit (Cho et al. 2014), the reset gate applied after the product, as in cuDNN."""
    r = sigmoid(linear(x, h))
    z = sigmoid(linear(x, h))
    n = tanh(linear(x) + r * linear(h))
    return blend(z, h, n)
