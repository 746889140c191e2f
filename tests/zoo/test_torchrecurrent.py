"""Published cells against those of torchrecurrent, by another author from the same papers, with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torchrecurrent
from torch import Tensor, nn

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.execution import RNN
from nas_rnn.execution.layout import make_layout
from tests.execution.zoo import zoo_cells
from tests.zoo.named_weights import named_places, read

CELLS = zoo_cells()
BACKENDS = ("eager", "reference", "fused")
INPUTS, HIDDEN, STEPS, BATCH = 5, 7, 6, 3
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
    "lstm_multiplicative": Twin(
        "MultiplicativeLSTMCell",
        {
            "weight_ih": ["m1/x", *gates("i f g o", "x")],
            "weight_hh": ["m2/h"],
            "weight_mh": gates("i f g o", "m"),
            "bias_ih": [None, *gates("i f g o", "bias")],
        },
        double,
    ),
    "lstm_memory_control": Twin("MCLSTMCell", plain("f i o m n", "v"), beside),
    "lstm_working_memory": Twin(
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
            "weight_hh": ["u/h", "z/h5", "g/h", "a/h"],
            "bias_ih": gates("u z g a", "bias"),
        },
        delayed,
    ),
    "antisymmetricrnn": Twin(
        "AntisymmetricRNNCell",
        {"weight_ih": ["h/x"], "weight_hh": ["h/h"], "bias_ih": ["h/bias"]},
        options={"epsilon": 0.1, "gamma": 0.01},
    ),
    "antisymmetricrnn_gated": Twin(
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
    "lstm_1997": (LSTM_1997_OF_THE_PACKAGE, Twin("OriginalLSTMCell", plain("i g o"), double)),
}
"""Cells that the package has otherwise than the paper: what it computes, in our language."""


def worst_error(cell: Cell, twin: Twin, backend: str) -> float:
    """Compare outputs, final states and gradients; return the largest error, relative to the largest value or to 1."""
    torch.manual_seed(3)
    rnn = RNN(cell, twin.inputs, HIDDEN, backend=backend, dtype=torch.float64)
    layout = make_layout(cell.canonical(), twin.inputs, HIDDEN)
    packed = dict(zip(dict(layout.shapes), rnn.parameters(), strict=True))
    places = named_places(cell, layout)
    with torch.no_grad():
        for parameter in packed.values():
            parameter += 0.4 * torch.randn_like(parameter)
    theirs = getattr(torchrecurrent, twin.theirs)(twin.inputs, HIDDEN, dtype=torch.float64, **twin.options)
    theirs.double()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(filled(parameter, twin.weights.get(name, ()), packed, places))
    mapped = {name for names in twin.weights.values() for name in names if name is not None}
    assert mapped == set(places), "a weight of ours has no place in theirs"
    sizes = [twin.inputs if path.size == "input" else HIDDEN for path in cell.states]
    starts = tuple(torch.rand(BATCH, size, dtype=torch.float64, requires_grad=True) for size in sizes)
    x = torch.randn(STEPS, BATCH, twin.inputs, dtype=torch.float64, requires_grad=True)
    ours, final = rnn(x, tuple(start[None] for start in starts))
    state, outputs = starts, []
    for x_t in x:
        output, state = twin.run(theirs, x_t, state)
        outputs.append(output)
    pairs = [(ours, torch.stack(outputs)), *((a[0], b) for a, b in zip(final, state, strict=True))]
    their_weights = [theirs.get_parameter(name) for name in twin.weights]
    mine = gradients(pairs[0][0], [a for a, _ in pairs], [x, *starts, *packed.values()])
    other = gradients(pairs[0][1], [b for _, b in pairs], [x, *starts, *their_weights])
    count = 1 + len(starts)
    pairs += list(zip(mine[:count], other[:count], strict=True))
    mine_by_name = dict(zip(packed, mine[count:], strict=True))
    for gradient, names in zip(other[count:], twin.weights.values(), strict=True):
        for part, name in zip(gradient.reshape(len(names), -1), names, strict=True):
            if name is not None:
                pairs.append((read(places[name], mine_by_name).flatten(), part))
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    return max(float(((a - b).abs().max() / b.abs().max().clamp(min=1.0)).detach()) for a, b in pairs)


def filled(
    like: Tensor, names: Sequence[str | None], packed: Mapping[str, Tensor], places: Mapping[str, Any]
) -> Tensor:
    """Return a tensor of the shape of ``like`` with our weights one below the other."""
    if not names:
        return torch.zeros_like(like)
    rows = like.numel() // len(names)
    parts = [like.new_zeros(rows) if n is None else read(places[n], packed).flatten() for n in names]
    return torch.cat(parts).reshape(like.shape)


def gradients(output: Tensor, values: Sequence[Tensor], leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the gradients of a number to which every output and final state contributes differently."""
    flat = torch.cat([output.flatten(), *(value.flatten() for value in values)])
    loss = (flat * torch.linspace(-1, 1, flat.numel(), dtype=flat.dtype)).sum() + (flat * flat).sum()
    return torch.autograd.grad(loss, leaves, materialize_grads=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TWINS)
def test_a_cell_computes_what_torchrecurrent_does(
    name: str, backend: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("worst error", worst_error(CELLS[name], TWINS[name], backend))


@pytest.mark.parametrize("name", DEPARTURES)
def test_where_the_package_departs_from_the_paper_it_computes_this(name: str) -> None:
    text, twin = DEPARTURES[name]
    departed = parse_cell(text)
    worst_error(departed, twin, "eager")
    assert departed.digest != CELLS[name].digest


def test_nothing_of_the_package_is_missing() -> None:
    known = {twin.theirs for twin in TWINS.values()} | {twin.theirs for _, twin in DEPARTURES.values()}
    package = {name for name in torchrecurrent.cells.__all__ if name.endswith("Cell")}
    assert known <= package
    assert package - known == ELSEWHERE


ELSEWHERE = {
    *("CFNCell", "FastGRNNCell", "FastRNNCell", "IndRNNCell", "JANETCell", "LEMCell", "MGUCell", "MUT1Cell"),
    *("MUT2Cell", "MUT3Cell", "NASCell", "PeepholeLSTMCell", "RANCell", "STARCell", "UGRNNCell", "coRNNCell"),
}
"""Cells of the package that are in the zoo, and are tested against the papers alone."""
