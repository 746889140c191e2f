"""The gated cells of one state, the mutations and the classics, written from their papers."""

from __future__ import annotations

from torch import Tensor, sigmoid, tanh

from tests.zoo.named_weights import Weights


def rnn(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return (tanh(w.affine("h", x=x, h=h)),)


def gru(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    r = sigmoid(w.affine("r", x=x, h=h))
    z = sigmoid(w.affine("z", x=x, h=h))
    candidate = tanh(w.affine("n1", x=x) + r * w.affine("n2", h=h))
    return (z * h + (1 - z) * candidate,)


def gru_v1(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    r = sigmoid(w.affine("r", x=x, h=h))  # (5)
    z = sigmoid(w.affine("z", x=x, h=h))  # (6)
    candidate = tanh(w.affine("n", {"x": x, "r * h": r * h}))  # (8)
    return (z * h + (1 - z) * candidate,)  # (7)


def mgu(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    f = sigmoid(w.affine("f", x=x, h=h))
    candidate = tanh(w.affine("n", {"x": x, "f * h": f * h}))
    return ((1 - f) * h + f * candidate,)


def ugrnn(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    c = tanh(w.affine("c", x=x, h=h))
    g = sigmoid(w.affine("g", x=x, h=h))
    return (g * h + (1 - g) * c,)


def cfn(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    theta = sigmoid(w.affine("theta", x=x, h=h))
    eta = sigmoid(w.affine("eta", x=x, h=h))
    return (theta * tanh(h) + eta * tanh(w.product("h", x=x)),)


def star(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    k = sigmoid(w.affine("k", x=x, h=h))
    z = tanh(w.affine("z", x=x))
    return (tanh((1 - k) * h + k * z),)


def janet(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    s = w.affine("s", x=x, h=h)
    candidate = tanh(w.affine("g", x=x, h=h))
    return (sigmoid(s) * h + (1 - sigmoid(s - 1.0)) * candidate,)


def mut1(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    z = sigmoid(w.affine("z", x=x))
    r = sigmoid(w.affine("r", x=x, h=h))
    wide = w.brought("n", x=x)
    return (tanh(w.affine("n", {"r * h": r * h}) + tanh(wide)) * z + h * (1 - z),)


def mut2(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    z = sigmoid(w.affine("z", x=x, h=h))
    r = sigmoid(w.brought("r", x=x) + w.affine("r", h=h))
    return (tanh(w.affine("n", {"r * h": r * h, "x": x})) * z + h * (1 - z),)


def mut3(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    z = sigmoid(w.affine("z", {"x": x, "tanh(h)": tanh(h)}))
    r = sigmoid(w.affine("r", x=x, h=h))
    return (tanh(w.affine("n", {"r * h": r * h, "x": x})) * z + h * (1 - z),)


STEPS = (rnn, gru, gru_v1, mgu, ugrnn, cfn, star, janet, mut1, mut2, mut3)
