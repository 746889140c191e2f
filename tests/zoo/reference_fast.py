"""The fast cells, the highway networks and the discretised systems, written from their papers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, relu, sigmoid, tanh
from torch.nn.functional import layer_norm, silu

from tests.zoo.named_weights import Weights

State = tuple[Tensor, ...]


def indrnn(w: Weights, x: Tensor, h: Tensor) -> State:
    return (relu(w.affine("h", x=x) + w["h/p"] * h),)


def ran(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    i = sigmoid(w.affine("i", x=x, h=h))
    f = sigmoid(w.affine("f", x=x, h=h))
    c = i * w.product("c", x=x) + f * c
    return tanh(c), c


def fastrnn(w: Weights, x: Tensor, h: Tensor) -> State:
    candidate = tanh(w.affine("n", x=x, h=h))
    return (sigmoid(w["alpha/s"]) * candidate + sigmoid(w["beta/s"]) * h,)


def fastgrnn(w: Weights, x: Tensor, h: Tensor) -> State:
    shared = x @ w["s/x"].T + h @ w["s/h"].T
    z = sigmoid(shared + w["z/v"])
    candidate = tanh(shared + w["n/v"])
    zeta, nu = sigmoid(w["zeta/s"]), sigmoid(w["nu/s"])
    return ((zeta * (1 - z) + nu) * candidate + z * h,)


def sru(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    f = sigmoid(w.affine("f", x=x) + w["f/p"] * c)
    r = sigmoid(w.affine("r", x=x) + w["r/p"] * c)
    c = f * c + (1 - f) * w.product("c", x=x)
    return r * c + (1 - r) * w.brought("h", x=x), c


def qrnn(w: Weights, x: Tensor, h: Tensor, c: Tensor, last: Tensor) -> State:
    z = tanh(w.product("z", last=last, x=x))
    f = sigmoid(w.product("f", last=last, x=x))
    o = sigmoid(w.product("o", last=last, x=x))
    c = f * c + (1 - f) * z
    return o * c, c, x


def mingru(w: Weights, x: Tensor, h: Tensor) -> State:
    z = sigmoid(w.affine("z", x=x))
    return ((1 - z) * h + z * w.affine("n", x=x),)


def minlstm(w: Weights, x: Tensor, h: Tensor) -> State:
    f, i = sigmoid(w.affine("f", x=x)), sigmoid(w.affine("i", x=x))
    f, i = f / (f + i), i / (f + i)
    return (f * h + i * w.affine("n", x=x),)


def rhn(depth: int) -> Callable[[Weights, Tensor, Tensor], State]:
    """Return the step of a recurrent highway network."""

    def step(w: Weights, x: Tensor, h: Tensor) -> State:
        for layer in range(1, depth + 1):
            read = {"x": x, "h": h} if layer == 1 else {f"s{layer - 1}": h}
            candidate = tanh(w.affine(f"s{layer}" if layer < depth else "h", read))
            transform = sigmoid(w.affine(f"t{layer}", read))
            carry = 1 - transform
            h = candidate * transform + h * carry
        return (h,)

    step.__name__ = f"rhn{depth}"
    return step


def lem(w: Weights, x: Tensor, y: Tensor, z: Tensor) -> State:
    dt = 1.0 * sigmoid(w.affine("dt1", x=x, y=y))
    dt_bar = 1.0 * sigmoid(w.affine("dt2", x=x, y=y))
    z = (1 - dt) * z + dt * tanh(w.affine("z", x=x, y=y))
    y = (1 - dt_bar) * y + dt_bar * tanh(w.affine("y", x=x, z=z))
    return y, z


def cornn(w: Weights, x: Tensor, y: Tensor, z: Tensor) -> State:
    dt, gamma, epsilon = 0.042, 2.7, 4.7
    z = z + dt * (tanh(w.affine("z", x=x, y=y, z=z)) - gamma * y - epsilon * z)
    return y + dt * z, z


def unicornn(w: Weights, x: Tensor, y: Tensor, z: Tensor) -> State:
    dt, alpha = 0.19, 30.65
    step = dt * (0.5 + 0.5 * tanh(w["dt/v"] / 2))
    z = z - step * (tanh(w["z/p"] * y + w.affine("z", x=x)) + alpha * y)
    return y + step * z, z


def taugru(w: Weights, x: Tensor, h: Tensor, *earlier: Tensor) -> State:
    u, delayed = tanh(w.affine("u", x=x, h=h)), tanh(w.affine("z", x=x, h3=earlier[2]))
    g, a = sigmoid(w.affine("g", x=x, h=h)), sigmoid(w.affine("a", x=x, h=h))
    return ((1 - g) * h + g * (u + a * delayed), h, *earlier[:2])


def antisym_rnn(w: Weights, x: Tensor, h: Tensor) -> State:
    a = w["h/h"]
    turn = a - a.T - 0.01 * torch.eye(len(a), dtype=a.dtype)
    return (h + 0.1 * tanh(h @ turn.T + w.affine("h", x=x)),)


def antisym_gated(w: Weights, x: Tensor, h: Tensor) -> State:
    a = w["turned/h"]
    turned = h @ (a - a.T - 0.01 * torch.eye(len(a), dtype=a.dtype)).T
    return (h + 0.1 * sigmoid(turned + w.affine("z", x=x)) * tanh(turned + w.affine("h", x=x)),)


def trnn(w: Weights, x: Tensor, h: Tensor) -> State:
    f = sigmoid(w.affine("f", x=x))
    return (f * h + (1 - f) * w.product("z", x=x),)


def tgru(w: Weights, x: Tensor, h: Tensor, last: Tensor) -> State:
    z, f, o = (w.affine(name, last=last, x=x) for name in "zfo")
    return sigmoid(f) * h + z * tanh(o), x


def tlstm(w: Weights, x: Tensor, h: Tensor, c: Tensor, last: Tensor) -> State:
    z, f, o = (w.affine(name, last=last, x=x) for name in "zfo")
    c = sigmoid(f) * c + (1 - sigmoid(f)) * z
    return c * tanh(o), c, x


def hgrn(w: Weights, x: Tensor, y: Tensor, re: Tensor, im: Tensor) -> State:
    """In complex numbers, with the angle itself."""
    gamma = sigmoid(w["gamma/v"])
    size = gamma + (1 - gamma) * sigmoid(w.affine("f", x=x))
    turn = torch.exp(2j * torch.atan(w["t/v"]))
    seen = torch.complex(silu(w.affine("p", x=x)), silu(w.affine("q", x=x)))
    state = size * turn * torch.complex(re, im) + (1 - size) * seen
    gates = sigmoid(torch.cat([w.affine("a", x=x), w.affine("b", x=x)], -1))
    both = layer_norm(gates * torch.cat([state.real, state.imag], -1), [2 * gamma.numel()])
    gain, shift = (torch.cat([w[f"y{k}/{kind}"] for k in (1, 2)]) for kind in ("gain", "shift"))
    matrix = torch.cat([w["y/layer_norm(a, b)"], w["y/layer_norm(b, a)"]], 1)
    return (both * gain + shift) @ matrix.T + w["y/bias"], state.real, state.imag


def rg_lru(w: Weights, x: Tensor, h: Tensor) -> State:
    r, i = sigmoid(w.affine("r", x=x)), sigmoid(w.affine("i", x=x))  # (1), (2)
    a = sigmoid(w["a/v"]) ** (8 * r)  # (3)
    return (a * h + (1 - a**2).sqrt() * i * w.brought("h", x=x),)  # (4)


STEPS = (
    *(indrnn, ran, fastrnn, fastgrnn, sru, qrnn, mingru, minlstm, *map(rhn, (2, 3, 4, 5)), lem, cornn),
    *(unicornn, taugru, antisym_rnn, antisym_gated, trnn, tgru, tlstm, hgrn, rg_lru),
)
