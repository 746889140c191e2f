"""Every published cell against an implementation of its own, written from the paper, on both backends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nas_rnn.execution import RNN
from nas_rnn.execution.layout import make_layout
from tests.execution.zoo import zoo_cells
from tests.zoo import reference_fast, reference_gated, reference_lstm, reference_searched
from tests.zoo.named_weights import Weights, named_places, read

STEPS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    step.__name__: step
    for module in (reference_gated, reference_lstm, reference_fast, reference_searched)
    for step in module.STEPS
}
CELLS = zoo_cells()
BACKENDS = ("eager", "reference")
STEPS_IN_TIME, BATCH = 6, 3


def sizes_of(name: str) -> tuple[int, int]:
    """Return an input and a hidden size for the cell; four heads divide the latter."""
    return (5, 8) if name == "slstm4" else (5, 7)


def test_every_cell_has_a_reference() -> None:
    assert set(STEPS) == set(CELLS)


def close(ours: Tensor | None, theirs: Tensor | None) -> float:
    """Compare, and return the largest error relative to the largest value, or to 1."""
    assert ours is not None and theirs is not None
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    return float(((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1.0)).detach())


def loss(outputs: Tensor, states: tuple[Tensor, ...]) -> Tensor:
    """Return a number to which every output and final state contributes differently."""
    flat = torch.cat([outputs.flatten(), *(state.flatten() for state in states)])
    return (flat * torch.linspace(-1, 1, flat.numel(), dtype=flat.dtype)).sum() + (flat * flat).sum()


def run_reference(
    name: str, weights: Weights, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    outputs = []
    for x_t in x:
        states = STEPS[name](weights, x_t, *states)
        outputs.append(states[0])
    return torch.stack(outputs), states


def compare(name: str, backend: str, inputs: int, hidden: int, given_starts: bool) -> float:
    """Run both and compare outputs, final states and all gradients; return the largest error, as `close` has it."""
    torch.manual_seed(1)
    cell = CELLS[name]
    rnn = RNN(cell, inputs, hidden, backend=backend, dtype=torch.float64)
    layout = make_layout(cell.canonical(), inputs, hidden)
    packed = dict(zip(dict(layout.shapes), rnn.parameters(), strict=True))
    places = named_places(cell, layout)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    weights = Weights({key: read(p, packed).detach().clone().requires_grad_() for key, p in places.items()})
    sizes = [inputs if path.size == "input" else hidden for path in cell.states]
    noise = 0.5 if given_starts else 0.0
    starts = tuple(
        (path.init + noise * torch.rand(BATCH, size, dtype=torch.float64)).requires_grad_()
        for path, size in zip(cell.states, sizes, strict=True)
    )
    x = torch.randn(STEPS_IN_TIME, BATCH, inputs, dtype=torch.float64, requires_grad=True)
    theirs, their_states = run_reference(name, weights, x, starts)
    leaves = [x, *starts, *weights.tensors.values()]
    expected = torch.autograd.grad(loss(theirs, their_states), leaves, allow_unused=True)
    ours, final = rnn(x, tuple(start[None] for start in starts) if given_starts else None)
    our_states = tuple(state[0] for state in final)
    loss(ours, our_states).backward()
    errors = [close(ours, theirs)]
    errors += [close(a, b) for a, b in zip(our_states, their_states, strict=True)]
    gradients = dict(zip(packed, (parameter.grad for parameter in rnn.parameters()), strict=True))
    found = [x.grad, *(start.grad for start in starts), *(read(p, gradients) for p in places.values())]
    for k, (ours_k, theirs_k) in enumerate(zip(found, expected, strict=True)):
        if 1 <= k <= len(starts) and (theirs_k is None or not given_starts):
            assert ours_k is None or not ours_k.any()  # the state path is not read, or was not given
            continue
        errors.append(close(ours_k, theirs_k))
    assert weights.used == set(places), "the cell has weights that the paper's does not"
    return max(errors)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CELLS)
def test_a_published_cell_computes_what_its_paper_says(name: str, backend: str) -> None:
    compare(name, backend, *sizes_of(name), given_starts=False)
    compare(name, backend, *sizes_of(name), given_starts=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "name", ["mut1", "mut2", "sru", "intersectionrnn", "lstm_residual", "lstm_mogrifier", "rg_lru"]
)
def test_an_input_of_hidden_size_is_taken_as_it_is(name: str, backend: str) -> None:
    compare(name, backend, 5, 5, given_starts=True)
