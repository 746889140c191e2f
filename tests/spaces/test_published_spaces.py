"""The spaces of published searches: what these searches found are points of them, named by their decisions."""

import pytest

from nas_rnn.cells import cell, linear
from nas_rnn.cells.graph.operations import identity, relu, sigmoid, tanh
from nas_rnn.plugins import load_space

DARTS_V1 = "relu 0, relu 1, tanh 2, relu 3, relu 4, identity 1, relu 5, relu 1"
DARTS_V2 = "sigmoid 0, relu 1, relu 1, identity 1, tanh 2, sigmoid 5, tanh 3, relu 5"
"""The genotypes as their authors publish them: for each node its activation and the node that feeds it."""

ENAS = "tanh 0, tanh 1, relu 1, tanh 3, tanh 3, relu 3, relu 4, relu 7, relu 8, relu 8, relu 8"
ENAS_AVERAGED = [2, 5, 6, 9, 10, 11]
"""The cell of the ENAS paper, in the same form: its nodes are counted from 0, and node 0 has tanh."""


def genotype(text: str) -> list[tuple[str, int]]:
    return [(word.split()[0], int(word.split()[1])) for word in text.split(", ")]


def darts_decisions(text: str) -> dict[str, str]:
    decisions = {}
    for number, (act, source) in enumerate(genotype(text), start=1):
        decisions |= {f"s{number}_from": f"s{source}", f"s{number}_act": act}
    return decisions


def enas_decisions() -> dict[str, str]:
    decisions = {"s1_act": "tanh"}
    for number, (act, source) in enumerate(genotype(ENAS), start=2):
        decisions |= {f"s{number}_from": f"s{source + 1}", f"s{number}_act": act}
    return decisions


@cell
def darts_v1(x, h):
    s0 = h + sigmoid(linear(x, h, bias=None)) * (tanh(linear(x, h, bias=None)) - h)
    s1 = s0 + sigmoid(linear(s0, bias=None)) * (relu(linear(s0, bias=None)) - s0)
    s2 = s1 + sigmoid(linear(s1, bias=None)) * (relu(linear(s1, bias=None)) - s1)
    s3 = s2 + sigmoid(linear(s2, bias=None)) * (tanh(linear(s2, bias=None)) - s2)
    s4 = s3 + sigmoid(linear(s3, bias=None)) * (relu(linear(s3, bias=None)) - s3)
    s5 = s4 + sigmoid(linear(s4, bias=None)) * (relu(linear(s4, bias=None)) - s4)
    s6 = s1 + sigmoid(linear(s1, bias=None)) * (linear(s1, bias=None) - s1)
    s7 = s5 + sigmoid(linear(s5, bias=None)) * (relu(linear(s5, bias=None)) - s5)
    s8 = s1 + sigmoid(linear(s1, bias=None)) * (relu(linear(s1, bias=None)) - s1)
    return (s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8) / 8


@cell
def darts_v2(x, h):
    s0 = h + sigmoid(linear(x, h, bias=None)) * (tanh(linear(x, h, bias=None)) - h)
    s1 = s0 + sigmoid(linear(s0, bias=None)) * (sigmoid(linear(s0, bias=None)) - s0)
    s2 = s1 + sigmoid(linear(s1, bias=None)) * (relu(linear(s1, bias=None)) - s1)
    s3 = s1 + sigmoid(linear(s1, bias=None)) * (relu(linear(s1, bias=None)) - s1)
    s4 = s1 + sigmoid(linear(s1, bias=None)) * (identity(linear(s1, bias=None)) - s1)
    s5 = s2 + sigmoid(linear(s2, bias=None)) * (tanh(linear(s2, bias=None)) - s2)
    s6 = s5 + sigmoid(linear(s5, bias=None)) * (sigmoid(linear(s5, bias=None)) - s5)
    s7 = s3 + sigmoid(linear(s3, bias=None)) * (tanh(linear(s3, bias=None)) - s3)
    s8 = s5 + sigmoid(linear(s5, bias=None)) * (relu(linear(s5, bias=None)) - s5)
    return (s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8) / 8


@pytest.mark.parametrize(("text", "written"), [(DARTS_V1, darts_v1), (DARTS_V2, darts_v2)], ids=["V1", "V2"])
def test_the_published_genotypes_are_points_of_darts(text, written):
    candidate = load_space("darts").replay(darts_decisions(text))
    assert candidate.decisions == darts_decisions(text)
    assert candidate.digest == written.digest


def test_the_two_genotypes_are_two_cells():
    assert darts_v1.digest != darts_v2.digest


def test_darts12_averages_all_its_nodes_but_the_first():
    chain = {
        key: value
        for n in range(1, 13)
        for key, value in ((f"s{n}_from", f"s{n - 1}"), (f"s{n}_act", "tanh"))
    }
    text = load_space("darts12").replay(chain).cell.to_text()
    assert text.count("linear(") == 2 * 13
    assert text.rstrip().endswith(f"return (s + {' + '.join(f's_{n}' for n in range(2, 13))}) / 12")


def test_the_cell_of_enas_averages_the_nodes_that_feed_none():
    candidate = load_space("enas").replay(enas_decisions())
    assert candidate.decisions == enas_decisions()
    averaged = " + ".join(f"s_{number + 1}" for number in ENAS_AVERAGED)
    assert candidate.cell.to_text().rstrip().endswith(f"return ({averaged}) / {len(ENAS_AVERAGED)}")


def test_enas_with_a_single_loose_end_returns_it():
    chain = {f"s{n}_act": "relu" for n in range(1, 13)} | {f"s{n}_from": f"s{n - 1}" for n in range(2, 13)}
    assert "/" not in load_space("enas").replay(chain).cell.to_text()


@cell
def zoph_le(x, h, c):
    """The cell that Zoph and Le found, as their program library has it (NASCell)."""
    leaf0 = sigmoid(linear(x, h, bias=None))
    leaf1 = relu(linear(x, h, bias=None))
    leaf2 = sigmoid(linear(x, h, bias=None))
    leaf3 = relu(linear(x, bias=None) * linear(h, bias=None))
    leaf4 = tanh(linear(x, h, bias=None))
    leaf5 = sigmoid(linear(x, h, bias=None))
    leaf6 = tanh(linear(x, h, bias=None))
    leaf7 = sigmoid(linear(x, h, bias=None))
    pair0 = tanh(tanh(leaf0 * leaf1) + c)
    pair1 = tanh(leaf2 + leaf3)
    pair2 = tanh(leaf4 * leaf5)
    pair3 = sigmoid(leaf6 + leaf7)
    c = pair0 * pair1
    return tanh(c * tanh(pair2 + pair3)), c


ZOPH_LE = {
    "inject": "pair0",
    "read": "quad0",
    "leaf0": "add sigmoid",
    "leaf1": "add relu",
    "leaf2": "add sigmoid",
    "leaf3": "multiply relu",
    "leaf4": "add tanh",
    "leaf5": "add sigmoid",
    "leaf6": "add tanh",
    "leaf7": "add sigmoid",
    "pair0": "multiply tanh",
    "inject_": "add tanh",
    "pair1": "add tanh",
    "pair2": "multiply tanh",
    "pair3": "add sigmoid",
    "quad0": "multiply identity",
    "quad1": "add tanh",
    "root": "multiply tanh",
}


def tree_decisions(said: dict[str, str]) -> dict[str, str]:
    decisions = {}
    for name, told in said.items():
        words = told.split()
        node = name.rstrip("_")
        decisions |= {f"{node}_combine": words[0], f"{node}_act": words[1]} if words[1:] else {name: told}
    return decisions


def test_the_cell_that_zoph_and_le_found_is_a_point_of_nas_cell():
    decisions = tree_decisions(ZOPH_LE)
    candidate = load_space("nas_cell").replay(decisions)
    assert candidate.decisions == decisions
    assert candidate.digest == zoph_le.digest


@pytest.mark.parametrize("node", ["leaf3", "pair2", "quad1", "root"])
def test_read_out_where_it_is_put_in_the_cell_state_hangs_on_x_and_h_alone(node):
    decisions = tree_decisions(ZOPH_LE) | {"inject": node, "read": node}
    found = load_space("nas_cell").replay(decisions).cell
    h, c = (needed(found, index) for index in found.outputs)
    assert {0, 1} <= c and 2 not in c
    assert 2 in h


def needed(cell, index):
    """Return the nodes that node ``index`` hangs on; 0 is x, 1 is h, 2 is c."""
    return {index}.union(*(needed(cell, i) for i in cell.nodes[index].inputs))
