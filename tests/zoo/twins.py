"""How cells of torchrecurrent are called, and which of our weights lie where in theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

INPUTS, HIDDEN = 5, 7
State = tuple[Tensor, ...]
Run = Callable[[nn.Module, Tensor, State], tuple[Tensor, State]]


def single(cell: nn.Module, x: Tensor, state: State) -> tuple[Tensor, State]:
    """One state, which is the output."""
    new = cell(x, *state)
    return new, (new,)


def double(cell: nn.Module, x: Tensor, state: State) -> tuple[Tensor, State]:
    """Two states, of which the first is the output."""
    new = cell(x, state)
    return new[0], new


def twice(cell: nn.Module, x: Tensor, state: State) -> tuple[Tensor, State]:
    """One state, which theirs keeps under two names."""
    new, _ = cell(x, (state[0], state[0]))
    return new, (new,)


def beside(cell: nn.Module, x: Tensor, state: State) -> tuple[Tensor, State]:
    """The output is no state; it is a state path of ours that nothing reads."""
    _, *own = state
    output, new = cell(x, own[0] if len(own) == 1 else tuple(own))
    return output, (output, *(new if isinstance(new, tuple) else (new,)))


def delayed(cell: nn.Module, x: Tensor, state: State) -> tuple[Tensor, State]:
    """One state, and those of the steps before it."""
    new = cell(x, state[0], state[-1])
    return new, (new, *state[:-1])


class HardSigmoid(nn.Module):
    """As torch's own, whose gradient has the slope 1/6 rounded to float32."""

    def forward(self, a: Tensor) -> Tensor:
        return nn.functional.relu6(a + 3) / 6


@dataclass(frozen=True)
class Twin:
    """A cell of the package: ``weights`` says which of ours lie in each of its tensors, from the top; None: 0 there."""

    theirs: str
    weights: Mapping[str, Sequence[str | None]]
    run: Run = single
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: int = INPUTS
    kept: tuple[str, ...] = ()
    """Tensors of theirs that stay as they are."""


def gates(names: str, *sources: str) -> list[str]:
    """Return ``i/x``, ``f/x``... for the gates ``i f`` and the source ``x``."""
    return [f"{gate}/{source}" for gate in names.split() for source in sources]


def plain(names: str, state: str = "h") -> dict[str, list[str]]:
    """Return the tensors of a cell whose gates all read x and a state by full matrices."""
    return {
        "weight_ih": gates(names, "x"),
        "weight_hh": gates(names, state),
        "bias_ih": gates(names, "bias"),
    }


TWINS: dict[str, Twin] = {
    "cornn": Twin(
        "coRNNCell",
        {"weight_ih": ["z/x"], "weight_hh": ["z/y"], "weight_ch": ["z/z"], "bias_ih": ["z/bias"]},
        double,
        {"dt": 0.042, "gamma": 2.7, "epsilon": 4.7},
    ),
    "indrnn": Twin(
        "IndRNNCell",
        {"weight_ih": ["h/x"], "vector_u": ["h/p"], "bias_ih": ["h/bias"]},
        options={"nonlinearity": "relu"},
    ),
    "ran": Twin(
        "RANCell",
        {
            "weight_ih": gates("c i f", "x"),
            "weight_hh": gates("i f", "h"),
            "bias_ih": gates("i f", "bias"),
        },
        double,
    ),
    "fastrnn": Twin("FastRNNCell", {**plain("n"), "alpha": ["alpha/s"], "beta": ["beta/s"]}),
    "fastgrnn": Twin(
        "FastGRNNCell",
        {
            "weight_ih": ["s/x"],
            "weight_hh": ["s/h"],
            "bias_ih": gates("z n", "v"),
            "zeta": ["zeta/s"],
            "nu": ["nu/s"],
        },
        options={"nonlinearity": "sigmoid"},
    ),
    "mgu": Twin(
        "MGUCell",
        {
            "weight_ih": gates("f n", "x"),
            "weight_hh": ["f/h", "n/f * h"],
            "bias_ih": gates("f n", "bias"),
        },
    ),
    "ugrnn": Twin("UGRNNCell", plain("c g")),
    "cfn": Twin(
        "CFNCell",
        {
            "weight_ih": gates("theta eta h", "x"),
            "weight_hh": gates("theta eta", "h"),
            "bias_ih": [*gates("theta eta", "bias"), None],
        },
    ),
    "star": Twin(
        "STARCell", {"weight_ih": gates("z k", "x"), "weight_hh": ["k/h"], "bias_ih": gates("z k", "bias")}
    ),
    "janet": Twin("JANETCell", plain("s g"), twice, kept=("beta",)),
    "lstm_peephole": Twin("PeepholeLSTMCell", {**plain("i f g o"), "weight_ph": gates("i f o", "p")}, double),
    "mut1": Twin(
        "MUT1Cell",
        {
            "weight_ih": gates("z r n", "x"),
            "weight_hh": ["r/h", "n/r * h"],
            "bias_ih": [*gates("z r", "bias"), None],
            "bias_hh": [None, "n/bias"],
        },
    ),
    "mut2": Twin(
        "MUT2Cell",
        {
            "weight_ih": gates("z r n", "x"),
            "weight_hh": ["z/h", "r/h", "n/r * h"],
            "bias_ih": gates("z r n", "bias"),
        },
    ),
    "mut3": Twin(
        "MUT3Cell",
        {
            "weight_ih": gates("z r n", "x"),
            "weight_hh": ["z/tanh(h)", "r/h", "n/r * h"],
            "bias_ih": gates("z r n", "bias"),
        },
    ),
    "atr": Twin(
        "ATRCell",
        {"weight_ih": ["p/x"], "weight_hh": ["q/h"], "bias_ih": ["p/bias"], "bias_hh": ["q/bias"]},
    ),
    "brc": Twin(
        "BRCell",
        {"weight_ih": gates("a c h", "x"), "weight_hh": gates("a c", "p"), "bias_ih": gates("a c h", "bias")},
    ),
    "nbrc": Twin(
        "NBRCell",
        {"weight_ih": gates("a c h", "x"), "weight_hh": gates("a c", "h"), "bias_ih": gates("a c h", "bias")},
    ),
    "sgrn": Twin("SGRNCell", {"weight_ih": ["s/x"], "weight_hh": ["f/h"], "bias_hh": ["f/bias"]}),
    "lightru": Twin(
        "LightRUCell",
        {"weight_ih": gates("n f", "x"), "weight_hh": ["f/h"], "bias_ih": gates("n f", "bias")},
    ),
    "ligru": Twin("LiGRUCell", plain("z n")),
    "minimalrnn": Twin(
        "MinimalRNNCell",
        {
            "weight_ih": ["z/x"],
            "weight_hh": ["u/h"],
            "weight_mm": ["u/z"],
            "bias_ih": ["z/bias"],
            "bias_hh": ["u/bias"],
        },
    ),
    "intersectionrnn": Twin("IntersectionRNNCell", plain("y_in h_in g_y g_h"), beside, inputs=HIDDEN),
    "sgu": Twin(
        "SGUCell",
        {
            "weight_ih": ["g1/x", "z/x"],
            "weight_hh": ["g2/linear(x) * h", "z/h"],
            "bias_ih": ["g1/bias", "z/bias"],
        },
        options={"gate_nonlinearity": HardSigmoid()},
    ),
    "dsgu": Twin(
        "DSGUCell",
        {
            "weight_ih": ["g1/x", "z/x"],
            "weight_hh": ["g2/linear(x) * h", "z/h"],
            "weight_ho": ["out/g * h"],
            "bias_ih": ["g1/bias", "z/bias"],
        },
        options={"gate_nonlinearity": HardSigmoid()},
    ),
    "miru1": Twin(
        "MiRU1Cell",
        {
            "weight_ih": gates("r n", "x"),
            "weight_hh": ["r/h", "n/r * h"],
            "bias_ih": gates("r n", "bias"),
        },
    ),
    "miru2": Twin("MiRU2Cell", {"weight_ih": ["n/x"], "weight_hh": ["n/0.5 * h"], "bias_ih": ["n/bias"]}),
    "lstm_mult": Twin(
        "MultiplicativeLSTMCell",
        {
            "weight_ih": ["m1/x", *gates("i f g o", "x")],
            "weight_hh": ["m2/h"],
            "weight_mh": gates("i f g o", "m"),
            "bias_ih": [None, *gates("i f g o", "bias")],
        },
        double,
    ),
    "lstm_control": Twin("MCLSTMCell", plain("f i o m n", "v"), beside),
    "lstm_wm": Twin(
        "WMCLSTMCell",
        {
            "weight_ih": gates("i1 f1 g o1", "x"),
            "weight_hh": gates("i1 f1 g o1", "h"),
            "weight_mh": gates("i2 f2 o2", "c"),
            "bias_ih": gates("i1 f1 g o1", "bias"),
        },
        double,
    ),
    "lstm_residual": Twin(
        "ResLSTMCell",
        {
            **plain("i f g o"),
            "weight_ph": gates("i f o", "p"),
            "weight_proj": ["h/tanh(c)"],
            "weight_res": ["h/x"],
        },
        double,
    ),
    "unicornn": Twin(
        "UnICORNNCell",
        {"weight_ih": ["z/x"], "weight_hh": ["z/p"], "weight_ch": ["dt/v"], "bias_ih": ["z/bias"]},
        double,
        {"dt": 0.19, "alpha": 30.65},
    ),
    "taugru": Twin(
        "tauGRUCell",
        {
            "weight_ih": gates("u z g a", "x"),
            "weight_hh": ["u/h", "z/h3", "g/h", "a/h"],
            "bias_ih": gates("u z g a", "bias"),
        },
        delayed,
    ),
    "antisym_rnn": Twin(
        "AntisymmetricRNNCell",
        {"weight_ih": ["h/x"], "weight_hh": ["h/h"], "bias_ih": ["h/bias"]},
        options={"epsilon": 0.1, "gamma": 0.01},
    ),
    "antisym_gated": Twin(
        "GatedAntisymmetricRNNCell",
        {"weight_ih": gates("z h", "x"), "weight_hh": ["turned/h"], "bias_ih": gates("z h", "bias")},
        options={"epsilon": 0.1, "gamma": 0.01},
    ),
    "trnn": Twin("TRNNCell", {"weight_ih": gates("z f", "x"), "bias_ih": [None, "f/bias"]}),
    "tgru": Twin("TGRUCell", plain("z f o", "last"), double),
    "tlstm": Twin("TLSTMCell", plain("z f o", "last"), beside),
}
"""Ours and theirs compute the same, given the same weights; where we have a bias less, theirs is 0."""

SCRN_OF_THE_PACKAGE = """
@cell
def scrn(x, h, s):
    alpha = scalar(0.5)
    s = (1 - alpha) * linear(x) + alpha * s
    u = sigmoid(linear(s, x, h))
    return tanh(linear(u, s)), s
"""
LSTM_1997_OF_THE_PACKAGE = """
@cell
def lstm_1997(x, h, c):
    i = sigmoid(linear(x, h))
    o = sigmoid(linear(x, h))
    g = tanh(linear(x, h))
    c = c + i * g
    return o * tanh(c), c
"""
LEM_OF_THE_PACKAGE = """
@cell
def lem(x, y, z):
    dt1 = sigmoid(linear(x, y))
    dt2 = sigmoid(linear(x, y))
    new = blend(dt1, tanh(linear(x, y)), z)
    y = blend(dt2, tanh(linear(x, z)), y)
    return y, new
"""
NASCELL_OF_THE_PACKAGE = """
@cell
def nascell(x, h, c):
    a1 = sigmoid(linear(x, h))
    a2 = relu(linear(x, h))
    a3 = sigmoid(linear(x, h))
    a4 = relu(linear(x, h))
    a5 = tanh(linear(x, h))
    a6 = sigmoid(linear(x, h))
    a7 = tanh(linear(x, h))
    a8 = sigmoid(linear(x, h))
    b1 = tanh(tanh(a1 * a2) + c)
    b2 = tanh(a3 + a4)
    b3 = tanh(a5 * a6)
    b4 = sigmoid(a7 + a8)
    c = b1 * b2
    return tanh(c * tanh(b3 + b4)), c
"""
DEPARTURES: dict[str, tuple[str, Twin]] = {
    "scrn": (
        SCRN_OF_THE_PACKAGE,
        Twin(
            "SCRNCell",
            {
                "weight_ih": ["s/x", "u/x"],
                "weight_hh": ["u/h", "h/u"],
                "weight_ch": ["u/s", "h/s"],
                "bias_ih": ["s/bias", "u/bias"],
                "bias_hh": [None, "h/bias"],
                "alpha": ["alpha/s"],
            },
            double,
        ),
    ),
    "lem": (
        LEM_OF_THE_PACKAGE,
        Twin(
            "LEMCell",
            {
                "weight_ih": gates("dt2 dt1 new y", "x"),
                "weight_hh": gates("dt2 dt1 new", "y"),
                "weight_ch": ["y/z"],
                "bias_ih": gates("dt2 dt1 new y", "bias"),
            },
            double,
        ),
    ),
    "nascell": (
        NASCELL_OF_THE_PACKAGE,
        Twin("NASCell", plain("a1 a2 a3 a4 a5 a6 a7 a8"), double),
    ),
    "lstm_1997": (LSTM_1997_OF_THE_PACKAGE, Twin("OriginalLSTMCell", plain("i g o"), double)),
}
"""Cells that the package has otherwise than the paper: what it computes, in our language."""
