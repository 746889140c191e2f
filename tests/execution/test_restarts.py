"""Sequences that begin anew within a batch: each part is what it would be alone, with all its gradients."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused import backend as fused_backend
from nas_rnn.execution.fused import compiled
from tests.execution.scaled import assert_close_to_scale
from tests.execution.zoo import zoo_cells
from tests.random_cells import cells

ZOO = zoo_cells()
EXACT = {"rtol": 1e-10, "atol": 1e-12, "equal_nan": True}
T, B = 7, 3
State = tuple[Tensor, ...]


def draw(steps: int = T, batch: int = B) -> Tensor:
    """Return restarts of which columns begin anew at different steps, one never and one at the first."""
    restarts = torch.rand(steps, batch) < 0.35
    restarts[:, 0] = False
    restarts[0, batch - 1] = True
    return restarts


def make(tested: Cell, backend: str, **options: bool | float) -> RNN:
    inputs = 8 if any(path.size == "input" for path in tested.states) else 4
    rnn = RNN(tested, inputs, 8, dtype=torch.float64, backend=backend, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return rnn


def starts(rnn: RNN) -> State:
    return tuple(0.5 * torch.randn_like(s).requires_grad_() for s in rnn.start(B, dtype=torch.float64))


def apart(rnn: RNN, x_TBI: Tensor, state: State, restarts_TB: Tensor) -> tuple[Tensor, State]:
    """Run every part of every sequence by itself; ``rnn`` takes T first.

    Forward directions end in a sequence's last part, backward ones in its first.
    """
    directions = 1 + rnn.bidirectional
    outputs, finals = [], []
    for b in range(x_TBI.shape[1]):
        cuts = [0, *(t for t in range(1, len(x_TBI)) if restarts_TB[t, b]), len(x_TBI)]
        parts, ends = [], []
        for first, last in itertools.pairwise(cuts):
            own = rnn.start(dtype=torch.float64)
            given = []
            for path, start in zip(state, own, strict=True):
                rows = list(start)
                for row in range(len(rows)):
                    forward = row % directions == 0
                    kept = first == 0 and not restarts_TB[0, b] if forward else last == len(x_TBI)
                    rows[row] = path[row, b] if kept else rows[row]
                given.append(torch.stack(rows))
            output, end = rnn(x_TBI[first:last, b], tuple(given))
            parts.append(output)
            ends.append(end)
        outputs.append(torch.cat(parts))
        finals.append(
            tuple(
                torch.stack([ends[-1 if row % directions == 0 else 0][k][row] for row in range(len(path))])
                for k, path in enumerate(state)
            )
        )
    return torch.stack(outputs, 1), tuple(torch.stack(path, 1) for path in zip(*finals, strict=True))


def gradients(results: tuple[Tensor, State], leaves: list[Tensor]) -> list[Tensor]:
    flat = torch.cat([results[0].flatten(), *(s.flatten() for s in results[1])])
    weights = torch.linspace(-1, 1, flat.numel(), dtype=flat.dtype)
    value = (flat * weights).sum()
    if not value.requires_grad:
        return []
    found = torch.autograd.grad(value, leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found, strict=True)]


def compare(rnn: RNN, restarts_TB: Tensor | None = None, tame_only: bool = False) -> None:
    x = torch.randn(T, B, rnn.input_size, dtype=torch.float64, requires_grad=True)
    state, restarts = starts(rnn), draw() if restarts_TB is None else restarts_TB
    leaves = [x, *state, *rnn.parameters()]
    expected = apart(rnn, x, state, restarts)
    ours = rnn(x, state, restarts)
    wanted, found = gradients(expected, leaves), gradients(ours, leaves)
    if tame_only and not all(t.isfinite().all() for t in (expected[0], *expected[1], *wanted)):
        return
    if tame_only:
        assert_close_to_scale((ours[0], *ours[1]), (expected[0], *expected[1]))
        assert_close_to_scale(found, wanted)
        return
    torch.testing.assert_close(ours, expected, **EXACT)
    torch.testing.assert_close(found, wanted, **EXACT)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ZOO)
def test_published_cells(name: str, backend: str) -> None:
    compare(make(ZOO[name], backend))


@pytest.mark.parametrize("backend", ["eager", "reference"])
@settings(max_examples=40, deadline=None)
@given(tested=cells())
def test_random_cells(backend: str, tested: Cell) -> None:
    compare(make(tested, backend), tame_only=True)


OPTIONS = [
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True},
]
SCALED = parse_cell(
    "@cell\ndef scaled(x, h, m=state(init=-10.0)):\n"
    "    m = maximum(0.5 * m, tanh(linear(x, h)))\n"
    "    return tanh(linear(x, h) + m), m\n"
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("tested", [lstm, SCALED], ids=lambda cell: cell.name)
def test_layers_and_directions(tested: Cell, options: dict[str, bool | float], backend: str) -> None:
    compare(make(tested, backend, **options))
    everywhere = torch.ones(T, B, dtype=torch.bool)
    compare(make(tested, backend, **options), everywhere)
    compare(make(tested, backend, **options), ~everywhere)


def test_a_restart_at_the_first_step_overrides_the_state() -> None:
    rnn, x = make(SCALED, "auto"), torch.randn(T, B, 4, dtype=torch.float64)
    restarts = torch.zeros(T, B, dtype=torch.bool)
    state = starts(rnn)
    restarts[0, 1] = True
    output, final = rnn(x, state, restarts)
    torch.testing.assert_close(output[:, 1], rnn(x)[0][:, 1])
    torch.testing.assert_close(output[:, 0], rnn(x, state)[0][:, 0])
    torch.testing.assert_close(final[1][:, 1], rnn(x)[1][1][:, 1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_any_nothing_changes(backend: str) -> None:
    rnn, x = make(lstm, backend), torch.randn(T, B, 4, dtype=torch.float64)
    none = torch.zeros(T, B, dtype=torch.bool)
    torch.testing.assert_close(rnn(x, None, none), rnn(x), **EXACT)


@pytest.mark.parametrize("backend", BACKENDS)
def test_layouts_of_the_input(backend: str) -> None:
    """Restarts stand as the input stands: the batch first, or without a batch."""
    x, restarts = torch.randn(T, B, 4, dtype=torch.float64), draw()
    rnn = make(lstm, backend, num_layers=2)
    first = make(lstm, backend, num_layers=2, batch_first=True)
    first.load_state_dict(rnn.state_dict())
    expected, final = rnn(x, restarts=restarts)
    ours, our_final = first(x.transpose(0, 1), restarts=restarts.t())
    torch.testing.assert_close(ours.transpose(0, 1), expected, **EXACT)
    torch.testing.assert_close(our_final, final, **EXACT)
    for model in (rnn, first):
        alone, _ = model(x[:, 1], restarts=restarts[:, 1])
        torch.testing.assert_close(alone, expected[:, 1], **EXACT)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [(7, 4, 2), (2, 7, 5), (7, 7, 7)])
def test_packed(lengths: tuple[int, ...], backend: str) -> None:
    """Each sequence with its own restarts, in both directions; what stands after its end does not matter."""
    rnn = make(SCALED, backend, num_layers=2, bidirectional=True)
    x = torch.randn(T, B, 4, dtype=torch.float64, requires_grad=True)
    restarts = torch.ones(T, B, dtype=torch.bool)
    for b, length in enumerate(lengths):
        restarts[:length, b] = draw()[:length, b]
        restarts[[1, length - 1], b] = (
            True  # the last step that either direction reads, repeated after the end
        )
    state = starts(rnn)

    def packed(tensor: Tensor) -> PackedSequence:
        return pack_padded_sequence(tensor, torch.tensor(lengths), enforce_sorted=lengths == (7, 4, 2))

    output, final = rnn(packed(x), state, packed(restarts))
    padded = pad_packed_sequence(output)[0]
    leaves = [x, *state, *rnn.parameters()]
    for b, length in enumerate(lengths):
        alone = tuple(path[:, b] for path in state)
        expected = rnn(x[:length, b], alone, restarts[:length, b])
        here = padded[:length, b], tuple(path[:, b] for path in final)
        torch.testing.assert_close(here, expected, **EXACT)
        wanted = gradients(expected, leaves)
        found = torch.autograd.grad(
            torch.cat([here[0].flatten(), *(s.flatten() for s in here[1])]),
            leaves,
            torch.linspace(-1, 1, sum(t.numel() for t in (here[0], *here[1])), dtype=x.dtype),
            retain_graph=True,
        )
        torch.testing.assert_close(list(found), wanted, **EXACT)


def test_no_gradient_crosses_a_restart() -> None:
    rnn, x = make(lstm, "auto", num_layers=2), torch.randn(T, 2, 4, dtype=torch.float64, requires_grad=True)
    restarts = torch.zeros(T, 2, dtype=torch.bool)
    restarts[4, 0] = True
    state = tuple(s.detach().requires_grad_() for s in rnn.start(2))
    output, _ = rnn(x, state, restarts)
    to_x, *to_state = torch.autograd.grad(output[4:].sum(), [x, *state])
    assert not to_x[:4, 0].any() and not any(g[:, 0].any() for g in to_state)
    assert to_x[:4, 1].all() and to_x[4:].all() and all(g[:, 1].any() for g in to_state)


@pytest.mark.parametrize("lengths", [None, (40, 7, 23)])
def test_compiled_code_restarts(lengths: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for cells with a path that is computed for all steps at once."""
    eager: list[int] = []
    monkeypatch.setattr(compiled, "ROWS_AT_A_TIME", 21)
    monkeypatch.setattr(fused_backend, "run_eager", lambda *given: eager.append(1) or run_eager(*given))
    restarts = torch.rand(40, 3) < 0.2
    for tested, times in ((lstm, 0), (SCALED, 0), (ZOO["mingru"], 0), (ZOO["qrnn"], 1)):
        rnn = make(tested, "fused")
        x = torch.randn(40, 3, rnn.input_size, dtype=torch.float64)
        given = [x, restarts]
        if lengths is not None:
            given = [pack_padded_sequence(t, torch.tensor(lengths), enforce_sorted=False) for t in given]
        results = {}
        for name in ("fused", "reference"):
            eager.clear()
            rnn.backend = name
            rnn.zero_grad()
            output, states = rnn(given[0], None, given[1])
            output = output if lengths is None else output.data
            (output.square().sum() + sum(s.sin().sum() for s in states)).backward()
            results[name] = [output, *states, *(p.grad.clone() for p in rnn.parameters())]
            assert len(eager) == (times if name == "fused" else 0)
        for ours, theirs in zip(*results.values(), strict=True):
            torch.testing.assert_close(ours, theirs, **EXACT)


def test_what_was_not_finite_is_left_behind() -> None:
    """A part that overflowed spoils no later one."""
    grows = parse_cell("@cell\ndef grows(x, h):\n    return exp(linear(x, h))\n")
    for backend in BACKENDS:
        rnn = RNN(grows, 1, 1, backend=backend)
        with torch.no_grad():
            rnn.weight_hh_l0.fill_(50.0)
        restarts = torch.tensor([False, False, False, False, True])[:, None]
        output, _ = rnn(torch.ones(5, 1, 1), restarts=restarts)
        assert not output[3].isfinite() and output[4].isfinite()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tested", [gru, SCALED], ids=lambda cell: cell.name)
def test_gradients_are_derivatives_twice(tested: Cell, backend: str) -> None:
    rnn = RNN(tested, 2, 2, bidirectional=True, dtype=torch.float64, backend=backend)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    state = tuple(torch.randn_like(s).requires_grad_() for s in rnn.start(2))
    restarts = torch.tensor([[True, False], [False, True], [False, False]])

    def run(x: Tensor, weight: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        output, final = torch.func.functional_call(rnn, {"weight_hh_l0": weight}, (x, state, restarts))
        return output, *final

    inputs = (x, rnn.weight_hh_l0.detach().clone().requires_grad_(), *state)
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("backend", ["fused", "eager"])
def test_they_can_be_mapped_over(backend: str) -> None:
    """A batch of restarts, by torch.func.vmap."""
    rnn, x = make(lstm, backend), torch.randn(T, B, 4, dtype=torch.float64)
    many = torch.stack([draw() for _ in range(3)])
    mapped = torch.func.vmap(lambda restarts: rnn(x, None, restarts)[0])(many)
    for ours, restarts in zip(mapped, many, strict=True):
        torch.testing.assert_close(ours, rnn(x, None, restarts)[0], **EXACT)


X = torch.zeros(5, 2, 3)
BOOLS = torch.zeros(5, 2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("x", "restarts", "message"),
    [
        (X, BOOLS.t(), "restarts is a tensor of bools (time, batch) = (5, 2), not (2, 5)"),
        (X, BOOLS[0], "(time, batch) = (5, 2), not (2,)"),
        (X, BOOLS.float(), "not of torch.float32; use restarts.bool()"),
        (X, [True], "(time, batch) = (5, 2), not a list"),
        (X[:, 0], BOOLS, "(time) = (5,), not (5, 2)"),
        (X, BOOLS.to("meta"), "restarts is on meta and the input on cpu"),
        (
            pack_padded_sequence(X, torch.tensor([5, 2])),
            BOOLS,
            "is one too, packed in the same way, not a Tensor",
        ),
        (
            pack_padded_sequence(X, torch.tensor([5, 2])),
            pack_padded_sequence(BOOLS, torch.tensor([5, 3])),
            "packed differently from the input",
        ),
        (
            pack_padded_sequence(X, torch.tensor([2, 5]), enforce_sorted=False),
            pack_padded_sequence(BOOLS, torch.tensor([5, 2]), enforce_sorted=False),
            "packed differently from the input",
        ),
        (
            pack_padded_sequence(X, torch.tensor([5, 2])),
            pack_padded_sequence(X, torch.tensor([5, 2])),
            "not of torch.float32 with the shape (7, 3)",
        ),
    ],
)
def test_restarts_that_do_not_fit(x: Tensor | PackedSequence, restarts: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        RNN(lstm, 3, 4)(x, None, restarts)


def test_batch_first_is_told() -> None:
    with pytest.raises(UserError, match=re.escape("(batch, time) = (5, 2), not (2, 5)")):
        RNN(lstm, 3, 4, batch_first=True)(X, None, BOOLS.t())
