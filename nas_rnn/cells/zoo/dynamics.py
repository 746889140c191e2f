"""Cells that discretise systems of differential equations."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear

FAMILY = "dynamics"


@cell
def lem(x, y, z):
    """Long expressive memory (Rusch et al. 2022).

    "Long expressive memory for sequence modeling", arXiv:2110.04744, equation 3, with the largest time step 1.
    """
    dt1 = sigmoid(linear(x, y))
    dt2 = sigmoid(linear(x, y))
    z = blend(dt1, tanh(linear(x, y)), z)
    y = blend(dt2, tanh(linear(x, z)), y)
    return y, z


@cell
def cornn(x, y, z):
    """Coupled oscillatory network (Rusch & Mishra 2021).

    "Coupled oscillatory recurrent neural network (coRNN)", arXiv:2010.00951, equation 3, damped by the previous z
    (the paper's explicit variant and the authors' code).

    dt = 0.042, gamma = 2.7 and epsilon = 4.7 are the paper's for sequential MNIST; it tunes them for each task.
    """
    z = z + 0.042 * (tanh(linear(x, y, z)) - 2.7 * y - 4.7 * z)
    y = y + 0.042 * z
    return y, z
