"""What differs between two cells: the matching, the marked equations, the sentences, the framed parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn import load_cell
from nas_rnn.cells import Cell, cell, linear, state
from nas_rnn.cells.graph.operations import relu, sigmoid, tanh
from nas_rnn.cells.views.diagram import draw, sketch
from nas_rnn.cells.views.difference import Parts, difference, match
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from tests.cells.disguise import disguised
from tests.random_cells import cells, random_cell


def said(one: str | Cell, base: str | Cell) -> list[str]:
    found = difference(
        load_cell(one) if isinstance(one, str) else one, load_cell(base) if isinstance(base, str) else base
    )
    return list(found.sentences)


@cell
def lstm_relu(x, h, c):
    i = sigmoid(linear(x, h))
    f = sigmoid(linear(x, h, bias=1.0))
    o = sigmoid(linear(x, h))
    g = relu(linear(x, h))
    c = f * c + i * g
    return o * tanh(c), c


@cell
def lstm_odd(x, h, c=state(init=1.0)):  # noqa: B008
    i = sigmoid(linear(x, h, heads=2))
    f = sigmoid(linear(x, h))
    o = sigmoid(linear(x, h, bias=None))
    g = tanh(linear(x, h, c))
    c = f * c + i * g
    return o * tanh(c), c


@pytest.mark.parametrize(
    ("name", "base", "sentences"),
    [
        ("lstm_coupled", "lstm", ["has no input gate (i) of its own: 1 - fₜ takes its place"]),
        ("lstm", "lstm_coupled", ["has an input gate (i) of its own; lstm_coupled uses 1 - fₜ"]),
        ("lstm_nig", "lstm_peephole", ["has no input gate (i)"]),
        ("lstm_nfg", "lstm_peephole", ["has no forget gate (f)"]),
        ("lstm_nog", "lstm_peephole", ["has no output gate (o)"]),
        ("lstm_peephole", "lstm_nog", ["has an output gate (o) that lstm_nog lacks"]),
        ("lstm_niaf", "lstm_peephole", ["the candidate (g) has no activation (tanh in lstm_peephole)"]),
        ("lstm_noaf", "lstm_peephole", ["applies no tanh to cₜ"]),
        ("lstm_cifg", "lstm_peephole", ["has no forget gate (f) of its own: 1 - iₜ takes its place"]),
        ("lstm", "lstm_np", []),
        (lstm_relu, "lstm", ["the candidate (g) uses relu instead of tanh"]),
        (
            "lstm_nas_bench",
            "lstm",
            [
                "the forget gate (f) has a bias that starts at 0 instead of 1",
                "the output gate (o) uses tanh instead of sigmoid",
            ],
        ),
    ],
)
def test_the_zoo_in_words(name: str | Cell, base: str, sentences: list[str]) -> None:
    assert said(name, base) == sentences


def test_peepholes_and_full_recurrence_in_words() -> None:
    (only,) = said("lstm_np", "lstm_peephole")
    assert only.startswith("3 fewer weights per unit (peepholes), in the ")
    assert all(gate in only for gate in ("input gate (i)", "forget gate (f)", "output gate (o)"))
    paths, reads = said("lstm_fgr", "lstm_peephole")
    assert paths == "3 more state paths: i, f and o"
    assert reads.count("gate") == 3 and "have a matrix for" in reads and reads.endswith("too")


def test_gru_and_lstm_in_words() -> None:
    told = said("gru", "lstm")
    for sentence in (
        "one fewer state path: c",
        "has no output gate (o)",
        "has no input gate (i) of its own: 1 - zₜ takes its place",
        "has a reset gate (r) that lstm lacks",
    ):
        assert sentence in told
    assert {"one more state path: c", "has no reset gate (r)"} <= set(said("lstm", "gru"))
    assert {"one fewer state path: c", "has no forget gate (f)"} <= set(said("rnn", "lstm"))


def test_values_without_a_name_are_noun_phrases() -> None:
    assert (
        "the candidate (g) reads a learned combination of xₜ and hₜ₋₁ instead of "
        "tanh of the projected xₜ plus a learned combination of rₜ ⊙ hₜ₋₁"
    ) in said("lstm", "mut1")


def test_layer_norms_in_words() -> None:
    told = said("lstm_ln", "lstm")
    assert any(s.startswith("9 more layer norms, in ") and "the output gate (o)" in s for s in told)


def test_coupled_gates_the_other_way_round() -> None:
    first = said("mut1", "gru")[0]
    assert first == "zₜ weights the candidate and 1 - zₜ the old state; in gru it is the other way round"


def test_starts_biases_heads_and_matrices_in_words() -> None:
    assert set(said(lstm_odd, "lstm")) == {
        "c starts at 1 instead of 0",
        "the input gate (i) has 2 heads instead of 1",
        "the forget gate (f) has a bias that starts at 0 instead of 1",
        "the output gate (o) has no bias",
        "the candidate (g) has a matrix for cₜ₋₁ too",
    }


def test_equations_are_marked() -> None:
    found = difference(load_cell("lstm_coupled"), lstm)
    assert [(mark, text.split(" = ")[0].strip()) for mark, text in found.base_lines] == [
        ("-", "iₜ"),
        (" ", "fₜ"),
        (" ", "oₜ"),
        (" ", "gₜ"),
        ("~", "cₜ"),
        (" ", "hₜ"),
    ]
    assert [mark for mark, _ in found.lines] == [" ", " ", " ", "~", " "]
    turned = difference(lstm, load_cell("lstm_coupled"))
    assert next(mark for mark, _ in turned.lines) == "+" and turned.to_dict()["equations"][0]["mark"] == "+"
    activation = difference(load_cell("lstm_niaf"), load_cell("lstm_peephole"))
    assert ("~", "gₜ = W_g xₜ + U_g hₜ₋₁ + b_g") in [(m, t.strip()) for m, t in activation.lines]


def test_the_roles_of_gates() -> None:
    def roles(of: Cell) -> list[tuple[str, bool]]:
        return sorted((gate.role, gate.coupled) for gate in Parts(of.canonical()).gates)

    assert roles(lstm) == [("forget gate", False), ("input gate", False), ("output gate", False)]
    assert roles(gru) == [("forget gate", True), ("reset gate", False)]
    assert roles(rnn) == []
    assert roles(load_cell("lstm_fgr")) == roles(load_cell("lstm_peephole")) == roles(lstm)


@settings(max_examples=60, deadline=None)
@given(cells(max_nodes=14), st.integers(0, 1000))
def test_the_same_cell_differs_in_nothing(one: Cell, seed: int) -> None:
    for other in (one, disguised(one, seed, permute_states=True)):
        found = difference(one, other)
        assert found.is_empty and not found.differing
        assert {mark for mark, _ in (*found.lines, *found.base_lines)} == {" "}


@settings(max_examples=80, deadline=None)
@given(cells(max_nodes=12), cells(max_nodes=12))
def test_the_matching_is_symmetric_sound_and_always_the_same(one: Cell, other: Cell) -> None:
    found = match(one, other)
    assert found.pairs == match(other, one).turned().pairs == match(one, other).pairs
    assert len(set(found.pairs.values())) == len(found.pairs)
    for a, b in found.pairs.items():
        assert type(found.first.nodes[a]) is type(found.second.nodes[b])
    assert found.pairs[0] == 0 and found.pairs[1] == 1


@settings(max_examples=80, deadline=None)
@given(cells(max_nodes=10), cells(max_nodes=10))
def test_every_difference_is_told(one: Cell, other: Cell) -> None:
    found = difference(one, other)
    assert found.is_empty == (one.digest == other.digest)
    if not found.is_empty:
        assert {mark for mark, _ in (*found.lines, *found.base_lines)} != {" "}


def test_one_change_in_the_middle_leaves_the_rest_matched() -> None:
    """Whatever the order of equations and of state paths."""
    for seed in range(12):
        found = difference(disguised(lstm_relu, seed, permute_states=True), lstm)
        (sentence,) = found.sentences
        assert sentence.startswith("the candidate") and sentence.endswith("uses relu instead of tanh")
        assert len(found.matching.pairs) == len(lstm.canonical().nodes)


def test_large_cells_of_another_shape_keep_many_connections() -> None:
    """Of 126; without improvement by single moves it is 74."""
    found = match(load_cell("darts_v1"), load_cell("enas"))
    back = found.pairs
    kept = sum(
        any(back.get(i) == j for j in found.second.nodes[back[index]].inputs)
        for index, node in enumerate(found.first.nodes)
        if index in back
        for i in node.inputs
        if i in back
    )
    assert kept >= 105


def test_large_cells_take_no_minutes() -> None:
    rng = np.random.default_rng(3)
    big = [random_cell(rng, max_nodes=120) for _ in range(2)]
    assert difference(*big).sentences


def test_the_picture_frames_what_differs() -> None:
    found = difference(load_cell("lstm_nog"), load_cell("lstm_peephole"))
    framed = [p.label for p in sketch(found.cell).parts if found.differing.intersection(p.nodes)]
    assert framed == ["tanh"]  # it is h now, where a product with the output gate was
    plain, marked = draw(found.cell), draw(found.cell, "svg", found.differing, "differs from $x_$")
    assert plain == draw(found.cell, "svg", frozenset()) != marked
    assert b"differs from $x_$" in marked
