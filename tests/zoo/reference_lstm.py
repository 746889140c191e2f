"""The LSTM, its ablations and its variants, written from their papers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import layer_norm, logsigmoid

from tests.zoo.named_weights import Weights

State = tuple[Tensor, ...]


def lstm(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    i, f, o = (sigmoid(w.affine(gate, x=x, h=h)) for gate in "ifo")
    c = f * c + i * tanh(w.affine("g", x=x, h=h))
    return o * tanh(c), c


def ablated(without: str) -> Callable[[Weights, Tensor, Tensor, Tensor], State]:
    """Return the step of Greff et al.'s cell without one of its parts, or with input and forget gate coupled."""

    def step(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
        def gate(name: str, value: Tensor, missing: str) -> Tensor:
            if without == missing:
                return torch.ones_like(value)
            peep = 0.0 if without == "np" else w[f"{name}/p"] * value
            return sigmoid(w.affine(name, x=x, h=h) + peep)

        i = gate("i", c, "nig")
        f = 1 - i if without == "cifg" else gate("f", c, "nfg")
        z = w.affine("g", x=x, h=h)
        new = (z if without == "niaf" else tanh(z)) * i + c * f
        owner = gate("o", new, "nog")
        return (new if without == "noaf" else tanh(new)) * owner, new

    step.__name__ = f"lstm_{without}"
    return step


def lstm_fgr(w: Weights, x: Tensor, h: Tensor, c: Tensor, i: Tensor, f: Tensor, o: Tensor) -> State:
    def gate(name: str, value: Tensor) -> Tensor:
        return sigmoid(w.affine(name, x=x, h=h, i=i, f=f, o=o) + w[f"{name}/p"] * value)

    i_new, f_new = gate("i_new", c), gate("f_new", c)
    c = f_new * c + i_new * tanh(w.affine("g", x=x, h=h))
    o_new = gate("o_new", c)
    return o_new * tanh(c), c, i_new, f_new, o_new


def lstm_coupled(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    f, o = (sigmoid(w.affine(gate, x=x, h=h)) for gate in "fo")
    c = f * c + (1 - f) * tanh(w.affine("g", x=x, h=h))
    return o * tanh(c), c


def lstm_ln(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    """Equations 20-22: both sums of products are normalised over all four gates' units at once."""
    gates = "ifog"
    from_h = torch.cat([w[f"{g}h/h"] for g in gates])
    from_x = torch.cat([w[f"{g}x/x"] for g in gates])
    gain_h, shift_h = (torch.cat([w[f"{g}1/{part}"] for g in gates]) for part in ("gain", "shift"))
    gain_x, shift_x = (torch.cat([w[f"{g}2/{part}"] for g in gates]) for part in ("gain", "shift"))
    size = (len(gain_h),)
    total = layer_norm(h @ from_h.T, size, gain_h, shift_h) + layer_norm(x @ from_x.T, size, gain_x, shift_x)
    i, f, o, g = (total + torch.cat([w[f"{g}/v"] for g in gates])).chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(layer_norm(c, c.shape[-1:], w["h/gain"], w["h/shift"])), c


def lstm_nas_bench(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    i, j = tanh(w.affine("i", x=x, h=h)), sigmoid(w.affine("j", x=x, h=h))
    f, o = sigmoid(w.affine("f", x=x, h=h)), tanh(w.affine("o", x=x, h=h))
    c = f * c + i * j
    return tanh(c) * o, c


def slstm(w: Weights, x: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor) -> State:
    z, o, i, f = (w.affine(gate, x=x, h=h) for gate in "zoif")
    return _slstm(z, o, i, f, c, n, m)


def slstm4(w: Weights, x: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor) -> State:
    def gate(name: str) -> Tensor:
        blocks = w[f"{name}2/h"]
        assert blocks.shape[0] == 4
        return w.affine(f"{name}1", x=x) + h @ torch.block_diag(*blocks).T

    return _slstm(gate("z"), gate("o"), gate("i"), gate("f"), c, n, m)


def _slstm(z: Tensor, o: Tensor, i: Tensor, f: Tensor, c: Tensor, n: Tensor, m: Tensor) -> State:
    m_new = torch.maximum(logsigmoid(f) + m, i)  # (15)
    i_stable = torch.exp(i - m_new)  # (16)
    f_stable = torch.exp(logsigmoid(f) + m - m_new)  # (17)
    c = f_stable * c + i_stable * tanh(z)  # (8)
    n = f_stable * n + i_stable  # (9)
    return sigmoid(o) * (c / n), c, n, m_new  # (10)


def lstm_1997(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    """``g`` squashes to -2..2 and ``h`` to -1..1, as the paper calls them."""
    i, o = (sigmoid(w.affine(gate, x=x, h=h)) for gate in "io")
    c = c + i * (4 / (1 + torch.exp(-w.affine("g", x=x, h=h))) - 2)
    return o * (2 / (1 + torch.exp(-c)) - 1), c


def lstm_mult(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    m = (x @ w["m1/x"].T) * (h @ w["m2/h"].T)
    i, f, o = (sigmoid(w.affine(gate, x=x, m=m)) for gate in "ifo")
    c = f * c + i * tanh(w.affine("g", x=x, m=m))
    return tanh(c) * o, c


def lstm_control(w: Weights, x: Tensor, h: Tensor, v: Tensor, c: Tensor) -> State:
    i, f, o, m = (sigmoid(w.affine(gate, x=x, v=v)) for gate in "ifom")
    c = f * c + i * tanh(w.affine("n", x=x, v=v))
    return o * tanh(c), m * tanh(c), c


def lstm_wm(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    def gate(name: str, memory: Tensor) -> Tensor:
        return sigmoid(w.affine(f"{name}1", x=x, h=h) + tanh(w.product(f"{name}2", c=memory)))

    new = gate("f", c) * c + gate("i", c) * tanh(w.affine("g", x=x, h=h))
    return gate("o", new) * tanh(new), new


def lstm_residual(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    def gate(name: str, memory: Tensor) -> Tensor:
        return sigmoid(w.affine(name, x=x, h=h) + w[f"{name}/p"] * memory)

    new = gate("f", c) * c + gate("i", c) * tanh(w.affine("g", x=x, h=h))
    return gate("o", new) * (w.product("h", {"tanh(c)": tanh(new)}) + w.brought("h", x=x)), new


def lstm_mogrifier(w: Weights, x: Tensor, h: Tensor, c: Tensor) -> State:
    x = w.brought("x0", x=x)
    x = 2 * sigmoid(w.product("x1", h=h)) * x  # (1)
    h = 2 * sigmoid(w.product("h2", x1=x)) * h  # (2)
    x = 2 * sigmoid(w.product("x3", h2=h)) * x
    h = 2 * sigmoid(w.product("h4", x3=x)) * h
    x = 2 * sigmoid(w.product("x5", h4=h)) * x
    i, f, o = (sigmoid(w.affine(gate, x5=x, h4=h)) for gate in "ifo")
    c = f * c + i * tanh(w.affine("g", x5=x, h4=h))
    return o * tanh(c), c


_PARTS = ("peephole", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "np")
STEPS = (
    lstm,
    *(ablated(part) for part in _PARTS),
    lstm_fgr,
    lstm_coupled,
    lstm_ln,
    lstm_nas_bench,
    slstm,
    slstm4,
    lstm_1997,
    lstm_mult,
    lstm_control,
    lstm_wm,
    lstm_residual,
    lstm_mogrifier,
)
