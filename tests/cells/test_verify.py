"""The rules of a cell: one test a rule, and all violations in one message."""

from __future__ import annotations

import math

import pytest

from nas_rnn.cells import CellError, StatePath
from nas_rnn.cells.cell import Cell, make_cell
from nas_rnn.cells.graph.nodes import (
    Apply,
    Constant,
    Diagonal,
    Input,
    LayerNorm,
    Linear,
    Node,
    Project,
    Scalar,
    State,
)
from nas_rnn.cells.graph.verify import MAX_NODES, violations
from nas_rnn.cells.zoo.classic import lstm

H = StatePath("h")
GOOD = Linear(arguments=(0, 1))


def refusal(
    *nodes: Node,
    states: tuple[StatePath, ...] = (H,),
    outputs: tuple[int, ...] | None = None,
    name: str = "f",
    x: str = "x",
) -> list[str]:
    """Return the message for a cell of ``nodes`` after its input and states; the last is its output."""
    first = [Input(name=x), *(State(name=path.name, path=p) for p, path in enumerate(states))]
    everything = [*first, *nodes]
    outputs = (len(everything) - 1,) * len(states) if outputs is None else outputs
    with pytest.raises(CellError) as caught:
        make_cell(name, "", states, everything, outputs)
    return str(caught.value).splitlines()


def test_a_good_cell_has_no_violations() -> None:
    assert list(violations(lstm)) == []


RULES: dict[str, tuple[tuple[Node, ...], str]] = {
    "linear without values": ((Linear(arguments=()),), "  linear(): linear(...) takes at least one value"),
    "linear of a number": (
        (Constant(value=2.0), Linear(arguments=(2,))),
        "  linear(2): linear(...) takes values with units, not a single number",
    ),
    "bias": (
        (Linear(arguments=(0, 1), bias=math.inf, name="g"),),
        "  g = linear(x, h, bias=inf): bias is a finite number or None, not inf",
    ),
    "heads": (
        (Linear(arguments=(0, 1), heads=0),),
        "  linear(x, h, heads=0): heads is a whole number from 1 to 4096, not 0",
    ),
    "many heads": (
        (Linear(arguments=(0, 1), heads=5000),),
        "heads is a whole number from 1 to 4096, not 5000",
    ),
    "constant": (
        (GOOD, Constant(value=math.nan), Apply(operation="add", arguments=(2, 3))),
        "finite, not nan",
    ),
    "scalar": ((GOOD, Scalar(init=-math.inf), Apply(operation="add", arguments=(2, 3))), "finite, not -inf"),
    "diagonal of a number": (
        (Constant(value=2.0), Diagonal(argument=2)),
        "  diagonal(2): takes a value with units, not a single number",
    ),
    "project of a number": ((Scalar(init=2.0), Project(argument=2)), "takes a value with units"),
    "norm of a number": ((Scalar(init=2.0), LayerNorm(argument=2)), "takes a value with units"),
    "unknown operation": (
        (Apply(operation="tnah", arguments=(1,)),),
        "  tnah(h): there is no operation 'tnah'; known: blend, exp, identity, ",
    ),
    "arity": ((Apply(operation="tanh", arguments=(1, 1)),), "  tanh(h, h): tanh takes 1 argument(s), not 2"),
    "sizes": (
        (Apply(operation="add", arguments=(0, 1)),),
        "  x + h: mixes values of input_size and hidden_size; use project(...) on the one of input_size",
    ),
    "next value of input_size": (
        (Apply(operation="tanh", arguments=(0,)),),
        "  tanh(x): the next value of state path 'h' must have hidden_size, not input_size",
    ),
    "next value that is a number": ((Scalar(init=1.0),), "must have hidden_size, not one number"),
    "a value's name": (
        (Linear(arguments=(0, 1), name="a b"),),
        "  a value's name is a Python identifier, not 'a b'",
    ),
    "a keyword as a name": ((Linear(arguments=(0, 1), name="if"),), "is a Python identifier, not 'if'"),
    "a name in other letters": ((Linear(arguments=(0, 1), name="ｇ"),), "is a Python identifier, not 'ｇ'"),
    "too many": ((GOOD,) * MAX_NODES, f"  a cell has at most {MAX_NODES} nodes, not {MAX_NODES + 2}"),
}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_speaks_for_itself(name: str) -> None:
    nodes, message = RULES[name]
    header, *lines = refusal(*nodes)
    assert header == "the cell 'f' breaks 1 rule(s):"
    assert len(lines) == 1
    assert message in lines[0]


def test_the_rules_of_states_and_parameters() -> None:
    states = (StatePath("h", math.inf), StatePath("h"), StatePath("linear"), StatePath("p", size="input"))
    header, *lines = refusal(GOOD, states=states, x="tanh", outputs=(5, 5, 5, 5, 5), name="two words")
    assert lines == [
        "  a cell's name is a Python identifier, not 'two words'",
        "  two parameters are named 'h'",
        "  'linear' is a word of the cell language and cannot name a parameter",
        "  5 next value(s) for 4 state path(s)",
        "  state path 'h' must start at a finite number, not inf",
        "  v1 = linear(tanh, h): the next value of state path 'p' must have input_size, not hidden_size",
    ]
    assert header == "the cell 'two words' breaks 6 rule(s):"


def test_a_parameter_may_bear_the_name_of_an_operation_that_the_cell_does_not_use() -> None:
    made = make_cell("f", "", (StatePath("exp"),), [Input(name="x"), State(name="exp", path=0), GOOD], (2,))
    assert "def f(x, exp):" in made.to_text()
    message = refusal(GOOD, Apply(operation="exp", arguments=(3,)), states=(H, StatePath("exp")))
    assert "  'exp' is a word of the cell language and cannot name a parameter" in message


def test_a_cell_without_states() -> None:
    assert list(violations(Cell("f", "", (), (Input(name="x"),), ()))) == [
        "  a cell has at least one state path"
    ]


def test_every_violation_is_reported_at_once_and_a_consequence_only_once() -> None:
    header, *lines = refusal(
        Apply(operation="add", arguments=(0, 1), name="mixed"),
        Apply(operation="tanh", arguments=(2,), name="after"),
        Linear(arguments=(3, 1), heads=-1, bias=math.nan, name="g"),
        Apply(operation="sigmoid", arguments=(4, 4), name="out"),
    )
    assert header == "the cell 'f' breaks 4 rule(s):"
    assert [line.split(":")[0] for line in lines] == [
        "  mixed = x + h",
        "  g = linear(after, h, bias=nan, heads=-1)",
        "  g = linear(after, h, bias=nan, heads=-1)",
        "  out = sigmoid(g, g)",
    ]
