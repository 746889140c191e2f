"""Published relatives of the GRU: one state that is remembered, few gates."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, maximum, minimum, relu, sigmoid, softplus, tanh
from nas_rnn.cells.language.tracing import diagonal, linear, project

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


@cell
def atr(x, h):
    """Addition-subtraction twin-gated recurrent network (Zhang et al. 2018).

    "Simplifying neural machine translation with addition-subtraction twin-gated recurrent networks",
    arXiv:1810.12546.
    """
    p = linear(x)
    q = linear(h)
    i = sigmoid(p + q)
    f = sigmoid(p - q)
    return i * p + f * h


@cell
def brc(x, h):
    """Bistable recurrent cell (Vecoven et al. 2021).

    "A bio-inspired bistable recurrent cell allows for long-lasting memory", arXiv:2006.05252.

    Units read each other's states nowhere. Where a exceeds 1, a unit is bistable and remembers.
    """
    a = 1 + tanh(linear(x) + diagonal(h))
    c = sigmoid(linear(x) + diagonal(h))
    return blend(c, h, tanh(linear(x) + a * h))


@cell
def nbrc(x, h):
    """Recurrently neuromodulated bistable cell (Vecoven et al. 2021), arXiv:2006.05252.

    As `brc`, with full matrices where that has weights per unit.
    """
    a = 1 + tanh(linear(x, h))
    c = sigmoid(linear(x, h))
    return blend(c, h, tanh(linear(x) + a * h))


@cell
def scrn(x, y, h, s):
    """Structurally constrained recurrent network (Mikolov et al. 2015).

    "Learning longer memory in recurrent neural networks", arXiv:1412.7753, section 3: s changes slowly, with the
    paper's alpha = 0.95.

    y is the layer's output and no state; the paper's softmax of it belongs to the task. torchrecurrent 0.2.5 learns
    alpha, and feeds y = tanh(U h + V s) back in place of h.
    """
    s = 0.05 * linear(x, bias=None) + 0.95 * s
    h = sigmoid(linear(s, x, h))
    return linear(h, s), h, s


@cell
def sgrn(x, h):
    """Simple gated recurrent network (Zu et al. 2020), doi:10.1049/gtd2.12056.

    torchrecurrent 0.2.5 adds a bias to s.
    """
    s = linear(x, bias=None)
    f = sigmoid(s + linear(h))
    return tanh(blend(f, h, s))


@cell
def lightru(x, h):
    """Light recurrent unit (Ye et al. 2024).

    "Light recurrent unit: towards an interpretable recurrent neural network for modeling long-range dependency",
    Electronics 13(16):3204.
    """
    f = sigmoid(linear(x, h))
    n = tanh(linear(x))
    return blend(f, n, h)


@cell
def ligru(x, h):
    """Light gated recurrent unit, Li-GRU (Ravanelli et al. 2018).

    "Light gated recurrent units for speech recognition", arXiv:1803.10225.

    The paper normalises W x over the batch, which keeps ReLU bounded; here, as in torchrecurrent, biases stand in
    place of that.
    """
    z = sigmoid(linear(x, h))
    n = relu(linear(x, h))
    return blend(z, h, n)


@cell
def minimalrnn(x, h):
    """Minimal recurrent network (Chen 2017).

    "MinimalRNN: toward more interpretable and trainable recurrent neural networks", arXiv:1711.06788.
    """
    z = tanh(linear(x))
    u = sigmoid(linear(h, z))
    return blend(u, h, z)


@cell
def intersectionrnn(x, y, h):
    """Intersection RNN, +RNN (Collins et al. 2017).

    "Capacity and trainability in recurrent neural networks", arXiv:1611.09913: a gate over depth and one over time.

    y is the layer's output and no state. The paper's x has the hidden size; where it has another, `project` brings it
    there. The gates' biases start at 1, as in `ugrnn`.
    """
    y_in = relu(linear(x, h))
    h_in = tanh(linear(x, h))
    g_y = sigmoid(linear(x, h, bias=1.0))
    g_h = sigmoid(linear(x, h, bias=1.0))
    return blend(g_y, project(x), y_in), blend(g_h, h, h_in)


def _hard_sigmoid(a):
    """torch's: 0 below -3, 1 above 3, a line between."""
    return maximum(minimum(a / 6 + 0.5, 1), 0)


@cell
def sgu(x, h):
    """Simple gated unit (Gao & Glowacka 2016).

    "Deep gate recurrent neural network", arXiv:1604.02910: x and h meet in a product. torchrecurrent 0.2.5 adds a
    bias within the tanh. The hard sigmoid is torch's, of slope 1/6.
    """
    g = tanh(linear(linear(x) * h, bias=None))
    out = softplus(g * h)
    z = _hard_sigmoid(linear(x, h))
    return blend(z, out, h)


@cell
def dsgu(x, h):
    """Deep simple gated unit (Gao & Glowacka 2016), arXiv:1604.02910: `sgu` with one product more."""
    g = tanh(linear(linear(x) * h, bias=None))
    out = sigmoid(linear(g * h, bias=None))
    z = _hard_sigmoid(linear(x, h))
    return blend(z, out, h)


@cell
def miru1(x, h):
    """Minion recurrent unit 1 (Zyarah & Kudithipudi 2025).

    "Minion gated recurrent unit for continual learning", arXiv:2503.06175: a coefficient in place of the update gate,
    here 0.5 as in torchrecurrent.
    """
    r = sigmoid(linear(x, h))
    n = tanh(linear(x, r * h))
    return 0.5 * h + 0.5 * n


@cell
def miru2(x, h):
    """Minion recurrent unit 2 (Zyarah & Kudithipudi 2025), arXiv:2503.06175.

    Coefficients in place of both gates, here 0.5 as in torchrecurrent.
    """
    n = tanh(linear(x, 0.5 * h))
    return 0.5 * h + 0.5 * n
