"""Cells whose recurrence needs few or no products with the state: for long sequences and small devices."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, exp, log_sigmoid, relu, sigmoid, sqrt, tanh
from nas_rnn.cells.language.tracing import diagonal, layer_norm, linear, project, scalar, state, vector

FAMILY = "fast"


@cell
def indrnn(x, h):
    """Independently recurrent network (Li et al. 2018).

    "Independently recurrent neural network (IndRNN): building a longer and deeper RNN", arXiv:1803.04831, section
    3.
    """
    return relu(linear(x) + diagonal(h))


@cell
def ran(x, h, c):
    """Recurrent additive network (Lee et al. 2017), "Recurrent additive networks", arXiv:1705.07393, equation 1.

    The content layer has no bias; g is tanh (the paper also tries the identity).
    """
    i = sigmoid(linear(x, h))
    f = sigmoid(linear(x, h))
    c = i * linear(x, bias=None) + f * c
    return tanh(c), c


@cell
def fastrnn(x, h):
    """FastRNN (Kusupati et al. 2018).

    "FastGRNN: a fast, accurate, stable and tiny kilobyte sized gated recurrent neural network", arXiv:1901.02358,
    section 3.1.

    alpha and beta are kept between 0 and 1 by the logistic function, and start at its value for -3 and 3; the
    bias starts at 1: both as in the authors' code. The nonlinearity is tanh, one of those that the paper allows.
    """
    alpha = scalar(-3.0)
    beta = scalar(3.0)
    n = tanh(linear(x, h, bias=1.0))
    return sigmoid(alpha) * n + sigmoid(beta) * h


@cell
def fastgrnn(x, h):
    """FastGRNN (Kusupati et al. 2018), arXiv:1901.02358, section 3.2, with full-rank dense W and U.

    Gate and candidate share W and U and have a bias each. zeta and nu are kept between 0 and 1 by the
    logistic function; they start at its value for 1 and -4, and the biases at 1, as in the authors' code.
    """
    zeta = scalar(1.0)
    nu = scalar(-4.0)
    s = linear(x, h, bias=None)
    z = sigmoid(s + vector(1.0))
    n = tanh(s + vector(1.0))
    return (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * n + z * h


@cell
def sru(x, h, c):
    """Simple recurrent unit (Lei et al. 2018).

    "Simple recurrent units for highly parallelizable recurrence", arXiv:1709.02755, section 2.

    The highway needs x at hidden size; where it has another, a matrix brings it there (the authors' code does
    the same). Version 1 of the paper had no v and applied tanh to c. The scaling of x (alpha) is left out.
    """
    f = sigmoid(linear(x) + diagonal(c))
    r = sigmoid(linear(x) + diagonal(c))
    c = blend(f, c, linear(x, bias=None))
    return blend(r, c, project(x)), c


@cell
def qrnn(x, h, c, last=state(size="input")):
    """Quasi-recurrent network (Bradbury et al. 2017).

    "Quasi-recurrent neural networks", arXiv:1611.01576, equations 2 and 4: window 2, fo-pooling.

    ``last`` is the previous input. The equations have no biases; the authors' code has them.
    """
    z = tanh(linear(last, x, bias=None))
    f = sigmoid(linear(last, x, bias=None))
    o = sigmoid(linear(last, x, bias=None))
    c = blend(f, c, z)
    return o * c, c, x


@cell
def mingru(x, h):
    """minGRU (Feng et al. 2024).

    "Were RNNs all we needed?", arXiv:2410.01201, section 3.1: the plain recurrence, not its form in log space.
    """
    z = sigmoid(linear(x))
    n = linear(x)
    return (1 - z) * h + z * n


@cell
def minlstm(x, h):
    """minLSTM (Feng et al. 2024).

    "Were RNNs all we needed?", arXiv:2410.01201, section 3.2: the plain recurrence with gates that sum to 1, not
    its form in log space.
    """
    f = sigmoid(linear(x))
    i = sigmoid(linear(x))
    n = linear(x)
    return f / (f + i) * h + i / (f + i) * n


@cell
def trnn(x, h):
    """Strongly typed RNN, T-RNN (Balduzzi & Ghifary 2016).

    "Strongly-typed recurrent neural networks", arXiv:1602.02218. z is W x; torchrecurrent 0.2.5 adds a bias to it.
    """
    z = linear(x, bias=None)
    f = sigmoid(linear(x))
    return blend(f, h, z)


@cell
def tgru(x, h, last=state(size="input")):
    """Strongly typed GRU, T-GRU (Balduzzi & Ghifary 2016), arXiv:1602.02218; ``last`` is the previous input."""
    z = linear(last, x)
    f = sigmoid(linear(last, x))
    o = tanh(linear(last, x))
    return f * h + z * o, x


@cell
def tlstm(x, h, c, last=state(size="input")):
    """Strongly typed LSTM, T-LSTM (Balduzzi & Ghifary 2016), arXiv:1602.02218; ``last`` is the previous input."""
    z = linear(last, x)
    f = sigmoid(linear(last, x))
    o = tanh(linear(last, x))
    c = blend(f, c, z)
    return c * o, c, x


@cell
def hgrn(x, y, re, im):
    """Hierarchically gated recurrent unit of HGRN (Qin et al. 2023).

    "Hierarchically gated recurrent neural network for sequence modeling", arXiv:2311.04823: a complex state (``re``,
    ``im``) that turns by an angle theta of each unit, with a gate that does not fall below gamma.

    y is the layer's output and no state. The paper makes gamma rise from layer to layer; a cell sees one layer, so
    each learns its own. Here t = tan(theta / 2) is learned, and starts at 0.05 for all units. The output's gate is the
    logistic function, as in the authors' code.
    """
    gamma = sigmoid(vector())
    f = gamma + (1 - gamma) * sigmoid(linear(x))
    t = vector(0.05)
    cosine = (1 - t * t) / (1 + t * t)
    sine = 2 * t / (1 + t * t)
    p = linear(x)
    q = linear(x)
    new_re = blend(f, cosine * re - sine * im, p * sigmoid(p))
    new_im = blend(f, cosine * im + sine * re, q * sigmoid(q))
    a = sigmoid(linear(x)) * new_re
    b = sigmoid(linear(x)) * new_im
    return linear(layer_norm(a, b), layer_norm(b, a)), new_re, new_im


@cell
def rg_lru(x, h):
    """Real-gated linear recurrent unit, RG-LRU, of Griffin (De et al. 2024).

    "Griffin: mixing gated linear recurrences with local attention for efficient language models", arXiv:2402.19427,
    equations 1-4, with c = 8.

    The paper's x has the hidden size; where it has another, a matrix brings it there. The units of a start at
    sigmoid(5), so that a^c starts at 0.95; the paper spreads that over 0.9 to 0.999. The authors' code writes the
    first x of a sequence in full.
    """
    r = sigmoid(linear(x))
    i = sigmoid(linear(x))
    a = exp(8 * r * log_sigmoid(vector(5.0)))
    return a * h + sqrt(1 - a * a) * (i * project(x))
