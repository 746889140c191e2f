"""The published cells: they read back, keep their identity, and differ as their papers say."""

from __future__ import annotations

from collections import Counter

import pytest

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph.nodes import Apply, Diagonal, Linear
from nas_rnn.cells.zoo import classic, lstm_ablations

CELLS = {
    made.name: made
    for module in (classic, lstm_ablations)
    for made in vars(module).values()
    if isinstance(made, Cell)
}

DIGESTS = {
    "rnn": "c1-88aaa7c3732f63b0",
    "lstm": "c1-74b478e997a61877",
    "gru": "c1-5bad0dd72060630e",
    "lstm_peephole": "c1-f255b5aebd837325",
    "lstm_nig": "c1-5752342c77446194",
    "lstm_nfg": "c1-6aaf4bada4357e18",
    "lstm_nog": "c1-f12ab41afb155cc0",
    "lstm_niaf": "c1-614401496f88d22d",
    "lstm_noaf": "c1-1c5a9a9e8f953891",
    "lstm_cifg": "c1-b099bd2b999ea252",
    "lstm_np": "c1-74b478e997a61877",
    "lstm_fgr": "c1-e4afdd0c3c089626",
}
"""A change here is a change of `nas_rnn.cells.graph.canonical.VERSION`."""


def test_these_are_all() -> None:
    assert set(CELLS) == set(DIGESTS)


@pytest.mark.parametrize("name", CELLS)
def test_a_published_cell_keeps_its_identity(name: str) -> None:
    assert CELLS[name].digest == DIGESTS[name]


@pytest.mark.parametrize("name", CELLS)
def test_a_published_cell_reads_back_and_says_where_it_is_from(name: str) -> None:
    made = CELLS[name]
    assert parse_cell(made.to_text()) == made
    assert any(year in made.doc for year in ("1990", "1997", "2014", "2000", "2015"))


def parts(made: Cell) -> Counter[str]:
    """Return how often each kind of node occurs in the canonical form; gates by what they start at."""
    found: Counter[str] = Counter()
    for node in made.canonical().nodes:
        match node:
            case Apply(operation=name):
                found[name] += 1
            case Linear(arguments=arguments, bias=bias):
                found[f"linear of {len(arguments)} from {bias:g}" if bias is not None else "linear"] += 1
            case Diagonal():
                found["peephole"] += 1
    return found


BASE = {
    "linear of 2 from 0": 3,
    "linear of 2 from 1": 1,
    "peephole": 3,
    "sigmoid": 3,
    "tanh": 2,
    "mul": 3,
    "add": 4,
}
CHANGES: dict[str, dict[str, int]] = {
    "lstm_peephole": {},
    "lstm_nig": {"linear of 2 from 0": -1, "peephole": -1, "sigmoid": -1, "mul": -1, "add": -1},
    "lstm_nfg": {"linear of 2 from 1": -1, "peephole": -1, "sigmoid": -1, "mul": -1, "add": -1},
    "lstm_nog": {"linear of 2 from 0": -1, "peephole": -1, "sigmoid": -1, "mul": -1, "add": -1},
    "lstm_niaf": {"tanh": -1},
    "lstm_noaf": {"tanh": -1},
    "lstm_cifg": {"linear of 2 from 1": -1, "peephole": -1, "sigmoid": -1, "add": -1, "sub": 1},
    "lstm_np": {"peephole": -3, "add": -3},
    "lstm_fgr": {
        "linear of 2 from 0": -2,
        "linear of 2 from 1": -1,
        "linear of 5 from 0": 2,
        "linear of 5 from 1": 1,
    },
}
"""What each of Greff et al.'s variants adds and takes away (section 3 of arXiv:1503.04069)."""


@pytest.mark.parametrize("name", CHANGES)
def test_an_ablation_changes_what_the_paper_says(name: str) -> None:
    expected = Counter(BASE)
    expected.update(CHANGES[name])
    assert parts(CELLS[name]) == +expected


def equations(made: Cell) -> set[str]:
    return {line.strip() for line in made.to_text().splitlines()}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("lstm_nig", {"c = f * c + g"}),
        ("lstm_nfg", {"c = c + i * g"}),
        ("lstm_nog", {"return tanh(c), c"}),
        ("lstm_niaf", {"g = linear(x, h)"}),
        ("lstm_noaf", {"return o * c, c"}),
        ("lstm_cifg", {"c = (1 - i) * c + i * g"}),
        (
            "lstm_np",
            {"i = sigmoid(linear(x, h))", "f = sigmoid(linear(x, h, bias=1))", "o = sigmoid(linear(x, h))"},
        ),
    ],
)
def test_an_ablation_shares_the_other_equations_with_the_full_cell(name: str, lines: set[str]) -> None:
    header = {line for line in equations(CELLS[name]) if line.startswith(("def", '"""'))}
    assert equations(CELLS[name]) - equations(CELLS["lstm_peephole"]) - header == lines


def test_the_output_gate_alone_peeps_at_the_new_value() -> None:
    """Section 2 of Greff et al. 2015: input and forget gate read the last step's c, it this step's."""
    made = CELLS["lstm_peephole"].canonical()
    read = [node.argument for node in made.nodes if isinstance(node, Diagonal)]
    assert sorted(read) == [2, 2, made.outputs[1]]


def test_the_lstm_without_peepholes_is_the_lstm() -> None:
    assert CELLS["lstm_np"].digest == CELLS["lstm"].digest
    others = [made.digest for name, made in CELLS.items() if name != "lstm_np"]
    assert len(set(others)) == len(others)
