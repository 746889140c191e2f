"""Row code: what is folded, what is shared, and how it is cut into loops."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from nas_rnn.cells import find_operation, parse_cell
from nas_rnn.cells.expressions import parse_expression
from nas_rnn.execution.fused.cpp import print_cpp
from nas_rnn.execution.fused.cpp.stages import spilled_rows
from nas_rnn.execution.fused.forward import forward_code
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.loops import cut_into_loops, is_elementwise
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.fused.rowcode import Effect, RowCode
from nas_rnn.execution.fused.schedule import make_schedule
from nas_rnn.execution.layout import make_layout
from nas_rnn.execution.reference import evaluate_tensors

H = Leaf(Kind.PREVIOUS, 0)
K = Leaf(Kind.KEPT, 0)
X = Leaf(Kind.X, 0, "input")


def text(code: RowCode, index: int) -> str:
    """Return a statement written out."""
    statement = code.statements[index]
    if statement.call == "number":
        return str(statement.detail)
    if statement.call == "load":
        return f"{statement.detail.kind.value}"
    inner = [text(code, i) for i in statement.arguments]
    return f"{statement.call}({', '.join(inner)})"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + 0", "previous"),
        ("0 + a", "previous"),
        ("a - 0", "previous"),
        ("0 - a", "-(0.0, previous)"),
        ("a * 1", "previous"),
        ("1 * a", "previous"),
        ("a / 1", "previous"),
        ("a * -1", "neg(previous)"),
        ("-1 * a", "neg(previous)"),
        ("-(-a)", "previous"),
        ("1 / a", "/(1.0, previous)"),
        ("a * 0", "*(previous, 0.0)"),
        ("a - a", "-(previous, previous)"),
        ("a / a", "/(previous, previous)"),
        ("2 * 3 + 1", "7.0"),
        ("maximum(2, 3) * exp(0)", "3.0"),
        ("where(1 < 2, a, b)", "where<(1.0, 2.0, previous, kept)"),
        ("where(a < b, b, b)", "kept"),
        ("where(2 <= 1, 3, 4)", "4.0"),
        ("1 / 0", "inf"),
        ("0 / 0", "nan"),
        ("a + 1 / 0", "+(previous, inf)"),
        ("tanh(a) * (1 - tanh(a))", "*(tanh(previous), -(1.0, tanh(previous)))"),
    ],
)
def test_what_is_folded(expression: str, expected: str) -> None:
    """Only what changes no value, of NaN and infinities neither: 0 * a stays, and so does 0 - a."""
    code = RowCode()
    variables = {"a": code.load(H), "b": code.load(K)}
    value = code.expression(parse_expression(expression, ("a", "b")), variables)
    assert text(code, value) == expected


NUMBERS = (0.0, 1.0, -1.0, 2.5, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("call", ["a + b", "a - b", "a * b", "a / b", "maximum(a, b)", "where(a <= b, a, 3)"])
def test_folding_is_torchs_arithmetic(call: str) -> None:
    """Numbers alone give the number that torch gives; a number and a value, the same as torch for each."""
    tree = parse_expression(call, ("a", "b"))
    for left, right in itertools.product(NUMBERS, repeat=2):
        expected = float(
            evaluate_tensors(
                tree, dict(zip("ab", torch.tensor([left, right], dtype=torch.float64), strict=True))
            )
        )
        code = RowCode()
        found = code.value_of(code.expression(tree, {"a": code.number(left), "b": code.number(right)}))
        assert found is not None
        assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_equal_statements_are_one() -> None:
    code = RowCode()
    a, b = code.load(H), code.load(K)
    assert code.load(H) == a
    assert code.call("+", a, b) == code.call("+", b, a)
    assert code.call("*", a, b) == code.call("*", b, a)
    assert code.call("-", a, b) != code.call("-", b, a)
    assert code.call("tanh", a) == code.call("tanh", a)
    assert code.number(math.nan) == code.number(math.nan)
    assert code.number(1) == code.number(1.0)


def test_only_what_has_an_effect_stays() -> None:
    code = RowCode()
    a, b = code.load(H), code.load(K)
    code.call("exp", b)
    code.store(H, code.call("tanh", a))
    pruned = code.prune()
    assert [statement.call for statement in pruned.statements] == ["load", "tanh"]
    assert pruned.effects == [(Effect.STORE, H, 1)]


def test_widths() -> None:
    code = RowCode()
    h, x, one = code.load(H), code.load(X), code.number(2.0)
    total = code.sum(x)
    assert code.statements[total].width == "row"
    assert code.statements[code.call("*", h, total)].width == "hidden"
    assert code.statements[code.call("*", one, total)].width == "row"
    assert code.statements[code.units(1, 1)].width == "uniform"


# Loops


def test_without_sums_there_is_one_loop() -> None:
    code = RowCode()
    code.store(H, code.call("tanh", code.call("+", code.load(H), code.load(K))))
    ((loop,),) = [phase.loops for phase in cut_into_loops(code)]
    assert (loop.width, loop.statements, loop.sums, loop.spills) == ("hidden", (0, 1, 2, 3), (), ())


def test_each_size_has_a_loop() -> None:
    code = RowCode()
    code.store(H, code.call("tanh", code.load(H)))
    code.store(X, code.call("exp", code.load(X)))
    ((first, second),) = [phase.loops for phase in cut_into_loops(code)]
    assert (first.width, second.width) == ("hidden", "input")
    assert {effect[1] for effect in first.effects} == {H}
    assert {effect[1] for effect in second.effects} == {X}


def centred() -> RowCode:
    """tanh(h) less its mean, divided by its deviation."""
    code = RowCode()
    value = code.call("tanh", code.load(H))
    count = code.units(1, 0)
    difference = code.call("-", value, code.call("/", code.sum(value), count))
    variance = code.call("/", code.sum(code.call("*", difference, difference)), count)
    code.store(K, code.call("/", difference, code.call("sqrt", variance)))
    return code


def test_a_sum_ends_a_loop() -> None:
    """Mean, variance, result: three loops; what a later one needs is computed once and spilled."""
    code = centred()
    phases = cut_into_loops(code)
    assert [len(phase.loops) for phase in phases] == [1, 1, 1]
    calls = [[code.statements[i].call for i in phase.loops[0].statements] for phase in phases]
    assert calls == [["load", "tanh"], ["-", "*"], ["/"]]
    assert [len(phase.loops[0].sums) for phase in phases] == [1, 1, 0]
    spilled = [[code.statements[i].call for i in phase.loops[0].spills] for phase in phases]
    assert spilled == [["tanh"], ["-"], []]
    assert spilled_rows(code) == 2
    assert [[code.statements[i].call for i in phase.numbers] for phase in phases] == [
        ["units"],
        ["sum", "/"],
        ["sum", "/", "sqrt"],
    ]
    assert [phase.loops[0].effects for phase in phases][:2] == [(), ()]


def test_loads_are_not_spilled() -> None:
    code = RowCode()
    value = code.load(H)
    code.store(K, code.call("-", value, code.sum(value)))
    assert spilled_rows(code) == 0


def test_stores_wait_for_the_last_loop() -> None:
    """A place may be read in any loop before."""
    code = RowCode()
    old = code.load(H)
    code.store(H, code.call("tanh", code.load(K)))
    code.store(K, code.call("*", old, code.sum(old)))
    phases = cut_into_loops(code)
    assert not any(effect is Effect.STORE for loop in phases[0].loops for effect, _, _ in loop.effects)
    assert [leaf for loop in phases[1].loops for _, leaf, _ in loop.effects] == [H, K]


def test_learned_numbers_of_each_unit_and_of_all() -> None:
    code = RowCode()
    code.add_row(Leaf(Kind.ROW, 0), code.load(H))
    code.add_number(Leaf(Kind.NUMBER, 0, "one"), code.load(X))
    ((first, second),) = [phase.loops for phase in cut_into_loops(code)]
    assert [effect for effect, _, _ in first.effects] == [Effect.ADD_ROW]
    assert [effect for effect, _, _ in second.effects] == [Effect.ADD_NUMBER]


def test_all_that_a_loop_reads_is_there() -> None:
    """Of every stage of a norm of norms, both ways: from this loop, spilled by an earlier one, or loaded."""
    tested = parse_cell(
        "@cell\ndef f(x, h):\n    return layer_norm(layer_norm(linear(h), x) * tanh(linear(x)), h, x)\n"
    )
    schedule = make_schedule(make_layout(tested.canonical(), 4, 6))
    codes = [forward_code(schedule, stage) for stage in schedule.stages]
    codes += Gradient(schedule).codes.values()
    assert max(len(cut_into_loops(code)) for code in codes) == 5
    for code in codes:
        spilled: set[int] = set()
        effects = []
        for phase in cut_into_loops(code):
            for loop in phase.loops:
                for index in loop.statements:
                    for argument in code.statements[index].arguments:
                        statement = code.statements[argument]
                        known = argument in loop.statements or argument in spilled
                        assert known or statement.call == "load" or not is_elementwise(statement.width)
                spilled |= set(loop.spills)
                effects += loop.effects
            effects += [(Effect.STORE, leaf, value) for leaf, value in phase.stores]
        assert sorted(map(str, effects)) == sorted(map(str, code.effects))


def test_the_gradient_of_a_cheap_value_is_computed_from_what_is_kept() -> None:
    """A negated sum takes the sum's place; its gradient must not negate it once more."""
    tested = parse_cell("@cell\ndef f(x, h):\n    return tanh(-linear(x, h) * h)\n")
    schedule = make_schedule(make_layout(tested.canonical(), 4, 6))
    assert find_operation("neg").derivative == ("-1",)
    (code,) = [code for code in Gradient(schedule).codes.values() if code.effects]
    slot = [i for i, s in enumerate(code.statements) if s.call == "load" and s.detail.kind is Kind.SLOT]
    negated = {s.arguments[0] for s in code.statements if s.call == "neg"}
    assert slot
    assert not negated & set(slot)


@pytest.mark.parametrize(
    "line", ["h = relu(h)", "h = tanh(h)", "h = layer_norm(h)", "h = h + h", "h = linear(h)"]
)
def test_the_code_of_a_long_chain_grows_with_its_length(line: str) -> None:
    """Stages, loops and gradients of 400 operations in a row, without a call within a call for each."""
    sizes = []
    for count in (200, 400):
        lines = "\n    ".join([line] * count)
        cell = parse_cell(f"def chain(x, h):\n    h = linear(x, h)\n    {lines}\n    return h\n")
        schedule = make_schedule(make_layout(cell.canonical(), 4, 4))
        sizes.append(len(print_cpp(schedule, Gradient(schedule)).source))
    assert sizes[1] < 2.2 * sizes[0]


def test_a_long_chain_that_reads_the_input_alone_comes_before_the_loop() -> None:
    lines = "\n    ".join(["c = tanh(c)"] * 1500)
    cell = parse_cell(f"def chain(x, h, c):\n    c = linear(x)\n    {lines}\n    return linear(h) + c, c\n")
    schedule = make_schedule(make_layout(cell.canonical(), 4, 4))
    assert schedule.delayed == {1}
    assert schedule.bulk > 0
