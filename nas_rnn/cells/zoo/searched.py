"""Cells that searches found: NASCell, ENAS, DARTS, and the best of NAS-Bench-NLP."""

from nas_rnn.cells.cell import cell
from nas_rnn.cells.graph.operations import blend, identity, leaky_relu, relu, sigmoid, tanh
from nas_rnn.cells.language.tracing import linear

FAMILY = "searched"


@cell
def nascell(x, h, c):
    """NASCell, found on Penn Treebank by reinforcement learning (Zoph & Le 2017).

    "Neural architecture search with reinforcement learning", arXiv:1611.01578, appendix; as TensorFlow's NASCell
    has it, without biases.
    """
    a1 = sigmoid(linear(x, h, bias=None))
    a2 = relu(linear(x, h, bias=None))
    a3 = sigmoid(linear(x, h, bias=None))
    a4 = relu(linear(x, bias=None) * linear(h, bias=None))
    a5 = tanh(linear(x, h, bias=None))
    a6 = sigmoid(linear(x, h, bias=None))
    a7 = tanh(linear(x, h, bias=None))
    a8 = sigmoid(linear(x, h, bias=None))
    b1 = tanh(tanh(a1 * a2) + c)
    b2 = tanh(a3 + a4)
    b3 = tanh(a5 * a6)
    b4 = sigmoid(a7 + a8)
    c = b1 * b2
    return tanh(c * tanh(b3 + b4)), c


def _highway(function, s, *more):
    """A node of ENAS and DARTS: s + g (f(W s) - s), without biases."""
    g = sigmoid(linear(*more, s, bias=None))
    return blend(g, function(linear(*more, s, bias=None)), s)


@cell
def enas(x, h):
    """ENAS, the cell found on Penn Treebank (Pham et al. 2018).

    "Efficient neural architecture search via parameter sharing", arXiv:1802.03268, figure 6 (its arc is in the
    authors' script for the final training).

    Twelve highway nodes; the output is the mean of the six that no other reads. Batch normalisation, which is used
    in the search alone, is left out.
    """
    s0 = _highway(tanh, h, x)
    s1 = _highway(tanh, s0)
    s2 = _highway(relu, s1)
    s3 = _highway(relu, s2)
    s4 = _highway(tanh, s2)
    s5 = _highway(tanh, s2)
    s6 = _highway(relu, s5)
    s7 = _highway(tanh, s1)
    s8 = _highway(relu, s6)
    s9 = _highway(relu, s8)
    s10 = _highway(relu, s8)
    s11 = _highway(relu, s8)
    return (s3 + s4 + s7 + s9 + s10 + s11) / 6


@cell
def darts_v1(x, h):
    """DARTS, first order (Liu et al. 2019).

    "DARTS: differentiable architecture search", arXiv:1806.09055, genotype DARTS_V1 of the authors' repository;
    the output is the mean of the eight nodes.
    """
    s0 = _highway(tanh, h, x)
    s1 = _highway(relu, s0)
    s2 = _highway(relu, s1)
    s3 = _highway(tanh, s2)
    s4 = _highway(relu, s3)
    s5 = _highway(relu, s4)
    s6 = _highway(identity, s1)
    s7 = _highway(relu, s5)
    s8 = _highway(relu, s1)
    return (s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8) / 8


@cell
def darts_v2(x, h):
    """DARTS, second order (Liu et al. 2019).

    "DARTS: differentiable architecture search", arXiv:1806.09055, genotype DARTS_V2 of the authors' repository;
    the output is the mean of the eight nodes.
    """
    s0 = _highway(tanh, h, x)
    s1 = _highway(sigmoid, s0)
    s2 = _highway(relu, s1)
    s3 = _highway(relu, s1)
    s4 = _highway(identity, s1)
    s5 = _highway(tanh, s2)
    s6 = _highway(sigmoid, s5)
    s7 = _highway(tanh, s3)
    s8 = _highway(relu, s5)
    return (s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8) / 8


@cell
def nas_bench_nlp_1(x, h, c):
    """The best of one half of NAS-Bench-NLP by mean test loss on Penn Treebank (Klyuchnikov et al. 2020).

    "NAS-Bench-NLP: neural architecture search benchmark for natural language processing", arXiv:2006.07116.

    Perplexity 94.6 (three runs of three layers of 600 units). Figures CC BY 4.0.
    """
    a = linear(c, h)
    b = tanh(a)
    d = tanh(linear(x, h))
    e = linear(d, b)
    c = blend(e, d, a)
    return sigmoid(linear(b, x)) * c, c


@cell
def nas_bench_nlp_2(x, h, c):
    """The second of the same half of NAS-Bench-NLP (Klyuchnikov et al. 2020), arXiv:2006.07116; perplexity 96.1."""
    a = linear(c, h, x)
    b = a + sigmoid(a)
    d = leaky_relu(linear(x, h))
    e = leaky_relu(linear(c, x))
    o = sigmoid(linear(x, h))
    return o * b, linear(e, d)


@cell
def nas_bench_nlp_3(x, h, c):
    """The third of the same half of NAS-Bench-NLP (Klyuchnikov et al. 2020), arXiv:2006.07116; perplexity 96.3."""
    a = sigmoid(linear(c, x))
    b = tanh(linear(c, a))
    return blend(b, c * h, a), tanh(linear(b, x))
