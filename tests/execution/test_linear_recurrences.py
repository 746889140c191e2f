"""Which cells are recognised as linear recurrences, and that what is recognised is what they compute."""

from __future__ import annotations

import pytest

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.linear import LinearRecurrence, linear_recurrence
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.layout import make_layout
from tests.execution.zoo import zoo_cells

ZOO = zoo_cells()

SIMPLE_SRU = """
@cell
def simple_sru(x, h, c):
    f = sigmoid(linear(x))
    r = sigmoid(linear(x))
    c = blend(f, c, linear(x, bias=None))
    return blend(r, tanh(c), project(x)), c
"""
CHAIN = """
@cell
def chain(x, h, c, d):
    f = sigmoid(linear(x))
    d = tanh(c) * d - f * c / 2
    c = (f * -c + diagonal(c) - scalar(0.5)) * f
    return d * layer_norm(project(x) + d), c, d
"""
LINEAR = {text.split("def ")[1].split("(")[0]: parse_cell(text) for text in (SIMPLE_SRU, CHAIN)}
LINEAR |= {name: ZOO[name] for name in ("mingru", "minlstm", "qrnn", "trnn", "tgru", "tlstm", "rg_lru")}
"""Cells that are linear recurrences: name -> cell."""


def recurrence(tested: Cell, input_size: int = 3) -> LinearRecurrence | None:
    schedule = make_schedule(make_layout(tested.canonical(), input_size, 4))
    return linear_recurrence(schedule, Gradient(schedule))


@pytest.mark.parametrize("input_size", [3, 4])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_cells_are_recognised(name: str, input_size: int) -> None:
    assert recurrence(LINEAR[name], input_size) is not None


def test_no_other_published_cell_is_linear() -> None:
    """SRU as the zoo has it is none either: its gates read the state, through peepholes."""
    heads = {name for name, cell in ZOO.items() if any(getattr(n, "heads", 1) > 1 for n in cell.nodes)}
    found = {name for name in set(ZOO) - heads if recurrence(ZOO[name]) is not None}
    assert found == {"mingru", "minlstm", "qrnn", "trnn", "tgru", "tlstm", "rg_lru"}
    assert {"lstm", "gru", "indrnn", "sru", "hgrn"} <= set(ZOO) - heads


@pytest.mark.parametrize(
    "update",
    [
        "h * h",
        "h / (1 + h)",
        "1 / h",
        "relu(h)",
        "maximum(h, u)",
        "u + layer_norm(h)",
        "sigmoid(u + h) * h",
        "blend(h, h, u)",
    ],
)
def test_other_elementwise_updates_are_not_linear(update: str) -> None:
    text = "@cell\ndef f(x, h):\n    u = linear(x)\n    return {}\n"
    assert recurrence(parse_cell(text.format("blend(u, h / (2 + u), 1 - u)"))) is not None
    assert recurrence(parse_cell(text.format(update))) is None


def test_states_that_read_each_other_are_not_linear() -> None:
    """Linear in both together, but no one after the other: a rotation."""
    rotation = parse_cell("@cell\ndef f(x, h, c):\n    return h - c + linear(x), h + c\n")
    assert recurrence(rotation) is None


def test_states_stand_in_an_order_in_which_they_can_be_computed() -> None:
    found = recurrence(LINEAR["chain"])
    assert found is not None
    assert [update.path for update in found.forward] == [1, 2, 0]
    assert [update.path for update in found.backward] == [0, 2, 1]
    assert [update.slope is not None for update in found.forward] == [True, True, False]


def test_a_recurrence_through_a_long_chain_is_recognised() -> None:
    lines = "\n    ".join(["h = h * 0.5 + x"] * 400)
    cell = parse_cell(f"def chain(x, h):\n    x = project(x)\n    {lines}\n    return h\n")
    schedule = make_schedule(make_layout(cell.canonical(), 4, 4))
    assert linear_recurrence(schedule, Gradient(schedule)) is not None
