"""Published cells against those of torchrecurrent, by another author from the same papers, with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
import torchrecurrent
from torch import Tensor

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.execution import RNN
from nas_rnn.execution.layout import make_layout
from tests.execution.zoo import zoo_cells
from tests.zoo.named_weights import named_places, read
from tests.zoo.twins import DEPARTURES, HIDDEN, TWINS, Twin

CELLS = zoo_cells()
BACKENDS = ("eager", "reference", "fused")
STEPS, BATCH = 6, 3


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
            if name in twin.kept:
                continue
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
    assert known == package
