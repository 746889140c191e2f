"""Published LSTMs beside the plain one and its ablations."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import diagonal, layer_norm, linear, project, vector

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


@cell
def lstm_1997(x, h, c):
    """LSTM as first published (Hochreiter & Schmidhuber 1997), without a forget gate.

    "Long short-term memory", Neural Computation 9(8): c is squashed to -1..1 and what is written to -2..2, as in the
    paper's experiments. torchrecurrent 0.2.5 has tanh for both.
    """
    i = sigmoid(linear(x, h))
    o = sigmoid(linear(x, h))
    g = 4 * sigmoid(linear(x, h)) - 2
    c = c + i * g
    return o * (2 * sigmoid(c) - 1), c


@cell
def lstm_mult(x, h, c):
    """Multiplicative LSTM, mLSTM (Krause et al. 2016).

    "Multiplicative LSTM for sequence modelling", arXiv:1609.07959, section 3: gates read m, in which each input has a
    recurrent matrix of its own, in place of h.

    torchrecurrent 0.2.5 adds a bias to either factor of m. The forget gate's bias starts at 1, as in `lstm`.
    """
    m = linear(x, bias=None) * linear(h, bias=None)
    i = sigmoid(linear(x, m))
    f = sigmoid(linear(x, m, bias=1.0))
    o = sigmoid(linear(x, m))
    g = tanh(linear(x, m))
    c = f * c + i * g
    return o * tanh(c), c


@cell
def lstm_control(x, h, v, c):
    """Memory controller LSTM, MC-LSTM (Ben-Ari & Shwartz-Ziv 2017).

    "Sequence modeling using a memory controller extension for LSTM", NIPS 2017 Time Series Workshop: gates read v,
    which has a gate of its own, in place of the output. The forget gate's bias starts at 1, as in `lstm`.
    """
    i = sigmoid(linear(x, v))
    f = sigmoid(linear(x, v, bias=1.0))
    o = sigmoid(linear(x, v))
    m = sigmoid(linear(x, v))
    n = tanh(linear(x, v))
    c = f * c + i * n
    return o * tanh(c), m * tanh(c), c


@cell
def lstm_wm(x, h, c):
    """LSTM with working memory connections (Landi et al. 2021).

    "Working memory connections for LSTM", arXiv:2109.00020: gates read c through a matrix and tanh.

    torchrecurrent 0.2.5 adds a bias within that tanh. The forget gate's bias starts at 1, as in `lstm`.
    """
    i = sigmoid(linear(x, h) + tanh(linear(c, bias=None)))
    f = sigmoid(linear(x, h, bias=1.0) + tanh(linear(c, bias=None)))
    g = tanh(linear(x, h))
    c = f * c + i * g
    o = sigmoid(linear(x, h) + tanh(linear(c, bias=None)))
    return o * tanh(c), c


@cell
def lstm_residual(x, h, c):
    """Residual LSTM (Kim et al. 2017).

    "Residual LSTM: design of a deep recurrent architecture for distant speech recognition", arXiv:1701.03360: a
    shortcut from x to the output, by a matrix only where the sizes differ. torchrecurrent 0.2.5 always has that matrix.

    The forget gate's bias starts at 1, as in `lstm`.
    """
    i = sigmoid(linear(x, h) + diagonal(c))
    f = sigmoid(linear(x, h, bias=1.0) + diagonal(c))
    g = tanh(linear(x, h))
    c = f * c + i * g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * (linear(tanh(c), bias=None) + project(x)), c


@cell
def lstm_mogrifier(x, h, c):
    """Mogrifier LSTM with five rounds (Melis et al. 2020).

    "Mogrifier LSTM", arXiv:1909.01792, equations 1-2, with full matrices Q and R: x and h gate each other in turns
    before the LSTM reads both.

    Gates of x have the size of x, which a cell's matrices have not: where x has another size than h, a matrix brings
    it there first. The forget gate's bias starts at 1, as in `lstm`.
    """
    x0 = project(x)
    x1 = 2 * sigmoid(linear(h, bias=None)) * x0
    h2 = 2 * sigmoid(linear(x1, bias=None)) * h
    x3 = 2 * sigmoid(linear(h2, bias=None)) * x1
    h4 = 2 * sigmoid(linear(x3, bias=None)) * h2
    x5 = 2 * sigmoid(linear(h4, bias=None)) * x3
    i = sigmoid(linear(x5, h4))
    f = sigmoid(linear(x5, h4, bias=1.0))
    o = sigmoid(linear(x5, h4))
    g = tanh(linear(x5, h4))
    c = f * c + i * g
    return o * tanh(c), c
