"""The operations' table: derivatives against differences, NaN, and what a row may say."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from nas_rnn.cells import Operation, find_operation, operations, parse_cell, register_operation
from nas_rnn.cells.graph.expressions import BINARY, COMPARE, FUNCTIONS, evaluate, parse_expression
from nas_rnn.cells.graph.operations import _TABLE, BUILT_IN, RESERVED, operation
from nas_rnn.errors import UserError


def either(pick: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else pick(a, b)


PYTHON: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda a: -a,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "number": float,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "abs": abs,
    "sign": lambda a: math.nan if math.isnan(a) else float((a > 0) - (a < 0)),
    "sin": math.sin,
    "cos": math.cos,
    "erf": math.erf,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)) if not a < 0 else math.exp(a) / (1 + math.exp(a)),
    "maximum": either(max),
    "minimum": either(min),
    "where": lambda condition, a, b: a if condition else b,
}

POINTS = {
    1: [(-30.0,), (-2.5,), (-1e-3,), (0.7,), (3.0,), (30.0,)],
    2: [(-2.0, 0.5), (0.5, -2.0), (1.5, 1.25), (-0.3, -0.7)],
    3: [(0.2, 1.5, -0.5), (0.9, -2.0, 0.25), (-0.5, 1.0, 3.0)],
}
ROWS = sorted(BUILT_IN)


def value(row: Operation, *inputs: float) -> float:
    return float(evaluate(row.value_tree, dict(zip(row.variables, inputs, strict=True)), PYTHON))


def derivatives(row: Operation, *inputs: float) -> list[float]:
    values = {**dict(zip(row.variables, inputs, strict=True)), "y": value(row, *inputs)}
    return [float(evaluate(tree, values, PYTHON)) for tree in row.derivative_trees]


@pytest.fixture
def table() -> Iterator[dict[str, Operation]]:
    """The table, put back afterwards."""
    before = dict(_TABLE)
    yield _TABLE
    _TABLE.clear()
    _TABLE.update(before)


def test_the_test_knows_every_function_of_the_expressions() -> None:
    assert set(PYTHON) == {*FUNCTIONS, *BINARY.values(), *COMPARE.values(), "neg", "number"}


@pytest.mark.parametrize("name", ROWS)
def test_derivatives_agree_with_differences(name: str) -> None:
    row = find_operation(name)
    for point in POINTS[row.arity]:
        for position, claimed in enumerate(derivatives(row, *point)):
            step = 1e-5
            above = [v + step * (i == position) for i, v in enumerate(point)]
            below = [v - step * (i == position) for i, v in enumerate(point)]
            measured = (value(row, *above) - value(row, *below)) / (2 * step)
            assert claimed == pytest.approx(measured, rel=1e-5, abs=1e-9), (point, position)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_where_two_values_tie_the_derivative_is_shared(name: str) -> None:
    assert derivatives(find_operation(name), 0.5, 0.5) == [0.5, 0.5]


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0.0), ("leaky_relu", 0.01)])
def test_at_the_kink_the_derivative_is_that_of_the_left(name: str, at_zero: float) -> None:
    assert derivatives(find_operation(name), 0.0) == [at_zero]


@pytest.mark.parametrize("name", ROWS)
def test_a_nan_among_the_inputs_is_not_hidden(name: str) -> None:
    row = find_operation(name)
    for position in range(row.arity):
        inputs = [math.nan if i == position else 1.0 for i in range(row.arity)]
        assert math.isnan(value(row, *inputs)), inputs


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "log_sigmoid", "relu", "leaky_relu"])
def test_large_inputs_overflow_nothing(name: str) -> None:
    row = find_operation(name)
    for point in (-700.0, 700.0):
        assert math.isfinite(value(row, point))
        assert all(math.isfinite(slope) for slope in derivatives(row, point))


@pytest.mark.parametrize("name", [name for name in ROWS if find_operation(name).commutative])
def test_commutative_rows_are_commutative(name: str) -> None:
    row = find_operation(name)
    for a, b in POINTS[2]:
        assert value(row, a, b) == value(row, b, a)


def test_rows_that_are_not_commutative_are_not_marked_so() -> None:
    assert [name for name in ROWS if find_operation(name).commutative] == ["add", "maximum", "minimum", "mul"]


def test_a_new_row_is_a_word_of_the_language(table: dict[str, Operation]) -> None:
    swish = operation("swish", value="a * sigmoid(a)", derivative="sigmoid(a) + y * (1 - sigmoid(a))")
    assert table["swish"] is swish is find_operation("swish")
    assert swish.arity == 1
    assert derivatives(swish, 0.7)[0] == pytest.approx((value(swish, 0.70001) - value(swish, 0.69999)) / 2e-5)
    text = "@cell\ndef f(x, h):\n    return swish(linear(x, h))\n"
    assert parse_cell(text).to_text() == text
    assert (
        register_operation(Operation(name="swish", value=swish.value, derivative=swish.derivative)) == swish
    )


def test_a_new_row_named_as_a_value_of_an_old_text_leaves_that_text_readable(
    table: dict[str, Operation],
) -> None:
    text = "@cell\ndef f(x, h):\n    g = linear(x, h)\n    return g * g\n"
    before = parse_cell(text)
    operation("g", value="a + 1", derivative="1")
    operation("h", value="a + 2", derivative="1")
    assert parse_cell(text) == before


def test_two_rows_of_one_name(table: dict[str, Operation]) -> None:
    operation("swish", value="a * sigmoid(a)", derivative="1")
    with pytest.raises(UserError, match="two different operations are named 'swish'"):
        operation("swish", value="a", derivative="1")
    with pytest.raises(UserError, match="two different operations are named 'tanh'"):
        operation("tanh", value="a", derivative="1")


def test_the_table_given_out_is_a_copy() -> None:
    operations().clear()
    assert "tanh" in operations()


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_word_of_the_language_is_no_operation(name: str) -> None:
    with pytest.raises(UserError, match="is a word of the cell language"):
        operation(name, value="a", derivative="1")
    assert name not in operations()


@pytest.mark.parametrize("name", ["", "a b", "if", "_a", "1a", "None", "ｇ", "é"])
def test_names_that_cannot_be_words(name: str) -> None:
    with pytest.raises(UserError, match="an operation's name is a Python identifier of plain letters"):
        operation(name, value="a", derivative="1")


def test_an_unknown_operation_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown operation 'tnah'; did you mean 'tanh'"):
        find_operation("tnah")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"derivative": ()}, "needs one derivative for each of its 1 to 4 inputs, not 0"),
        ({"derivative": ("1",) * 5}, "not 5"),
        ({"derivative": ("1",), "commutative": True}, "marked commutative; that needs 2 inputs, not 1"),
        ({"value": "b", "derivative": ("1",)}, "uses the name 'b'"),
        ({"value": "y", "derivative": ("1",)}, "uses the name 'y'"),
        ({"derivative": ("c",)}, "uses the name 'c'"),
    ],
)
def test_rows_that_contradict_themselves(row: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Operation(**{"name": "f", "value": "a", **row})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.real", "uses 'a.real'; allowed are numbers"),
        ("a[0]", "allowed are"),
        ("(a, a)", "allowed are"),
        ("[a]", "allowed are"),
        ("lambda: a", "allowed are"),
        ("a if a else a", "allowed are"),
        ("a and a", "allowed are"),
        ("not a", "allowed are"),
        ("+a", "allowed are"),
        ("a ** 2", "allowed are"),
        ("a % 2", "allowed are"),
        ("a < 1", "allowed are"),
        ("'a'", "allowed are"),
        ("True", "allowed are"),
        ("None", "allowed are"),
        ("1j", "allowed are"),
        ("f'{a}'", "allowed are"),
        ("(a := 1)", "allowed are"),
        ("exp(a, base=2)", "allowed are"),
        ("exp(*a)", "allowed are"),
        ("math.exp(a)", "allowed are"),
        ("exp(a)(a)", "allowed are"),
        ("__import__('os')", "calls '__import__'"),
        ("epx(a)", "calls 'epx'; did you mean 'exp'"),
        ("exp", "uses the name 'exp'"),
        ("exp(a, a)", "exp takes 1 argument"),
        ("where(a, 1, 0)", "where first takes one comparison"),
        ("where(0 < a < 1, 1, 0)", "where first takes one comparison"),
        ("where(a != 0, 1, 0)", "where first takes one comparison"),
        ("where(a.b < 0, 1, 0)", "allowed are"),
        ("1e999", "a number that is too large"),
        ("1" + 400 * "0", "a number that is too large"),
        ("", "is not valid"),
        ("a; a", "is not valid"),
        ("a = 1", "is not valid"),
        ("a\x00", "is not valid"),
        ("(" * 500 + "a" + ")" * 500, "is not valid"),
        ("-" * 900 + "a", None),
        ("a" + ".b" * 900, "is not valid"),
    ],
)
def test_expressions_that_are_refused(text: str, message: str | None) -> None:
    try:
        tree = parse_expression(text, ("a",))
    except UserError as error:
        assert (message or "is not valid") in str(error)
    else:
        assert message is None
        assert isinstance(tree, ast.UnaryOp)


def test_an_unchecked_tree_is_not_evaluated() -> None:
    with pytest.raises(AssertionError, match="unchecked expression"):
        evaluate(ast.parse("a.b", mode="eval").body, {"a": 1.0}, PYTHON)
