"""Cells made to be slow: values shared again and again, long chains, and state paths that are all alike."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from nas_rnn import load_cell
from nas_rnn.cells import Cell, CellError, parse_cell
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.graph.labelling import Labelling
from nas_rnn.cells.views.diagram.drawing import PNG_AREA, PNG_SIDE, _dots_per_inch
from nas_rnn.cells.views.difference import Parts, difference, match
from nas_rnn.errors import UserError
from tests.cells.disguise import disguised


def written(parameters: str, *lines: str) -> Cell:
    return parse_cell("\n    ".join([f"def f({parameters}):", *lines]) + "\n")


def repeated(line: str, count: int, start: str = "h = tanh(linear(x, h))") -> Cell:
    return written("x, h", start, *[line] * count, "return h")


def wired(next_of: Sequence[int], form: str = "tanh(linear(x, {}))") -> Cell:
    """Return a cell in which path i goes on from path ``next_of[i]`` alone."""
    paths = [f"s{i}" for i in range(len(next_of))]
    states = ", ".join(form.format(paths[i]) for i in next_of)
    return written(f"x, h, {', '.join(paths)}", f"return linear(x, {', '.join(paths)}), {states}")


def rings(*sizes: int) -> list[int]:
    """Return a permutation with cycles of these sizes."""
    found: list[int] = []
    for size in sizes:
        start = len(found)
        found += [start + (i + 1) % size for i in range(size)]
    return found


SHARED = {
    "sums": "h = h + h",
    "differences": "h = h - h",
    "products": "h = h * h",
    "sums without a name": "h = identity(h + h)",
    "blends": "h = blend(sigmoid(h), h, tanh(h))",
    "blends of gates": "h = blend(h, h, tanh(h))",
}


@pytest.mark.parametrize("line", SHARED.values(), ids=SHARED.keys())
def test_values_shared_again_and_again_are_looked_at_once(line: str) -> None:
    """Written out, each cell would have 2 to the power of 60 terms or more."""
    cell, lstm = repeated(line, 60), load_cell("lstm")
    assert difference(cell, cell).is_empty
    assert difference(cell, lstm).sentences
    assert max(map(len, difference(lstm, cell).sentences)) < 10_000
    assert len(str(cell)) < 50_000
    assert len(cell.latex()) < 50_000
    assert parse_cell(cell.to_text()) == cell
    assert costs(cell, 8, 8).products == 1


def test_a_shared_sum_still_has_its_learned_terms() -> None:
    cell = written(
        "x, h, c", "g = linear(x, h)", *["g = g + g"] * 60, "i = sigmoid(g)", "c = i * c", "return c, c"
    )
    parts = Parts(cell.canonical())
    assert [gate.role for gate in parts.gates] == ["forget gate"]
    linear = next(i for i, node in enumerate(parts.nodes) if type(node).__name__ == "Linear")
    assert parts.addends(parts.nodes[parts.gates[0].node].inputs[0]) == [linear]


def test_a_long_chain_has_every_view() -> None:
    cell, lstm = repeated("h = tanh(h)", 1200), load_cell("lstm")
    assert parse_cell(cell.to_text()) == cell
    assert len(str(cell).splitlines()) > 1200
    assert "has no output gate (o)" in difference(cell, lstm).sentences
    assert difference(cell, cell).is_empty


def test_a_picture_too_large_to_be_seen_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"at most 400 boxes and circles, and this one would have 1,204; the eq"
    ):
        repeated("h = tanh(h)", 1200).diagram()
    gates = [f"a{i} = sigmoid(linear(x, h))" for i in range(99)]
    sums = [f"t = tanh(t) + a{i}" for i in range(99)]
    with pytest.raises(UserError, match=r"at most 8,000 boxes, circles and wires that pass them by"):
        written("x, h", *gates, "t = h", *sums, "return t").diagram()


def test_a_large_picture_is_drawn_with_fewer_dots_to_an_inch() -> None:
    assert _dots_per_inch(10.0, 5.0) == 200
    for width, height in ((400.0, 3.0), (2.0, 1000.0), (90.0, 90.0)):
        dots = _dots_per_inch(width, height)
        assert dots * max(width, height) <= PNG_SIDE + 1
        assert dots**2 * width * height <= PNG_AREA + 1


def test_cells_with_too_many_pairs_of_values_are_not_compared() -> None:
    one, other = repeated("h = tanh(h)", 400), repeated("h = sigmoid(h)", 400)
    with pytest.raises(
        UserError, match=r"at most 100,000 pairs .* 404 values and .* 404, which are 163,216 pairs"
    ):
        match(one, other)
    assert len(match(one, one).pairs) == len(one.canonical().nodes)


@pytest.mark.parametrize("text", ["linear(x)" + " + h" * 20_000, "-" * 20_000 + "h", "h" + " * h" * 100])
def test_an_expression_nested_too_deeply_is_refused_with_what_would_work(text: str) -> None:
    with pytest.raises(CellError, match=r"nested at most 60 deep.* name a part of it"):
        written("x, h", f"return {text}")


@pytest.mark.parametrize("form", ["tanh(linear(x, {}))", "{}", "tanh({})"])
def test_equal_state_paths_cost_one_try_each(form: str) -> None:
    cell = wired(range(100), form)
    labels = [type(node).__name__ + str(getattr(node, "path", None) == 0) for node in cell.canonical().nodes]
    labelling = Labelling(cell.canonical().nodes, cell.canonical().outputs, labels)
    assert labelling.leaves == 1
    assert len(labelling.automorphisms) == 99
    assert disguised(cell, 3, permute_states=True).digest == cell.digest


@pytest.mark.parametrize("form", ["tanh(linear(x, {}))", "{}"])
def test_rings_of_state_paths_are_told_apart_by_their_lengths(form: str) -> None:
    digests = [
        wired(rings(*sizes), form).digest for sizes in ([100], [50, 50], [49, 51], [25] * 4, [1] * 100)
    ]
    assert len(set(digests)) == 5


@pytest.mark.parametrize("sizes", [[60], [30, 30], [20, 40], [5] * 6, [3, 3, 4, 5]])
def test_a_ring_of_state_paths_is_the_same_in_any_order(sizes: list[int]) -> None:
    next_of = rings(*sizes)
    order = random.Random(1).sample(range(len(next_of)), len(next_of))
    place = {old: new for new, old in enumerate(order)}
    assert wired([place[next_of[old]] for old in order]).digest == wired(next_of).digest


@pytest.mark.parametrize("form", ["tanh({})", "tanh(linear(x, {}))"])
def test_rings_of_many_lengths_are_not_tried_in_every_order(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Twelve of them have 479,001,600 orders; with the longest first each later one makes a better beginning."""
    monkeypatch.setattr("nas_rnn.cells.graph.colouring.MAX_WORK", 600_000)
    sizes = list(range(2, 14))
    assert wired(rings(*sizes[::-1]), form).digest == wired(rings(*sizes), form).digest


def test_digests_agree_with_brute_force() -> None:
    """Every way of connecting four paths: equal digests just where some order of the paths gives the other cell."""
    ways = list(itertools.product(range(4), repeat=4))
    of_digest: dict[str, set[tuple[int, ...]]] = {}
    for way in ways:
        of_digest.setdefault(wired(way).digest, set()).add(way)
    orders = list(itertools.permutations(range(4)))
    for alike in of_digest.values():
        way = next(iter(alike))
        renamed = {tuple(order.index(way[old]) for old in order) for order in orders}
        assert alike == renamed
    assert len(of_digest) == 19  # functions from four things to themselves, up to renaming (OEIS A001372)


def test_symmetrical_states_keep_their_places_in_the_canonical_form() -> None:
    """Whatever the order of the equations, parameters of equal paths stand in the order of the paths."""
    paths = [f"s{i}" for i in range(30)]
    lines = [f"n{i} = tanh(linear(x, s{i}))" for i in range(30)]
    tail = f"return linear(x, {', '.join(paths)}), {', '.join(f'n{i}' for i in range(30))}"
    parameters = f"x, h, {', '.join(paths)}"
    one = written(parameters, *lines, tail).canonical()
    for seed in range(3):
        two = written(parameters, *random.Random(seed).sample(lines, 30), tail).canonical()
        assert (two.nodes, two.outputs, two.digest) == (one.nodes, one.outputs, one.digest)


def test_parts_that_are_alike_and_cannot_change_places_are_refused_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nas_rnn.cells.graph.colouring.MAX_WORK", 2_000)
    with pytest.raises(
        UserError, match=r"too symmetrical to be identified: many of its 78 values .* 2,000 looks"
    ):
        _ = wired(rings(3, 4, 5, 6, 7)).digest
