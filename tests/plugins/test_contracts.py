"""What `nas-rnn check` finds: nothing in sound plugins, and each fault in unsound ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas_rnn.cells import Operation, linear, operations, register_operation
from nas_rnn.cells.graph.operations import exp, restore_operations, tanh
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.plugins import GROUPS, load_cell, registry
from nas_rnn.spaces import Candidate, search_space
from nas_rnn.testing.contracts import CONTRACTS
from nas_rnn.testing.contracts.cells import check_cell
from nas_rnn.testing.contracts.operations import check_operation
from nas_rnn.testing.contracts.spaces import check_changes, check_one_trains


@pytest.fixture(autouse=True)
def _table():
    before = operations()
    yield
    restore_operations(before)


def op(value: str, *derivative: str, **more: object) -> Operation:
    return register_operation(Operation(name="checked", value=value, derivative=derivative, **more))


def test_every_kind_has_a_contract():
    assert set(CONTRACTS) == set(GROUPS)


@pytest.mark.parametrize("name", sorted(operations()))
def test_the_built_in_operations_keep_theirs(name):
    assert check_operation(operations()[name]) == []


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_peephole"])
def test_published_cells_keep_theirs(name):
    assert check_cell(load_cell(name)) == []


@pytest.mark.parametrize(
    ("value", "derivative"),
    [
        ("a * a", "2 * a"),
        ("abs(a)", "sign(a)"),
        ("sign(a) + 0 * a", "0"),
        ("log(a)", "1 / a"),
        ("sqrt(a)", "0.5 / y"),
        ("where(a <= 0, exp(a) - 1, a)", "where(a <= 0, y + 1, 1)"),
        ("sin(a)", "cos(a)"),
    ],
)
def test_right_derivatives_are_found_right(value, derivative):
    """Kinks, jumps and borders of the domain are not taken for mistakes."""
    problems = check_operation(op(value, derivative))
    assert [problem for problem in problems if "derivative" in problem] == []


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (("a * a", "a"), "the derivative in a, 'a', is wrong at"),
        (("a * b", "b", "b"), "the derivative in b, 'b', is wrong at"),
        (("a * a * a", "3 * a * a + 0.001"), "the derivative in a"),
        (("where(a > 0, a, 0)", "where(a > 0, 1, 0)"), "a NaN in a is hidden: the value is 0"),
        (("a + 0 * sign(b)", "1", "0"), "a NaN in b is hidden"),
        (("a * exp(a) / (1 + exp(a))", "1"), "is NaN in float32"),
        (("exp(exp(exp(exp(a + 30))))", "1"), "finite at none of the points"),
        (("where(a <= 0, 0, a)", "where(a <= 0, 2, 1)"), "the derivative in a"),
    ],
)
def test_a_wrong_operation_is_found(operation, message):
    value, *derivative = operation
    assert any(message in problem for problem in check_operation(op(value, *derivative)))


def test_a_wrong_claim_to_commute_is_found():
    assert check_operation(op("a - b", "1", "-1", commutative=True)) == [
        "it is marked commutative, and f(a, b) is not f(b, a)"
    ]


def test_the_point_of_a_wrong_derivative_is_told():
    (problem,) = check_operation(op("a * a", "a"))
    assert "at a=-20 it is -20, and differences of the value give -40" in problem


def test_a_cell_that_breaks_rules_is_found():
    lstm = load_cell("lstm")
    assert any("state path" in text for text in check_cell(replace(lstm, outputs=(0, 0))))


def test_a_backend_that_differs_is_found(monkeypatch):
    def wrong(layout, parameters, x_TBI, *rest):
        output, states = BACKENDS["reference"](layout, parameters, x_TBI, *rest)
        return output * 1.001, states

    monkeypatch.setitem(BACKENDS, "eager", wrong)
    assert "the eager backend differs from the reference in the output" in check_cell(load_cell("rnn"))


def test_a_cell_that_explodes_is_found():
    @search_space
    def burst(choose, x, h):
        return exp(exp(exp(linear(x, h))))

    cell = burst.sample(0).cell
    assert "its values or gradients are not finite on random numbers" in check_cell(cell)
    assert check_one_trains(burst) != []


@pytest.mark.parametrize(
    ("child", "message"),
    [
        (lambda a, b: "text", "crossover gives a str, not a Candidate"),
        (
            lambda a, b: Candidate(b.cell, a.decisions),
            "crossover gives decisions that replay as another candidate",
        ),
        (lambda a, b: 1 / 0, "crossover: ZeroDivisionError: division by zero"),
    ],
)
def test_a_space_whose_children_are_unsound_is_found(child, message):
    @search_space
    def some(choose, x, h):
        return choose("act", [tanh, exp])(linear(x, h))

    assert check_changes(some) == []
    some.crossover = lambda a, b, rng: child(a, b)
    (problem,) = check_changes(some)
    assert problem.startswith(message)


def test_a_space_on_cells_changes_cells():
    class Fixed:
        plugin_kind, name, doc = "space", "fixed", ""

        def sample(self, seed):
            return Candidate(load_cell("rnn"))

        def mutate(self, cell, rng):
            return replace(cell, outputs=(0,))

    (problem,) = check_changes(Fixed())
    assert problem.startswith("mutate: ") and "state path" in problem


@pytest.mark.parametrize("kind", ["strategy", "task"])
def test_the_contracts_hold_for_what_is_registered(kind):
    for name in registry().names(kind):
        value = registry().find(kind, name).value
        assert [problem for check in CONTRACTS[kind].checks for problem in check(value)] == [], name
