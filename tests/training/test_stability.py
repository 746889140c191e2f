"""What cannot be trained as it starts is told from what grows as a sum does, and no published cell is dropped."""

from __future__ import annotations

import math

import pytest
import torch

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.training.stability import (
    GRADIENT_GROWTH,
    GROWTH,
    LAG,
    LONG,
    PIECE,
    Course,
    course,
    instability,
    judged,
)
from tests.execution.zoo import zoo_cells

ZOO = zoo_cells()


def of(equations: str, states: str = "h") -> Cell:
    return parse_cell(f"@cell\ndef tested(x, {states}):\n    return {equations}\n")


@pytest.mark.parametrize("hidden_size", [8, 256])
@pytest.mark.parametrize("name", ZOO)
def test_no_published_cell_is_unstable(name: str, hidden_size: int) -> None:
    assert instability(ZOO[name], hidden_size, 32) is None


UNSTABLE = {
    "doubles": (of("2 * h + linear(x)"), "values"),
    "a linear recurrence whose matrices are too large": (
        of("linear(h) + 2 * linear(h) + linear(x)"),
        "values",
    ),
    "feeds back what it adds up": (of("c + linear(h), c + linear(x, h)", "h, c"), "values"),
    "squares": (of("h * h + linear(x)"), "values"),
    "no logarithm of what is negative": (of("softplus(1 / (h - h) + linear(x))"), "values"),
    "grows in a path that the output does not read": (
        of("tanh(linear(x, h)), 1.2 * c + 1", "h, c"),
        "values",
    ),
    "saturates, and is steep": (of("tanh(40 * linear(h) + linear(x))"), "gradients"),
}


@pytest.mark.parametrize("name", UNSTABLE)
def test_what_cannot_be_trained_is_told(name: str) -> None:
    cell, kind = UNSTABLE[name]
    found = instability(cell, 32, 16)
    assert found is not None
    assert found.kind == kind
    assert any(letter.isdigit() for letter in found.reason)


@pytest.mark.parametrize(
    "cell",
    [
        of("h + tanh(linear(x))"),  # a sum
        of("h + c, c + sigmoid(linear(x))", "h, c"),  # a sum of sums, as steps squared
        of("h + c, c + d, d + sigmoid(linear(x))", "h, c, d"),
        of("0.99 * h + 100 * linear(x)"),  # large, and no larger with time
        of("1000000 * tanh(linear(x, h))"),
        of("relu(linear(x, h))"),
        of("tanh(linear(x))"),  # without a gradient through time
    ],
)
def test_what_grows_as_a_sum_does_stays(cell: Cell) -> None:
    assert instability(cell, 32, 16) is None


def test_several_layers_are_looked_at_as_such() -> None:
    """The gradient of each layer alone may be harmless: here the second one has large inputs."""
    cell = of("h + linear(x), exp(h / 50) - exp(-h / 50)", "h, c")
    assert instability(cell, 16, 16, layers=1) is None
    assert instability(of("2 * h + linear(x)"), 16, 16, layers=2) is not None


def test_random_numbers_of_others_do_not_move() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    instability(ZOO["lstm"], 8, 4)
    assert torch.equal(before, torch.get_rng_state()) and torch.get_num_threads() == threads
    assert course(ZOO["lstm"], 8, 4, seed=1) == course(ZOO["lstm"], 8, 4, seed=1)
    assert course(ZOO["lstm"], 8, 4, seed=1) != course(ZOO["lstm"], 8, 4, seed=2)


def test_a_course_has_every_piece_of_the_way() -> None:
    found = course(ZOO["gru"], 8, 4)
    assert max(found.values) == LONG and max(found.gradients) == LAG
    assert found.finite_gradients and found.gradients[PIECE] > found.gradients[LAG]
    ended = course(of("h * h + 2 + linear(x)"), 8, 4)
    assert max(ended.values) < LONG and not math.isfinite(ended.values[max(ended.values)])


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_the_bounds_are_the_stated_ones(factor: float) -> None:
    steady = {LONG // 2: 1e4, LONG: 1e4 * GROWTH * factor}
    flat = {LAG // 2: 1.0, LAG: 1.0}
    assert (judged(Course(steady, flat)) is not None) == (factor > 1)
    steep = {LAG // 2: 1.0, LAG: GRADIENT_GROWTH * factor}
    assert (judged(Course({LONG // 2: 1.0, LONG: 1.0}, steep)) is not None) == (factor > 1)
    assert judged(Course({LONG: 1.0, LONG // 2: 1.0}, flat, finite_gradients=False)) is not None
