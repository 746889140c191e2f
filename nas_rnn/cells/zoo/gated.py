"""Published relatives of the GRU: one state path, one or two gates."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear

FAMILY = "gated"


@cell
def gru_v1(x, h):
    """Gated recurrent unit as first published (Cho et al. 2014).

    "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    arXiv:1406.1078, equations 5-8.

    The reset gate is applied before the product; the cell of cuDNN and torch, which applies it after, is `gru`.
    The paper leaves out the biases "to make the equations uncluttered"; here they are.
    """
    r = sigmoid(linear(x, h))
    z = sigmoid(linear(x, h))
    n = tanh(linear(x, r * h))
    return blend(z, h, n)


@cell
def mgu(x, h):
    """Minimal gated unit (Zhou et al. 2016).

    "Minimal gated unit for recurrent neural networks", arXiv:1603.09420, table 1.
    """
    f = sigmoid(linear(x, h))
    n = tanh(linear(x, f * h))
    return (1 - f) * h + f * n


@cell
def ugrnn(x, h):
    """Update gate RNN (Collins et al. 2017).

    "Capacity and trainability in recurrent neural networks", arXiv:1611.09913.

    The paper adds a constant b_fg to the gate's bias and tunes it; here the bias starts at 1, as in TensorFlow's cell.
    """
    c = tanh(linear(x, h))
    g = sigmoid(linear(x, h, bias=1.0))
    return blend(g, h, c)


@cell
def cfn(x, h):
    """Chaos-free network (Laurent & von Brecht 2017).

    "A recurrent neural network without chaos", arXiv:1612.06212, equations 1-2.

    The candidate has no bias. The gates' biases start at 1 and -1, as in the paper's experiments.
    """
    theta = sigmoid(linear(x, h, bias=1.0))
    eta = sigmoid(linear(x, h, bias=-1.0))
    return theta * tanh(h) + eta * tanh(linear(x, bias=None))


@cell
def star(x, h):
    """Stackable recurrent cell (Turkoglu et al. 2019).

    "Gating revisited: deep multi-layer RNNs that can be trained", arXiv:1911.11033, section 4.

    The authors' code has sigmoid(s) and 1 - sigmoid(s - 1) where these equations have 1 - k and k, as in `janet`.
    """
    k = sigmoid(linear(x, h))
    z = tanh(linear(x))
    return tanh((1 - k) * h + k * z)


@cell
def janet(x, h):
    """JANET, a forget gate alone (van der Westhuizen & Lasenby 2018).

    "The unreasonable effectiveness of the forget gate", arXiv:1804.04849, section 3, with its beta = 1.

    The paper draws the gate's bias from log U[1, T - 1], T the longest dependency expected (chrono initialisation,
    Tallec & Ollivier 2018), and starts the other at 0. A cell states one number for all units: here 1. Set
    the bias afterwards to have theirs.
    """
    s = linear(x, h, bias=1.0)
    g = tanh(linear(x, h))
    return sigmoid(s) * h + (1 - sigmoid(s - 1)) * g
