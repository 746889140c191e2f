"""Cells that discretise systems of differential equations."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, sigmoid, tanh
from nas_rnn.cells.language.tracing import antisymmetric, diagonal, linear, vector

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


@cell
def unicornn(x, y, z):
    """Undamped independent controlled oscillatory network (Rusch & Mishra 2021).

    "UnICORNN: a recurrent model for learning very long time dependencies", arXiv:2103.05487: the step of each unit is
    learned.

    dt = 0.19 and alpha = 30.65 are the paper's for permuted sequential MNIST; it tunes them for each task. The units'
    steps start at half of dt.
    """
    dt = 0.19 * sigmoid(vector())
    z = z - dt * (tanh(linear(x) + diagonal(y)) + 30.65 * y)
    y = y + dt * z
    return y, z


@cell
def taugru(x, h, h1, h2, h3):
    """Gated recurrent unit with weighted time-delay feedback, tau-GRU, of delay 3 (Erichson et al. 2022).

    "Gated recurrent neural networks with weighted time-delay feedback", arXiv:2212.00228.

    ``h3`` is the state of 3 steps before h. The paper tunes the delay for each task, and its states before the
    sequence are 0 as here; each step of delay is a state path, so long ones are costly.
    """
    u = tanh(linear(x, h))
    z = tanh(linear(x, h3))
    g = sigmoid(linear(x, h))
    a = sigmoid(linear(x, h))
    return blend(g, u + a * z, h), h, h1, h2


@cell
def antisym_rnn(x, h):
    """Antisymmetric network (Chang et al. 2019).

    "AntisymmetricRNN: a dynamical system view on recurrent neural networks", arXiv:1902.09689: the eigenvalues of
    A - Aᵀ are imaginary, so that h neither grows nor fades by it.

    The step is 0.1 and the diffusion (gamma) 0.01; the paper tunes both for each task.
    """
    return h + 0.1 * tanh(linear(x) + antisymmetric(h) - 0.01 * h)


@cell
def antisym_gated(x, h):
    """Antisymmetric network with an input gate (Chang et al. 2019), arXiv:1902.09689; gate and candidate share A."""
    turned = antisymmetric(h) - 0.01 * h
    z = sigmoid(linear(x) + turned)
    return h + 0.1 * z * tanh(linear(x) + turned)
