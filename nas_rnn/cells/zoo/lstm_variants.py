"""Published LSTMs beside the plain one and its ablations."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import layer_norm, linear, vector

FAMILY = "lstm"


@cell
def lstm_coupled(x, h, c):
    """LSTM whose input gate is one minus its forget gate, without peepholes (Greff et al. 2015).

    "LSTM: A search space odyssey", arXiv:1503.04069, section 3, variants CIFG and NP together.

    The forget gate's bias starts at 1, as in `lstm`.
    """
    f = sigmoid(linear(x, h, bias=1.0))
    o = sigmoid(linear(x, h))
    g = tanh(linear(x, h))
    c = blend(f, c, g)
    return o * tanh(c), c


@cell
def lstm_ln(x, h, c):
    """LSTM with layer normalisation (Ba, Kiros & Hinton 2016).

    "Layer normalization", arXiv:1607.06450, equations 20-22.

    As in the paper the pre-activations of the four gates are normalised together, over 4 times hidden_size
    units (ports that normalise each gate by itself differ), those from x and those from h apart, each with its
    gain and bias, and b is added to their sum. The forget gate's b starts at 1, as in `lstm`.
    """
    ix, fx, ox, gx = (linear(x, bias=None) for _ in range(4))
    ih, fh, oh, gh = (linear(h, bias=None) for _ in range(4))
    i = sigmoid(layer_norm(ih, fh, oh, gh) + layer_norm(ix, fx, ox, gx) + vector())
    f = sigmoid(layer_norm(fh, ih, oh, gh) + layer_norm(fx, ix, ox, gx) + vector(1.0))
    o = sigmoid(layer_norm(oh, ih, fh, gh) + layer_norm(ox, ix, fx, gx) + vector())
    g = tanh(layer_norm(gh, ih, fh, oh) + layer_norm(gx, ix, fx, ox) + vector())
    c = f * c + i * g
    return o * tanh(layer_norm(c)), c


@cell
def lstm_nas_bench(x, h, c):
    """The recipe called "lstm" in NAS-Bench-NLP (Klyuchnikov et al. 2020).

    arXiv:2006.07116, from the function get_example_recepie of its authors' code.

    Its output gate has tanh where an LSTM has the logistic function; no bias starts at 1.
    """
    i = tanh(linear(x, h))
    j = sigmoid(linear(x, h))
    f = sigmoid(linear(x, h))
    o = tanh(linear(x, h))
    c = f * c + i * j
    return tanh(c) * o, c
