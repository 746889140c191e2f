"""Single steps: over a sequence they give what a call on the whole of it gives, from the same start."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import lstm
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.backends import BACKENDS
from tests.execution.scaled import assert_close_to_scale
from tests.execution.zoo import zoo_cells
from tests.random_cells import cells

ZOO = zoo_cells()
EXACT = {"rtol": 1e-10, "atol": 1e-12, "equal_nan": True}
LAST = parse_cell(
    "@cell\ndef remembers(x, h, m=state(init=-10.0), last=state(size='input', init=0.5)):\n"
    "    h = tanh(linear(x, h, last) + 0.1 * m)\n"
    "    return h, maximum(m, h), x\n"
)


def looped(rnn: RNN, x_TBI: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
    outputs = []
    for x_BI in x_TBI:
        output_BH, state = rnn.step(x_BI, state)
        outputs.append(output_BH)
    assert state is not None
    return torch.stack(outputs), state


def compare(tested: Cell, backend: str, tame_only: bool = False, **options: int) -> None:
    rnn = RNN(tested, 8, 8, dtype=torch.float64, backend=backend, **options)
    x = torch.randn(4, 3, 8, dtype=torch.float64, requires_grad=True)
    expected, ours = rnn(x), looped(rnn, x, None)
    weights = torch.randn_like(expected[0])
    leaves, found = [x, *rnn.parameters()], []
    for output, state in (expected, ours):
        value = (output * weights).sum() + sum(s.square().sum() for s in state)
        if value.requires_grad:
            grads = torch.autograd.grad(value, leaves, allow_unused=True)
            found.append([torch.zeros(()) if g is None else g for g in grads])
    if tame_only and not all(
        t.isfinite().all() for t in (expected[0], *expected[1], *itertools.chain(*found))
    ):
        return
    if tame_only:
        assert_close_to_scale((ours[0], *ours[1]), (expected[0], *expected[1]))
        assert_close_to_scale(*(reversed(found) if found else ((), ())))
        return
    torch.testing.assert_close(ours, expected, **EXACT)
    if found:
        torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ZOO)
def test_published_cells(name: str) -> None:
    compare(ZOO[name], "eager")


@pytest.mark.parametrize("backend", ["eager", "reference"])
@settings(max_examples=30, deadline=None)
@given(tested=cells())
def test_random_cells(backend: str, tested: Cell) -> None:
    compare(tested, backend, tame_only=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tested", [lstm, LAST, ZOO["slstm"]], ids=lambda cell: cell.name)
def test_layers_on_every_backend(tested: Cell, backend: str) -> None:
    compare(tested, backend, num_layers=2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unbatched_and_batch_first(backend: str) -> None:
    rnn = RNN(LAST, 3, 4, batch_first=True, backend=backend)
    x = torch.randn(5, 3)
    output, state = looped(rnn, x, None)
    expected, final = rnn(x)
    torch.testing.assert_close((output, state), (expected, final))
    assert [tuple(s.shape) for s in state] == [(1, 4), (1, 4), (1, 3)]
    batched, _ = rnn.step(x[:2], rnn.start(2))  # two sequences: one step has no time
    torch.testing.assert_close(batched[0], output[0])


def test_starts() -> None:
    """What a call without a state begins with: declared values, sizes of their own, device and dtype."""
    rnn = RNN(LAST, 3, 4, bidirectional=True, dtype=torch.float64)
    assert rnn.state_sizes == (4, 4, 3)
    for batch, shapes in ((2, [(2, 2, 4), (2, 2, 4), (2, 2, 3)]), (None, [(2, 4), (2, 4), (2, 3)])):
        start = rnn.start(batch)
        assert [tuple(s.shape) for s in start] == shapes
        assert [s.unique().tolist() for s in start] == [[0.0], [-10.0], [0.5]]
        assert {s.dtype for s in start} == {torch.float64}
        x = torch.randn(5, *shapes[0][1:-1], 3, dtype=torch.float64)
        torch.testing.assert_close(rnn(x, start), rnn(x), rtol=0, atol=0)
    assert RNN(lstm, 3, 4, device="meta").start(2)[0].device.type == "meta"
    other = rnn.start(2, device="meta", dtype=torch.float16)[0]
    assert (other.device.type, other.dtype) == ("meta", torch.float16)
    assert (
        RNN(parse_cell("@cell\ndef f(x, h):\n    return tanh(h)\n"), 3, 4).start(1)[0].dtype == torch.float32
    )
    for batch in (-1, 2.0, True):
        with pytest.raises(UserError, match=f"how many sequences there are, .* not {batch}"):
            rnn.start(batch)  # type: ignore[arg-type]


def test_dropout_between_layers() -> None:
    rnn = RNN(lstm, 3, 40, num_layers=2, dropout=0.5)
    x = torch.randn(2, 3)
    assert not torch.equal(rnn.step(x)[0], rnn.step(x)[0])
    torch.manual_seed(3)
    first, _ = rnn.step(x)
    torch.manual_seed(3)
    torch.testing.assert_close(rnn(x[None])[0][0], first)
    rnn.eval()
    assert torch.equal(rnn.step(x)[0], rnn.step(x)[0])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(5, 2, 3), "(batch, input_size), or (input_size,) unbatched, not (5, 2, 3)"),
        ([1.0], "unbatched, not list"),
        (torch.zeros(2, 4), "the last dimension of the input is input_size=3"),
        (torch.zeros(2, 3).double(), "the input is torch.float64 and the weights are torch.float32"),
    ],
)
def test_inputs_that_do_not_fit(x: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        RNN(lstm, 3, 4).step(x)


def test_states_are_checked_and_directions_refused() -> None:
    with pytest.raises(UserError, match=re.escape("= (1, 2, 4), not (1, 3, 4)")):
        rnn = RNN(lstm, 3, 4)
        rnn.step(torch.zeros(2, 3), rnn.start(3))
    with pytest.raises(UserError, match="bidirectional RNN reads whole sequences"):
        RNN(lstm, 3, 4, bidirectional=True).step(torch.zeros(2, 3))
