"""Variational dropout and weight drop against what they are, written out in float64 with the same masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nas_rnn.cells import Cell, cell, linear, parse_cell
from nas_rnn.cells.graph.nodes import State as StateNode
from nas_rnn.cells.graph.operations import tanh
from nas_rnn.cells.zoo.classic import lstm, rnn
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN, regularise
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.execution.fused.kernels import prepare
from nas_rnn.execution.layout import Layout, make_layout
from nas_rnn.execution.reference import Interpreter
from nas_rnn.execution.reparametrise import matrices_of
from nas_rnn.execution.unrolled import Unrolled
from tests.execution.zoo import zoo_cells
from tests.random_cells import cells, random_cell

ZOO = zoo_cells()
X, H = 4, 8
BOTH = {"variational_dropout": 0.4, "weight_drop": 0.3}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to call an RNN; ``lengths``: as a packed batch."""

    layers: int = 1
    bidirectional: bool = False
    lengths: tuple[int, ...] | None = None
    variational_dropout: float = 0.4
    weight_drop: float = 0.3


CASES = [
    Case(),
    Case(weight_drop=0.0),
    Case(variational_dropout=0.0),
    Case(layers=2, bidirectional=True),
    Case(layers=3, lengths=(2, 5, 3)),
    Case(bidirectional=True, lengths=(4, 1, 4)),
]


def reads_a_state(layout: Layout, index: int) -> bool:
    node = layout.canonical.nodes[index]
    return isinstance(node, StateNode) or any(reads_a_state(layout, i) for i in node.inputs)


def masked(layout: Layout, tensors: dict[str, Tensor], masks: Iterator[Tensor]) -> dict[str, Tensor]:
    """Return the tensors with every matrix that reads something of a state masked, matrix by matrix."""
    places = {m.place for m in layout.matrices if reads_a_state(layout, m.source)}
    result = dict(tensors)
    for name in sorted({place.tensor for place in places}):
        rows = list(result[name])
        for place in sorted(place for place in places if place.tensor == name):
            mask = next(masks)
            rows[place.start : place.stop] = [
                a * b for a, b in zip(rows[place.start : place.stop], mask, strict=True)
            ]
        result[name] = torch.stack(rows)
    return result


def written_out(
    model: RNN, case: Case, x_TBI: Tensor, masks: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return each sequence's outputs (length, size) and all final states (B, size), one sequence at a time."""
    left = iter(masks)
    batch = range(x_TBI.shape[1])
    lengths = case.lengths or [len(x_TBI)] * len(batch)
    inputs = [x_TBI[: lengths[b], b] for b in batch]
    finals: list[Tensor] = []

    def features(sequences: list[Tensor]) -> list[Tensor]:
        if not case.variational_dropout:
            return sequences
        mask = next(left)  # a row for each sequence, the longest first
        longest = sorted(batch, key=lambda b: -lengths[b])
        return [sequences[b] * mask[longest.index(b)] for b in batch]

    for layer in range(model.num_layers):
        inputs = features(inputs)
        found: list[list[Tensor]] = [[] for _ in batch]
        for reverse in (False, True)[: 1 + case.bidirectional]:
            layout, tensors = model.layer(layer, reverse)
            tensors = masked(layout, tensors, left) if case.weight_drop else tensors
            step = Interpreter(layout, matrices_of(layout, tensors)).step
            ends = []
            for b in batch:
                state = tuple(
                    torch.full((1, size), float(path.init), dtype=torch.float64)
                    for path, size in zip(model.cell.states, layout.state_sizes, strict=True)
                )
                outputs = []
                for x_I in inputs[b].flip(0) if reverse else inputs[b]:
                    state = step(x_I[None], state)
                    outputs.append(state[0][0])
                found[b].append(torch.stack(outputs[::-1] if reverse else outputs))
                ends.append(state)
            finals += [torch.cat(path) for path in zip(*ends, strict=True)]
        inputs = [torch.cat(directions, -1) for directions in found]
    outputs_of = features(inputs)
    assert next(left, None) is None
    return outputs_of, finals


def called(model: RNN, case: Case, x_TBI: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    if case.lengths is None:
        output, state = model(x_TBI)
        sequences = list(output.unbind(1))
    else:
        lengths = torch.tensor(case.lengths)
        packed, state = model(pack_padded_sequence(x_TBI, lengths, enforce_sorted=False))
        output = pad_packed_sequence(packed)[0]
        sequences = [output[:length, b] for b, length in enumerate(case.lengths)]
    rows = range(state[0].shape[0])
    return sequences, [path[row] for row in rows for path in state]


def judged(model: RNN, x: Tensor, results: tuple[list[Tensor], list[Tensor]]) -> list[Tensor]:
    """Return outputs, states, and the gradients of something that all of them enter."""
    everything = [*results[0], *results[1]]
    value = torch.stack(
        [(t * torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).view_as(t)).sum() for t in everything]
    )
    leaves = [x, *model.parameters()]
    total = value.sum() + 0 * x.sum()  # so that a cell which reads nothing has gradients, too
    grads = torch.autograd.grad(total, leaves, allow_unused=True)
    none = [torch.zeros_like(leaf) for leaf in leaves]
    return everything + [n if g is None else g for g, n in zip(grads, none, strict=True)]


def check(
    tested: Cell, case: Case, backend: str, monkeypatch: pytest.MonkeyPatch, tame_only: bool = False
) -> bool:
    """Compare one call with what it stands for; False for a random cell that overflows."""
    if any(path.size == "input" for path in tested.states):
        case = Case(lengths=case.lengths)
    model = RNN(
        tested, X, H, case.layers, bidirectional=case.bidirectional, dtype=torch.float64, backend=backend,
        variational_dropout=case.variational_dropout, weight_drop=case.weight_drop,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    x = torch.randn(5, 3, X, dtype=torch.float64, requires_grad=True)
    drawn: list[Tensor] = []

    def recorded(tensor: Tensor, rate: float) -> Tensor:
        drawn.append(mask_like(tensor, rate))
        return drawn[-1]

    mask_like = regularise.mask_like
    with monkeypatch.context() as patch:
        patch.setattr(regularise, "mask_like", recorded)
        ours = judged(model, x, called(model, case, x))
    expected = judged(model, x, written_out(model, case, x, drawn))
    if tame_only and not all(tensor.isfinite().all() for tensor in expected):
        return False
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10, equal_nan=True)
    return True


@pytest.mark.parametrize("backend", ["eager", "reference"])
@pytest.mark.parametrize("name", ZOO)
def test_published_cells(name: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = list(ZOO).index(name)
    check(ZOO[name], CASES[number % len(CASES)], backend, monkeypatch)
    check(ZOO[name], CASES[3], backend, monkeypatch)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_cells(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some published and some random ones, compiled together for each way to call them."""
    tested = [ZOO[name] for name in ("lstm", "gru", "rnn", "slstm4", "rhn3", "lstm_ln")]
    tested += [random_cell(np.random.default_rng(seed)) for seed in range(4)]
    sizes = {X, H * (1 + case.bidirectional)} if case.layers > 1 else {X}
    prepare([make_layout(one.canonical(), size, H) for one in tested for size in sizes], torch.float64)
    assert sum(check(one, case, "fused", monkeypatch, tame_only=True) for one in tested) >= len(tested) - 2


@settings(deadline=None)  # the first calls compile
@given(cells())
def test_random_cells(tested: Cell) -> None:
    with pytest.MonkeyPatch.context() as patch:
        check(tested, CASES[len(tested.to_text()) % len(CASES)], "eager", patch, tame_only=True)


def test_an_rnn_by_its_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """h' = tanh(W (m x) + (M U) h + b), and n h' is the output: m, M and n are zero or 1 / share that is kept."""
    model = RNN(rnn, X, H, dtype=torch.float64, **BOTH)
    x = torch.randn(7, 3, X, dtype=torch.float64)
    drawn: list[Tensor] = []
    mask_like = regularise.mask_like
    monkeypatch.setattr(
        regularise, "mask_like", lambda tensor, rate: drawn.append(mask_like(tensor, rate)) or drawn[-1]
    )
    output, (final,) = model(x)
    m, big, n = drawn
    assert (m.shape, big.shape, n.shape) == ((3, X), (H, H), (3, H))
    assert set(m.unique().tolist()) <= {0.0, 1 / 0.6} and set(big.unique().tolist()) <= {0.0, 1 / 0.7}
    h, outputs = torch.zeros(3, H, dtype=torch.float64), []
    for x_BI in x:
        h = torch.tanh((x_BI * m) @ model.weight_ih_l0.T + h @ (model.weight_hh_l0 * big).T + model.bias_l0)
        outputs.append(h * n)
    torch.testing.assert_close(output, torch.stack(outputs))
    torch.testing.assert_close(final[0], h)  # what is carried on is not masked
    output.sum().backward()
    assert model.weight_hh_l0.grad is not None
    assert torch.equal(model.weight_hh_l0.grad == 0, big == 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_at_rate_0_nothing_is_computed_or_drawn_otherwise(backend: str) -> None:
    torch.manual_seed(1)
    plain = RNN(lstm, X, H, 2, dropout=0.5, backend=backend)
    torch.manual_seed(1)
    zero = RNN(lstm, X, H, 2, dropout=0.5, backend=backend, variational_dropout=0.0, weight_drop=0.0)
    x = torch.randn(5, 3, X)
    results = []
    for model in (plain, zero):
        torch.manual_seed(2)
        output, _ = model(x)
        output.sum().backward()
        results.append([output, *(parameter.grad for parameter in model.parameters()), torch.get_rng_state()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_evaluation_ignores_both(backend: str) -> None:
    model = RNN(lstm, X, H, 2, backend=backend, **BOTH).eval()
    plain = RNN(lstm, X, H, 2, backend=backend).eval()
    plain.load_state_dict(model.state_dict())
    x = torch.randn(5, 3, X)
    assert torch.equal(model(x)[0], plain(x)[0])
    torch.testing.assert_close(
        Unrolled(model.train())(x)[0], plain(x)[0]
    )  # what gradient flow is measured by


@pytest.mark.parametrize("option", BOTH)
def test_masks_are_drawn_anew_at_every_call_and_are_the_same_at_one_seed(option: str) -> None:
    model, x = RNN(lstm, X, 40, **{option: 0.5}), torch.randn(5, 3, X)
    torch.manual_seed(3)
    first, second = model(x)[0], model(x)[0]
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(model(x)[0], first)


def test_all_backends_draw_the_same_masks() -> None:
    model, x = (
        RNN(lstm, X, H, 2, bidirectional=True, dtype=torch.float64, **BOTH),
        torch.randn(5, 3, X).double(),
    )
    results = []
    for backend in BACKENDS:
        model.backend = backend
        torch.manual_seed(4)
        results.append(model(x)[0])
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])


def test_the_share_that_is_dropped() -> None:
    mask = regularise.mask_like(torch.zeros(200, 500), 0.3)
    assert abs(float((mask == 0).float().mean()) - 0.3) < 0.01
    assert abs(float(mask.mean()) - 1.0) < 0.01
    assert not regularise.mask_like(torch.zeros(5), 1.0).any()


@cell
def read_twice(x, h):  # type: ignore[no-untyped-def]
    """Its first matrix of hidden size reads no state."""
    seen = tanh(linear(x))
    return tanh(linear(seen) + linear(h) + linear(tanh(linear(h))))


def test_what_reads_the_input_alone_is_no_recurrent_matrix() -> None:
    layout = make_layout(read_twice.canonical(), X, H)
    spans = layout.recurrent_rows["weight_hh"]
    assert sum(stop - start for start, stop in spans) == 3 * H
    assert dict(layout.shapes)["weight_hh"] == (4 * H, H)
    assert list(layout.recurrent_rows) == ["weight_hh"]


def test_matrices_of_states_of_input_size_and_of_heads_are_recurrent() -> None:
    text = "def heads(x, h):\n    return tanh(linear(x, h, heads=2))\n"
    layout = make_layout(parse_cell(text).canonical(), X, H)
    assert layout.recurrent_rows == {"weight_heads_1": ((0, 2),)}


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("rate", [1.5, -0.1, True, "much"])
def test_rates_that_are_none(name: str, rate: object) -> None:
    with pytest.raises(UserError, match=f"{name} is the share of .*, from 0 to 1, not"):
        RNN(lstm, X, H, **{name: rate})  # type: ignore[arg-type]


def test_printed_where_there_are_any() -> None:
    assert "variational_dropout=0.4, weight_drop=0.3" in repr(RNN(lstm, X, H, **BOTH))
