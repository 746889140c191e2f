"""The gated cells of one state, the mutations and the classics, written from their papers."""

from __future__ import annotations

from torch import Tensor, relu, sigmoid, tanh
from torch.nn.functional import relu6, softplus

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


def atr(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    p, q = w.affine("p", x=x), w.affine("q", h=h)
    return (sigmoid(p + q) * p + sigmoid(p - q) * h,)


def bistable(w: Weights, h: Tensor, x: Tensor, a: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """Return the next state for what the two gates of BRC and nBRC squash."""
    c = sigmoid(c)
    return (c * h + (1 - c) * tanh(w.affine("h", x=x) + (1 + tanh(a)) * h),)


def brc(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return bistable(w, h, x, w.affine("a", x=x) + w["a/p"] * h, w.affine("c", x=x) + w["c/p"] * h)


def nbrc(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return bistable(w, h, x, w.affine("a", x=x, h=h), w.affine("c", x=x, h=h))


def scrn(w: Weights, x: Tensor, y: Tensor, h: Tensor, s: Tensor) -> tuple[Tensor, ...]:
    alpha = 0.95
    s = (1 - alpha) * w.product("s", x=x) + alpha * s
    h = sigmoid(w.affine("h", s=s, x=x, h=h))
    return w.affine("y", h=h, s=s), h, s


def sgrn(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    seen = x @ w["s/x"].T
    f = sigmoid(seen + h @ w["f/h"].T + w["f/bias"])
    return (tanh((1 - f) * seen + f * h),)


def lightru(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    f = sigmoid(w.affine("f", x=x, h=h))
    return ((1 - f) * h + f * tanh(w.affine("n", x=x)),)


def ligru(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    z = sigmoid(w.affine("z", x=x, h=h))
    return (z * h + (1 - z) * relu(w.affine("n", x=x, h=h)),)


def minimalrnn(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    z = tanh(w.affine("z", x=x))
    u = sigmoid(w.affine("u", h=h, z=z))
    return (u * h + (1 - u) * z,)


def intersectionrnn(w: Weights, x: Tensor, y: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    new_y, new_h = relu(w.affine("y_in", x=x, h=h)), tanh(w.affine("h_in", x=x, h=h))
    over_depth, over_time = sigmoid(w.affine("g_y", x=x, h=h)), sigmoid(w.affine("g_h", x=x, h=h))
    wide = w.brought("y", x=x)
    return over_depth * wide + (1 - over_depth) * new_y, over_time * h + (1 - over_time) * new_h


def sgu(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    met = w.affine("g1", x=x) * h
    out = softplus(tanh(w.product("g2", {"linear(x) * h": met})) * h)
    z = relu6(w.affine("z", x=x, h=h) + 3) / 6  # torch's own hardsigmoid has its slope in float32 alone
    return ((1 - z) * h + z * out,)


def dsgu(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    met = w.affine("g1", x=x) * h
    gated = tanh(w.product("g2", {"linear(x) * h": met})) * h
    z = relu6(w.affine("z", x=x, h=h) + 3) / 6  # torch's own hardsigmoid has its slope in float32 alone
    return ((1 - z) * h + z * sigmoid(w.product("out", {"g * h": gated})),)


def miru1(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    r = sigmoid(w.affine("r", x=x, h=h))
    return (0.5 * h + 0.5 * tanh(w.affine("n", {"x": x, "r * h": r * h})),)


def miru2(w: Weights, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return (0.5 * h + 0.5 * tanh(w.affine("n", {"x": x, "0.5 * h": h / 2})),)


STEPS = (
    *(rnn, gru, gru_v1, mgu, ugrnn, cfn, star, janet, mut1, mut2, mut3),
    *(atr, brc, nbrc, scrn, sgrn, lightru, ligru, minimalrnn, intersectionrnn, sgu, dsgu, miru1, miru2),
)
