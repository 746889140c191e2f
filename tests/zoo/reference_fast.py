"""The fast cells, the highway networks and the discretised systems, written from their papers."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, relu, sigmoid, tanh

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


STEPS = (indrnn, ran, fastrnn, fastgrnn, sru, qrnn, mingru, minlstm, *map(rhn, (2, 3, 4, 5)), lem, cornn)
