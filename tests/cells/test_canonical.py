"""The canonical form: one identity for all ways of writing a cell, and another for every other cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.cells import Cell, linear, parameter_owners, parse_cell, trace_cell
from nas_rnn.cells.graph.labelling import Labelling
from nas_rnn.cells.graph.nodes import State
from nas_rnn.cells.graph.operations import sigmoid, tanh
from nas_rnn.errors import UserError
from tests.cells.disguise import disguised
from tests.random_cells import cells

SEEDS = st.integers(0, 2**32)


def read(parameters: str, *lines: str) -> Cell:
    return parse_cell("\n    ".join([f"def f({parameters}):", *lines]) + "\n")


@settings(max_examples=200, deadline=None)
@given(cells(), SEEDS)
def test_another_way_of_writing_a_cell_has_the_same_digest_and_nodes(cell: Cell, seed: int) -> None:
    other = disguised(cell, seed)
    assert other.digest == cell.digest
    one, two = cell.canonical(), other.canonical()
    assert one.nodes == two.nodes
    assert one.outputs == two.outputs


@settings(max_examples=100, deadline=None)
@given(cells(), SEEDS)
def test_the_order_of_state_paths_after_the_first_is_no_part_of_the_digest(cell: Cell, seed: int) -> None:
    assert disguised(cell, seed, permute_states=True).digest == cell.digest


@settings(max_examples=100, deadline=None)
@given(cells(), SEEDS)
def test_parameters_keep_their_order_when_state_paths_change_places(cell: Cell, seed: int) -> None:
    def owners(cell: Cell) -> list[Any]:
        canonical = cell.canonical()
        described = []
        for index in parameter_owners(canonical):
            node = canonical.nodes[index]
            described.append(
                (type(node), [type(canonical.nodes[i]) for i in node.inputs], getattr(node, "bias", 0))
            )
        return described

    assert owners(disguised(cell, seed, permute_states=True)) == owners(cell)


@settings(max_examples=100, deadline=None)
@given(cells())
def test_each_owner_of_parameters_stands_for_one_of_the_cell(cell: Cell) -> None:
    canonical = cell.canonical()
    origins = [canonical.original[index] for index in parameter_owners(canonical)]
    assert len(set(origins)) == len(origins)
    for index, origin in zip(parameter_owners(canonical), origins, strict=True):
        assert origin is not None
        node, original = canonical.nodes[index], cell.nodes[origin]
        described = [
            (type(n), len(n.inputs), getattr(n, "bias", None), getattr(n, "init", None))
            for n in (node, original)
        ]
        assert described[0] == described[1]


SAME = {
    "blend": (["return blend(sigmoid(linear(x)), h, linear(h))"],
              ["g = sigmoid(linear(x))", "return g * h + (1 - g) * linear(h)"]),
    "numbers": (["return tanh(linear(x, h)) * 6"], ["return (2 * 3) * tanh(linear(x, h))"]),
    "minus minus": (["return -(-linear(x, h))"], ["return linear(x, h)"]),
    "equal values written twice": (["a = linear(x, h)", "return tanh(a) * tanh(a)"],
                                   ["a = linear(x, h)", "b = tanh(a)", "return b * b"]),
    "maximum of one": (["a = linear(x, h)", "return maximum(a, a)"], ["return linear(x, h)"]),
    "dead equations": (["dead = linear(x, h)", "deader = tanh(dead)", "return linear(x)"],
                       ["return linear(x)"]),
    "arguments of linear": (["return linear(x, h)"], ["return linear(h, x)"]),
    "minus zero": (["return linear(x, h) * scalar(0)"], ["return linear(x, h) * scalar(-0.0)"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_cells_that_are_the_same(name: str) -> None:
    one, two = SAME[name]
    assert read("x, h", *one).digest == read("x, h", *two).digest


def test_a_start_of_minus_zero_is_a_start_of_zero() -> None:
    assert (
        read("x, h=state(init=-0.0)", "return linear(x, h)").digest
        == read("x, h", "return linear(x, h)").digest
    )


HC = "x, h, c"
DIFFERENT: dict[str, tuple[str, list[str], str, list[str]]] = {
    "one gate read twice, or two gates": (
        "x, h", ["z = linear(x, h)", "return z * sigmoid(z)"],
        "x, h", ["return linear(x, h) * sigmoid(linear(x, h))"]),
    "one bias or two": ("x, h", ["return tanh(linear(x, h))"],
                        "x, h", ["return tanh(linear(x) + linear(h))"]),
    "no bias": ("x, h", ["return linear(x, h)"], "x, h", ["return linear(x, h, bias=None)"]),
    "another bias start": ("x, h", ["return linear(x, h)"], "x, h", ["return linear(x, h, bias=1)"]),
    "heads": ("x, h", ["return linear(x, h)"], "x, h", ["return linear(x, h, heads=2)"]),
    "an argument twice": ("x, h", ["return linear(x, h)"], "x, h", ["return linear(x, h, h)"]),
    "a state's start": ("x, h", ["return linear(x, h)"], "x, h=state(init=1)", ["return linear(x, h)"]),
    "the start of another state": (
        "x, h, a, b=state(init=1)", ["return linear(a, b), linear(h), linear(x)"],
        "x, h, a, b=state(init=1)", ["return linear(a, b), linear(x), linear(h)"]),
    "a state's size": ("x, h, p", ["return linear(x, h, p), p"],
                       'x, h, p=state(size="input")', ["return linear(x, h, p), p"]),
    "the order of a difference": ("x, h", ["return linear(x) - h"], "x, h", ["return h - linear(x)"]),
    "the order of a quotient": ("x, h", ["return linear(x) / h"], "x, h", ["return h / linear(x)"]),
    "what the gate of a blend prefers": ("x, h", ["return blend(sigmoid(linear(x)), h, linear(x))"],
                                         "x, h", ["return blend(sigmoid(linear(x)), linear(x), h)"]),
    "which state path is the output": (HC, ["return tanh(c), linear(x, h)"],
                                       HC, ["return linear(x, c), tanh(h)"]),
    "a state swapped": (HC, ["return tanh(h), tanh(c)"], HC, ["return tanh(c), tanh(h)"]),
    "a peephole at the old or the new value": (
        HC, ["new = tanh(linear(x, h)) + c", "return sigmoid(linear(x) + diagonal(c)) * new, new"],
        HC, ["new = tanh(linear(x, h)) + c", "return sigmoid(linear(x) + diagonal(new)) * new, new"]),
    "which gate starts at 1": (
        HC, ["i = sigmoid(linear(x, h))", "f = sigmoid(linear(x, h, bias=1))",
             "c = f * c + i * tanh(linear(x))", "return c, c"],
        HC, ["i = sigmoid(linear(x, h))", "f = sigmoid(linear(x, h, bias=1))",
             "c = i * c + f * tanh(linear(x))", "return c, c"]),
    "one projection or two": ("x, h", ["p = project(x)", "return p * p"],
                              "x, h", ["return project(x) * project(x)"]),
    "one peephole or two": ("x, h", ["d = diagonal(h)", "return d * d"],
                            "x, h", ["return diagonal(h) * diagonal(h)"]),
    "one norm or two": ("x, h", ["n = layer_norm(h)", "return n * n"],
                        "x, h", ["return layer_norm(h) * layer_norm(h)"]),
    "one learned number or two": ("x, h", ["s = scalar(1)", "return s * h + s"],
                                  "x, h", ["return scalar(1) * h + scalar(1)"]),
    "a learned number or a fixed one": ("x, h", ["return scalar(2) * h"], "x, h", ["return 2 * h"]),
    "where the start of a learned number is": ("x, h", ["return scalar(1) * h + scalar(2)"],
                                               "x, h", ["return scalar(2) * h + scalar(1)"]),
    "the operation": ("x, h", ["return tanh(linear(x, h))"], "x, h", ["return sigmoid(linear(x, h))"]),
    "the extreme": ("x, h", ["return maximum(linear(x), h)"], "x, h", ["return minimum(linear(x), h)"]),
    "an unused state path": ("x, h", ["return linear(x, h)"], HC, ["return linear(x, h), c"]),
    "a product with zero": ("x, h", ["return 0 * linear(x, h)"], "x, h", ["return 0 * linear(h, h)"]),
    "what is added to what": (
        "x, h", ["a = linear(x)", "b = linear(h)", "return (a + b) * a"],
        "x, h", ["a = linear(x)", "b = linear(h)", "return (a + b) * b"]),
    "two rings of three or one of six": (
        "x, h, a, b, c, d, e, f",
        ["return linear(x), linear(b), linear(c), linear(a), linear(e), linear(f), linear(d)"],
        "x, h, a, b, c, d, e, f",
        ["return linear(x), linear(b), linear(c), linear(d), linear(e), linear(f), linear(a)"]),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_cells_that_look_alike_and_are_not_the_same(name: str) -> None:
    parameters, lines, other_parameters, other_lines = DIFFERENT[name]
    assert read(parameters, *lines).digest != read(other_parameters, *other_lines).digest


def test_symmetrical_states_do_not_change_places_with_the_order_of_equations() -> None:
    """Two rings of states that could be exchanged: the nodes follow the states' order, not the equations'."""
    parameters = "x, h, a, b, c, d"
    head, tail = "p = linear(b)", "return linear(x, a, b, c, d), p, q, r, s"
    lines = [head, "q = linear(a)", "r = linear(d)", "s = linear(c)"]
    one = read(parameters, *lines, tail).canonical()
    for order in ([1, 0, 2, 3], [2, 3, 0, 1], [3, 1, 2, 0]):
        two = read(parameters, *(lines[i] for i in order), tail).canonical()
        assert two.digest == one.digest
        assert (two.nodes, two.outputs) == (one.nodes, one.outputs)


def balanced(values: Sequence[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    return balanced(values[: len(values) // 2]) + balanced(values[len(values) // 2 :])


def gates(x: Any, h: Any, count: int) -> list[Any]:
    return [sigmoid(linear(x, h)) for _ in range(count)]


def nested(x: Any, h: Any, depth: int) -> Any:
    return linear(*(nested(x, h, depth - 1) for _ in range(3))) if depth else linear(x, h)


SYMMETRICAL: dict[str, tuple[Callable[..., Any], int]] = {
    "balanced sum of 8 gates": (lambda x, h: balanced(gates(x, h, 8)), 8),
    "balanced sum of 12 gates": (lambda x, h: balanced(gates(x, h, 12)), 12),
    "chained sum of 12 gates": (lambda x, h: sum(gates(x, h, 12)), 12),
    "one matrix over 12 gates": (lambda x, h: linear(*gates(x, h, 12)), 12),
    "nested products": (lambda x, h: nested(x, h, 3), 40),
    "16 equal pairs": (lambda x, h: sum(linear(x) * linear(x) for _ in range(16)), 20),
    "6 equal states": (lambda x, h, *s: (linear(*s), *(tanh(linear(x, q)) for q in s)), 8),
    "states in a ring": (lambda x, h, *s: (h, *(tanh(linear(x, s[i - 1], s[i])) for i in range(6))), 3),
}


@pytest.mark.parametrize("name", SYMMETRICAL)
def test_labelling_a_symmetrical_cell_tries_few_rankings(name: str) -> None:
    """About one ranking for each generator of the symmetries, where their number is factorial."""
    function, limit = SYMMETRICAL[name]
    if "states" in name:
        traced = trace_cell(lambda x, h, a, b, c, d, e, f: function(x, h, a, b, c, d, e, f), "f")
    else:
        traced = trace_cell(lambda x, h: function(x, h), "f")
    canonical = traced.canonical()
    labels = [(type(node).__name__, isinstance(node, State) and node.path == 0) for node in canonical.nodes]
    labelling = Labelling(canonical.nodes, canonical.outputs, labels)
    assert labelling.automorphisms
    assert labelling.leaves <= limit
    assert disguised(traced, 1).digest == traced.digest
    assert disguised(traced, 2, permute_states=True).digest == traced.digest


def test_a_long_chain_refines_at_once() -> None:
    def long(x: Any, h: Any) -> Any:
        for _ in range(1500):
            h = tanh(h)
        return h + 0 * linear(x)

    canonical = trace_cell(long, "long").canonical()
    labelling = Labelling(
        canonical.nodes, canonical.outputs, [type(node).__name__ for node in canonical.nodes]
    )
    assert labelling.work < 10 * len(canonical.nodes)


def test_a_cell_that_is_too_symmetrical_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_rnn.cells.graph.colouring.MAX_WORK", 60)
    traced = trace_cell(lambda x, h: balanced(gates(x, h, 16)), "f")
    with pytest.raises(UserError, match="too symmetrical"):
        _ = traced.digest
