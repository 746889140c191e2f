"""The bias with which gates start: found where there is one, set with its sign, and nothing else changed."""

from __future__ import annotations

import pytest

from nas_rnn import plugins
from nas_rnn.cells import gate_bias, parse_cell, with_gate_bias

TWO = """@cell
def two(x, h):
    a = sigmoid(linear(x, h, bias={}))
    b = sigmoid(linear(x, h, bias={}))
    return a * h + b * tanh(linear(x))
"""


@pytest.mark.parametrize(
    ("first", "second", "size"),
    [(1.0, 0.0, 1.0), (-2.0, 2.0, 2.0), (0.0, 0.0, None), (1.0, 3.0, None), (None, 1.5, 1.5)],
)
def test_it_is_the_size_of_all_that_do_not_start_at_zero(
    first: float | None, second: float, size: float | None
) -> None:
    assert gate_bias(parse_cell(TWO.format(first, second))) == size


def test_the_lstms_is_its_forget_gates() -> None:
    assert gate_bias(plugins.load_cell("lstm")) == 1.0
    assert gate_bias(plugins.load_cell("gru")) is None


def test_signs_and_zeros_stay() -> None:
    cell = with_gate_bias(parse_cell(TWO.format(-2.0, 2.0)), 0.5)
    assert cell == parse_cell(TWO.format(-0.5, 0.5))
    lstm = plugins.load_cell("lstm")
    assert str(with_gate_bias(lstm, 0.25).to_text()).count("bias") == lstm.to_text().count("bias")
    assert with_gate_bias(lstm, 1.0) == lstm


def test_zero_is_a_size_too() -> None:
    cell = with_gate_bias(plugins.load_cell("lstm"), 0.0)
    assert parse_cell(cell.to_text()) == cell and "-0" not in cell.to_text()
