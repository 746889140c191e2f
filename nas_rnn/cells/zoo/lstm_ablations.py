"""The LSTM of Greff et al. 2015, "LSTM: A search space odyssey" (arXiv:1503.04069), and its eight ablations.

Section 2 gives the equations with peepholes and section 3 the variants. The forget gate's bias starts at 1 in
all of them, so that they differ from each other in what the paper removes and in nothing else.
"""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import sigmoid, tanh
from nas_rnn.cells.language.tracing import diagonal, linear

FAMILY = "lstm ablations"


@cell
def lstm_peephole(x, h, c):
    """LSTM with peephole connections (Gers & Schmidhuber 2000), the base of Greff et al. 2015."""
    i = sigmoid(linear(x, h) + diagonal(c))
    f = sigmoid(linear(x, h, bias=1.0) + diagonal(c))
    g = tanh(linear(x, h))
    c = f * c + i * g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * tanh(c), c


@cell
def lstm_nig(x, h, c):
    """No input gate (Greff et al. 2015)."""
    f = sigmoid(linear(x, h, bias=1.0) + diagonal(c))
    g = tanh(linear(x, h))
    c = f * c + g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * tanh(c), c


@cell
def lstm_nfg(x, h, c):
    """No forget gate (Greff et al. 2015)."""
    i = sigmoid(linear(x, h) + diagonal(c))
    g = tanh(linear(x, h))
    c = c + i * g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * tanh(c), c


@cell
def lstm_nog(x, h, c):
    """No output gate (Greff et al. 2015)."""
    i = sigmoid(linear(x, h) + diagonal(c))
    f = sigmoid(linear(x, h, bias=1.0) + diagonal(c))
    g = tanh(linear(x, h))
    c = f * c + i * g
    return tanh(c), c


@cell
def lstm_niaf(x, h, c):
    """No input activation function (Greff et al. 2015)."""
    i = sigmoid(linear(x, h) + diagonal(c))
    f = sigmoid(linear(x, h, bias=1.0) + diagonal(c))
    g = linear(x, h)
    c = f * c + i * g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * tanh(c), c


@cell
def lstm_noaf(x, h, c):
    """No output activation function (Greff et al. 2015)."""
    i = sigmoid(linear(x, h) + diagonal(c))
    f = sigmoid(linear(x, h, bias=1.0) + diagonal(c))
    g = tanh(linear(x, h))
    c = f * c + i * g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * c, c


@cell
def lstm_cifg(x, h, c):
    """Coupled input and forget gate (Greff et al. 2015)."""
    i = sigmoid(linear(x, h) + diagonal(c))
    g = tanh(linear(x, h))
    c = (1 - i) * c + i * g
    o = sigmoid(linear(x, h) + diagonal(c))
    return o * tanh(c), c


@cell
def lstm_np(x, h, c):
    """No peepholes (Greff et al. 2015)."""
    i = sigmoid(linear(x, h))
    f = sigmoid(linear(x, h, bias=1.0))
    g = tanh(linear(x, h))
    c = f * c + i * g
    o = sigmoid(linear(x, h))
    return o * tanh(c), c


@cell
def lstm_fgr(x, h, c, i, f, o):
    """Full gate recurrence: the gates also read each other's previous values (Greff et al. 2015)."""
    i_new = sigmoid(linear(x, h, i, f, o) + diagonal(c))
    f_new = sigmoid(linear(x, h, i, f, o, bias=1.0) + diagonal(c))
    g = tanh(linear(x, h))
    c = f_new * c + i_new * g
    o_new = sigmoid(linear(x, h, i, f, o) + diagonal(c))
    return o_new * tanh(c), c, i_new, f_new, o_new
