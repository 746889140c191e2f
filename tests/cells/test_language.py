"""The language: what tracing keeps of a function: its names, states, numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas_rnn.cells import (
    Cell,
    CellError,
    cell,
    diagonal,
    layer_norm,
    linear,
    parse_cell,
    project,
    state,
    trace_cell,
)
from nas_rnn.cells.graph.operations import exp, maximum, sigmoid, tanh
from nas_rnn.errors import UserError


def equations(made: Cell) -> list[str]:
    """Return the lines of the cell's body."""
    return [line.strip() for line in made.to_text().splitlines()[2:]]


def test_a_name_given_twice_is_kept_for_the_next_state() -> None:
    @cell
    def f(x, h, c):
        c = sigmoid(linear(x, h)) * c
        c = c + tanh(linear(x))
        return tanh(c), c

    assert equations(f) == [
        "c_2 = sigmoid(linear(x, h)) * c",
        "c = c_2 + tanh(linear(x))",
        "return tanh(c), c",
    ]


def test_a_name_given_twice_to_other_values() -> None:
    @cell
    def f(x, h):
        a = linear(x, h)
        a = tanh(a)
        b = a
        return a * b

    assert equations(f) == ["a = linear(x, h)", "a_2 = tanh(a)", "return a_2 * a_2"]


def test_loops_helpers_and_unpacking() -> None:
    def gate(x, h):
        inner = linear(x, h)
        return sigmoid(inner)

    @cell
    def f(x, h):
        i, o = (gate(x, h) for _ in range(2))
        for _ in range(2):
            h = tanh(h)
        total = sum([i, o])
        return total * h

    assert equations(f) == [
        "i = sigmoid(linear(x, h))",
        "o = sigmoid(linear(x, h))",
        "h_2 = tanh(h)",
        "h_3 = tanh(h_2)",
        "total = 0 + i + o",
        "return total * h_3",
    ]


def test_names_that_are_words_of_the_language() -> None:
    @cell
    def f(x, h):
        exp = linear(x, h)
        state = tanh(exp)
        choose = sigmoid(state)
        tanh_ = choose * state
        return tanh_  # noqa: RET504

    assert equations(f)[:3] == ["exp = linear(x, h)", "state_2 = tanh(exp)", "choose_2 = sigmoid(state_2)"]
    assert parse_cell(f.to_text()) == f


def test_a_state_paths_name_on_another_value() -> None:
    @cell
    def f(x, h, c):
        c = tanh(linear(x, h))
        return c, sigmoid(c)

    assert equations(f) == ["c_2 = tanh(linear(x, h))", "return c_2, sigmoid(c_2)"]


def test_a_state_paths_name_while_its_old_value_is_still_read() -> None:
    @cell
    def f(x, h, c):
        old = c
        c = tanh(linear(x, h))
        return c * old, c

    assert equations(f) == ["c_2 = tanh(linear(x, h))", "return c_2 * c, c_2"]


def test_the_last_value_is_named_too() -> None:
    @cell
    def f(x, h):
        new = tanh(linear(x, h))
        return new  # noqa: RET504

    assert equations(f) == ["new = tanh(linear(x, h))", "return new"]


def test_starts_sizes_and_documentation() -> None:
    @cell
    def f(x, h, m=state(init=-10), last=state(size="input")):  # noqa: B008
        """One.

        Two.
        """
        return tanh(linear(x, h, last)), maximum(m, linear(x)), x

    assert f.doc == "One.\n\nTwo."
    assert [(path.name, path.init, path.size) for path in f.states] == [
        ("h", 0.0, "hidden"),
        ("m", -10.0, "hidden"),
        ("last", 0.0, "input"),
    ]


def test_numbers_of_numpy_are_numbers() -> None:
    @cell
    def f(x, h):
        return np.float32(2) * linear(x, h) - np.float64(0.5) + h / np.int64(4) + 1 / (np.float64(3) - h)

    assert equations(f) == ["return 2 * linear(x, h) - 0.5 + h / 4 + 1 / (3 - h)"]


def test_hasattr_of_a_value_says_no() -> None:
    made = trace_cell(lambda x, h: linear(x) if hasattr(h, "shape") else tanh(linear(x)), "f")
    assert equations(made) == ["return tanh(linear(x))"]


def test_a_cell_needs_a_name_that_can_be_written() -> None:
    with pytest.raises(CellError, match="a cell's name is a Python identifier, not '<lambda>'"):
        cell(lambda x, h: linear(x, h))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": "a"}, "takes a number, not 'a'"),
        ({"init": True}, "not True"),
        ({"size": "big"}, "not 'big'"),
    ],
)
def test_declarations_that_are_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError, match=message):
        state(**options)


def test_words_outside_a_cell() -> None:
    for word in (linear, diagonal, project, layer_norm):
        with pytest.raises(
            CellError, match=f"{word.__name__}.* is a word of the cell language: use it inside"
        ):
            word(1.0)
    with pytest.raises(UserError, match="needs at least one value of the cell"):
        exp(1.0)


def test_a_state_path_that_is_not_used_can_be_left_out() -> None:
    def function(x: Any, h: Any, c: Any, d: Any) -> Any:
        return tanh(linear(x, h, d)), None, h

    made = trace_cell(function, "f", optional_states=True)
    assert equations(made) == ["return tanh(linear(x, h, d)), h"]
    assert [path.name for path in made.states] == ["h", "d"]
    with pytest.raises(CellError, match="the next value of c takes values"):
        trace_cell(function, "f")
    with pytest.raises(CellError, match="'c' is read but its next value is None"):
        trace_cell(lambda x, h, c: (linear(c), None), "f", optional_states=True)
    with pytest.raises(CellError, match="'h' is read but its next value is None"):
        trace_cell(lambda x, h, c: (None, c), "f", optional_states=True)
