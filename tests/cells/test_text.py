"""The text form: printing and reading without loss, through both doors, and nothing else gets in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas_rnn import cells as language
from nas_rnn.cells import Cell, StatePath, operations, parse_cell
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import Apply, Constant, Input, Linear, Node, Scalar, State
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.cells.zoo.lstm_ablations import lstm_fgr
from tests.random_cells import cells

WORDS = ("antisymmetric", "cell", "diagonal", "layer_norm", "linear", "project", "scalar", "state", "vector")


def run_as_python(text: str) -> Cell:
    """Read ``text`` through the other door: execute it, with the language's words in scope."""
    scope: dict[str, Any] = {word: getattr(language, word) for word in WORDS}
    scope.update({name: row for name, row in operations().items() if not row.symbol})
    exec(text, scope)
    [made] = [value for value in scope.values() if isinstance(value, Cell)]
    return made


def computes_with_numbers_alone(cell: Cell) -> bool:
    """Whether Python itself would compute a part of the cell's text, such as ``2 * 3`` or ``tanh(0.5)``."""
    return any(
        isinstance(node, Apply) and all(isinstance(cell.nodes[i], Constant) for i in node.arguments)
        for node in cell.nodes
    )


@settings(max_examples=200, deadline=None)
@given(cells())
def test_printing_and_reading_gives_an_equal_cell(cell: Cell) -> None:
    assert parse_cell(cell.to_text()) == cell


@settings(max_examples=100, deadline=None)
@given(cells())
def test_the_text_is_the_python_that_people_write(cell: Cell) -> None:
    if not computes_with_numbers_alone(cell):
        assert run_as_python(cell.to_text()) == cell


@settings(max_examples=50, deadline=None)
@given(cells())
def test_make_cell_leaves_a_cell_as_it_is(cell: Cell) -> None:
    assert make_cell(cell.name, cell.doc, cell.states, cell.nodes, cell.outputs) == cell


def test_published_cells_through_both_doors() -> None:
    for cell in (lstm, gru, lstm_fgr):
        assert parse_cell(cell.to_text()) == cell
        assert run_as_python(cell.to_text()) == cell


def test_the_text_of_the_lstm() -> None:
    assert replace(lstm, doc="").to_text() == (
        "@cell\n"
        "def lstm(x, h, c):\n"
        "    i = sigmoid(linear(x, h))\n"
        "    f = sigmoid(linear(x, h, bias=1))\n"
        "    o = sigmoid(linear(x, h))\n"
        "    g = tanh(linear(x, h))\n"
        "    c = f * c + i * g\n"
        "    return o * tanh(c), c\n"
    )


H, C, D = StatePath("h"), StatePath("c"), StatePath("d")


def graph(*nodes: Node, states: tuple[StatePath, ...] = (H,), outputs: tuple[int, ...] = (-1,)) -> Cell:
    """Return a cell of ``nodes`` after its input and states, as a program that builds graphs makes it."""
    first = [Input(name="x"), *(State(name=path.name, path=p) for p, path in enumerate(states))]
    everything = [*first, *nodes]
    return make_cell("f", "", states, everything, [index % len(everything) for index in outputs])


def ap(operation: str, *arguments: int) -> Apply:
    return Apply(operation=operation, arguments=arguments)


LINEAR = Linear(arguments=(0, 1))
BUILT = {
    "a number read twice": graph(LINEAR, Constant(value=2.0), ap("mul", 2, 3),
                                 ap("add", 4, 3)),
    "a named number": graph(LINEAR, Constant(value=2.0, name="two"), ap("mul", 2, 3)),
    "a number negated twice": graph(Constant(value=2.0), ap("neg", 2),
                                    ap("neg", 3), LINEAR,
                                    ap("mul", 4, 5)),
    "minus zero": graph(Scalar(init=-0.0), Linear(arguments=(0, 1), bias=-0.0), Constant(value=-0.0),
                        ap("mul", 2, 3), ap("sub", 5, 4)),
    "whole numbers": graph(Scalar(init=1), Linear(arguments=(0, 1), bias=1), Constant(value=3),
                           ap("mul", 2, 3), ap("sub", 5, 4)),
    "extreme numbers": graph(LINEAR, Constant(value=5e-324), ap("mul", 2, 3),
                             Constant(value=-1.7976931348623157e308), ap("sub", 4, 5),
                             Constant(value=1e15), ap("add", 6, 7)),
    "a negative number on the right": graph(LINEAR, Constant(value=-2.0), ap("sub", 2, 3),
                                            ap("div", 4, 3)),
    "associations": graph(LINEAR, Linear(arguments=(0,)), ap("sub", 3, 1),
                          ap("sub", 2, 4), ap("neg", 5),
                          ap("div", 6, 1), ap("div", 1, 7),
                          ap("neg", 8), ap("neg", 9),
                          ap("mul", 10, 1), ap("add", 1, 11)),
    "dead and unnamed": graph(LINEAR, ap("tanh", 2), Linear(arguments=(0,))),
    "numbers alone": graph(Constant(value=2.0), ap("tanh", 2), LINEAR,
                           ap("mul", 3, 4)),
    "a start before a path without": graph(LINEAR, states=(H, StatePath("c", 1.0), D),
                                           outputs=(4, 4, 3)),
    "one value for two paths": graph(Linear(arguments=(0, 1), name="h"),
                                     Apply(operation="tanh", arguments=(3,), name="c"),
                                     states=(H, C), outputs=(4, 4)),
    "paths that change places": graph(Linear(arguments=(0, 1), name="d"), states=(H, C, D),
                                      outputs=(4, 3, 2)),
    "a path's name on another value": graph(Linear(arguments=(0, 1), name="c"),
                                            Apply(operation="mul", arguments=(3, 2), name="c"),
                                            Apply(operation="tanh", arguments=(4,), name="c"),
                                            states=(H, C), outputs=(5, 4)),
    "deep": graph(LINEAR, *(ap("tanh", 2 + i) for i in range(300))),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILT)
def test_graphs_that_no_text_would_give_as_they_are(name: str) -> None:
    cell = BUILT[name]
    assert parse_cell(cell.to_text()) == cell
    assert parse_cell(cell.to_text()).digest == cell.digest


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("a\"'\\\n \t\r\x00\x0c\u2028\u00a0\ud800{}é")) | st.text())
@example('ends with a quote"')
@example('"""')
@example("back\\")
@example("one\n          ")
def test_any_docstring_survives(doc: str) -> None:
    cell = replace(lstm, doc=doc)
    assert parse_cell(cell.to_text()) == cell
    assert run_as_python(cell.to_text()) == cell
    cell.to_text().encode()


NAMES = st.sampled_from(["c", "h", "g", "tanh", "linear", "state", "x", "v1", "c_2", "exp", "sigmoid", None])


@settings(max_examples=200, deadline=None)
@given(st.lists(NAMES, min_size=6, max_size=6), st.permutations([4, 5, 6, 7, 8]))
def test_any_names_survive_reading_and_python(names: list[str | None], outputs: list[int]) -> None:
    nodes: list[Node] = [
        Linear(arguments=(0, 1), name=names[0]),
        Apply(operation="tanh", arguments=(3,), name=names[1]),
        Apply(operation="mul", arguments=(4, 2), name=names[2]),
        Apply(operation="add", arguments=(5, 2), name=names[3]),
        Apply(operation="sigmoid", arguments=(5,), name=names[4]),
        Apply(operation="mul", arguments=(6, 7), name=names[5]),
    ]
    cell = graph(*nodes, states=(H, C), outputs=(outputs[0], outputs[1]))
    assert parse_cell(cell.to_text()) == cell
    assert run_as_python(cell.to_text()) == cell
    assert parse_cell(cell.to_text()).digest == cell.digest
