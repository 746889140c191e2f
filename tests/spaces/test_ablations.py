"""What remains of a cell without one element: each variant is a cell, known ones are the published ablations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from nas_rnn import RNN, load_cell, parse_cell
from nas_rnn.cells import Cell, cell, linear, state
from nas_rnn.cells.graph.operations import relu, sigmoid
from nas_rnn.errors import UserError
from nas_rnn.spaces.ablations import ELEMENTS, USUAL, ablations
from tests.random_cells import cells


def by_words(name: str | Cell, *elements: str) -> dict[str, Cell]:
    of = load_cell(name) if isinstance(name, str) else name
    return {variant.what: variant.cell for variant in ablations(of, elements or ELEMENTS)}


def test_of_the_lstm_they_are_those_of_greff_et_al() -> None:
    """Section 3 of arXiv:1503.04069, each of its variants of one removal by digest."""
    found = by_words("lstm_peephole")
    for what, name in {
        "the input gate (i) is 1": "lstm_nig",
        "the forget gate (f) is 1": "lstm_nfg",
        "the output gate (o) is 1": "lstm_nog",
        "no tanh of the candidate (g)": "lstm_niaf",
        "no tanh on cₜ": "lstm_noaf",
    }.items():
        assert found[what].digest == load_cell(name).digest


def test_elements_are_taken_out_one_at_a_time() -> None:
    assert list(by_words("lstm", "gate", "activation", "path")) == [
        "the output gate (o) is 1",
        "the input gate (i) is 1",
        "the forget gate (f) is 1",
        "no tanh of the candidate (g)",
        "no tanh on cₜ",
        "h is not read back",
        "no state path c",
    ]
    assert len(by_words("lstm", "matrix")) == 8
    alone = by_words("lstm", "path")["no state path c"]
    assert [path.name for path in alone.states] == ["h"] and "tanh(iₜ ⊙ gₜ)" in str(alone)
    assert {"tanh for relu of the candidate"} <= set(by_words("indrnn", "activation"))
    assert sum("layer norm" in what for what in by_words("lstm_ln", "norm")) == 9
    assert len(by_words("lstm_peephole", "peephole")) == 3


def test_coupled_gates_are_taken_apart() -> None:
    found = by_words("gru", "gate")
    assert str(found["the forget gate (z) is 1, 1 - zₜ stays"]).endswith("hₜ₋₁ + nₜ ⊙ (1 - zₜ)")
    assert str(found["1 - zₜ is 1, the forget gate (z) stays"]).endswith("hₜ₋₁ ⊙ zₜ + nₜ")


def test_a_path_that_nothing_reads_any_more_goes_too() -> None:
    shown = by_words("lstm", "product")["oₜ without the factor tanh(cₜ), in the equation of hₜ"]
    assert [path.name for path in shown.states] == ["h"]


def test_a_path_is_replaced_by_what_it_starts_at() -> None:
    @cell
    def starting(x, h, m=state(init=2.0)):  # noqa: B008
        gate = sigmoid(linear(x, h))
        return relu(linear(x, h)) * gate + m * h, m * gate

    (found,) = [c for what, c in by_words(starting, "path").items() if what == "no state path m"]
    assert "2" in str(found) and [path.name for path in found.states] == ["h"]


def test_unknown_elements_and_nothing_to_take_out_are_mistakes() -> None:
    with pytest.raises(UserError, match=r"gaate.*gate"):
        ablations(load_cell("lstm"), ["gaate"])
    with pytest.raises(UserError, match="nothing of the kinds norm can be taken out of 'lstm'"):
        ablations(load_cell("lstm"), ["norm"])


@settings(max_examples=60, deadline=None)
@given(cells(max_nodes=12))
def test_every_variant_is_another_cell_that_runs(one: Cell) -> None:
    try:
        found = ablations(one, ELEMENTS)
    except UserError:
        return
    digests = [variant.cell.digest for variant in found]
    assert one.digest not in digests and len(set(digests)) == len(digests)
    names = [variant.cell.name for variant in found]
    assert len({one.name, *names}) == len(names) + 1
    assert [v.what for v in found] == [v.what for v in ablations(one, ELEMENTS)]
    for variant in found:
        assert parse_cell(variant.cell.to_text()) == variant.cell
        assert set(variant.cell.states) <= set(one.states)
    last = found[-1].cell
    if last.states[0].size == "hidden":
        output, _ = RNN(last, 4, 4, backend="reference")(torch.zeros(2, 1, 4))
        assert output.shape == (2, 1, 4)


def test_usual_elements_leave_out_single_matrices() -> None:
    assert set(ELEMENTS) - set(USUAL) == {"matrix"}
    assert {v.element for v in ablations(load_cell("lstm_peephole"))} == {
        "gate",
        "activation",
        "product",
        "path",
        "peephole",
    }


def test_a_cell_with_too_many_elements_is_refused_with_their_number() -> None:
    lines = "\n    ".join(["h = tanh(h)"] * 400)
    of = parse_cell(f"def chain(x, h):\n    h = linear(x, h)\n    {lines}\n    return h\n")
    message = r"at most 30,000 values, and 401 changes \(activation 400, path 1\) of 'chain', which has 403"
    with pytest.raises(UserError, match=message):
        ablations(of)
    assert ablations(of, ("path",))


def test_factors_shared_again_and_again_are_no_obstacle() -> None:
    lines = "\n    ".join(["h = h * h"] * 60)
    of = parse_cell(f"def powers(x, h):\n    h = tanh(linear(x, h))\n    {lines}\n    return h\n")
    assert {variant.element for variant in ablations(of)} == {"activation", "product", "path"}
