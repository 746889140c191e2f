"""Every cell of the space is recognised as a linear recurrence, and published ones are points of it."""

from __future__ import annotations

import pytest

from nas_rnn.cells import Cell
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.linear import linear_recurrence
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.layout import make_layout
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.testing import check_space

SPACE = load_space("linear_recurrence")


def is_scan(cell: Cell, input_size: int) -> bool:
    schedule = make_schedule(make_layout(cell.canonical(), input_size, 4))
    return linear_recurrence(schedule, Gradient(schedule)) is not None


def test_it_keeps_the_contract_of_spaces() -> None:
    assert check_space(SPACE, samples=60) == []


@pytest.mark.parametrize("input_size", [3, 4])  # at 4, the hidden size, project(x) is the identity
def test_every_sample_is_recognised_as_a_scan(input_size: int) -> None:
    cells = [SPACE.sample(seed).cell for seed in range(80)]
    assert [cell.name for cell in cells if not is_scan(cell, input_size)] == []
    assert len({cell.digest for cell in cells}) > 70
    assert {len(cell.states) for cell in cells} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("name", "decay"), [("mingru", "1 - input gate"), ("minlstm", "two gates that sum to 1")]
)
def test_published_cells_are_points_of_the_space(name: str, decay: str) -> None:
    decisions = {
        "reads": "x",
        "memories": "the output",
        "memory_candidate": "identity",
        "memory_decay": decay,
    }
    assert SPACE.replay(decisions).digest == load_cell(name).digest
