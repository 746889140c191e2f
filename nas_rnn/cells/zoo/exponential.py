"""LSTM with exponential gating: the sLSTM of xLSTM (Beck et al. 2024), "xLSTM: extended long short-term memory",
arXiv:2405.04517, section 2.2 (equations 8-17).

The forget gate is the logistic function, one of the two that the paper allows. The stabiliser m cancels in
h = o c / n; it starts at -10, small beside what i and f give, for at the first step c and n are 0 and there is
nothing to forget (the authors' code sets it to i then). Matrices that read h are block-diagonal, those that read
x are full. The forget gate's bias starts at 1, not spread over the units as in the authors' code.
"""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import exp, log_sigmoid, maximum, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear, state

FAMILY = "exponential"


@cell
def slstm(x, h, c, n, m=state(init=-10.0)):
    """sLSTM with one head (Beck et al. 2024), arXiv:2405.04517, equations 8-17."""
    z = tanh(linear(x, h))
    o = sigmoid(linear(x, h))
    i = linear(x, h)
    f = log_sigmoid(linear(x, h, bias=1.0)) + m
    m = maximum(f, i)
    keep = exp(f - m)
    write = exp(i - m)
    c = keep * c + write * z
    n = keep * n + write
    return o * c / n, c, n, m


@cell
def slstm4(x, h, c, n, m=state(init=-10.0)):
    """sLSTM with four heads (Beck et al. 2024), arXiv:2405.04517, equations 8-17; hidden_size in fours."""
    z = tanh(linear(x) + linear(h, bias=None, heads=4))
    o = sigmoid(linear(x) + linear(h, bias=None, heads=4))
    i = linear(x) + linear(h, bias=None, heads=4)
    f = log_sigmoid(linear(x, bias=1.0) + linear(h, bias=None, heads=4)) + m
    m = maximum(f, i)
    keep = exp(f - m)
    write = exp(i - m)
    c = keep * c + write * z
    n = keep * n + write
    return o * c / n, c, n, m
