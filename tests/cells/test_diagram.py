"""Pictures of cells: what is shown, where it stands, and that it is drawn the same every time."""

import xml.etree.ElementTree as ElementTree
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from nas_rnn.cells import Cell, cell, diagonal, layer_norm, linear, project, scalar, state
from nas_rnn.cells.graph.nodes import Constant, Scalar
from nas_rnn.cells.graph.operations import blend, maximum, sigmoid, tanh
from nas_rnn.cells.views.diagram import Layout, Sketch, arrange, draw, sketch
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.cells.zoo.lstm_ablations import lstm_cifg, lstm_fgr, lstm_peephole
from nas_rnn.errors import UserError
from tests.random_cells import cells, random_cell

PUBLISHED = [rnn, lstm, gru, lstm_fgr, lstm_peephole, lstm_cifg]


@cell
def everything(x, h, m=state(init=-10.0), last=state(size="input")):  # noqa: B008
    """Every word of the language, a long name, and a value that is used twice by one operation."""
    zeta = scalar(1.0)
    my_very_long_update_gate = sigmoid(layer_norm(linear(x, h, bias=None)) * zeta + diagonal(h))
    key = linear(x, h, heads=4, bias=None)
    v = project(x) / (1 + maximum(key, 0.5)) - key
    return blend(my_very_long_update_gate, v * v, -h), 0.5 * m + sigmoid(zeta), x


def live_edges(drawn: Cell) -> set[tuple[int, int]]:
    """Return the cell's edges that a next state depends on, numbers aside."""
    found: set[tuple[int, int]] = set()
    stack = list(drawn.outputs)
    while stack:
        index = stack.pop()
        for i in drawn.nodes[index].inputs:
            if not isinstance(drawn.nodes[i], Constant | Scalar):
                if (i, index) not in found:
                    stack.append(i)
                found.add((i, index))
    return found


def shown_edges(drawn: Cell, shown: Sketch) -> set[tuple[int, int]]:
    """Return the edges of the cell that the picture shows: as arrows, through a join, or within one part."""
    into: dict[int, set[int]] = {}
    for link in shown.links:
        into.setdefault(link.target, set()).add(link.source)
    for target, sources in into.items():
        joins = {s for s in sources if shown.parts[s].kind == "join"}
        into[target] = sources.union(*(into[join] for join in joins))
    passed = {
        i: node.inputs[0]
        for i, node in enumerate(drawn.nodes)
        if getattr(node, "operation", "") == "identity"
    }
    found: set[tuple[int, int]] = set()
    for target, part in enumerate(shown.parts):
        reachable = {n for s in (*into.get(target, ()), target) for n in shown.parts[s].nodes}
        for through, behind in sorted(passed.items()):
            reachable |= {through} if behind in reachable else set()
        found |= {(a, b) for b in part.nodes for a in drawn.nodes[b].inputs if a in reachable}
    return found | {(a, b) for b, a in passed.items()}


def assert_sound(drawn: Cell) -> Layout:
    """Assert what holds for every picture; return its layout."""
    shown = sketch(drawn)
    layout = arrange(shown)
    assert live_edges(drawn) <= shown_edges(drawn, shown)
    assert sorted(p.label for p in shown.parts if p.kind == "next") == sorted(p.name for p in drawn.states)
    for one, other in combinations(layout.boxes, 2):
        assert not one.overlaps(other)
    for box in layout.boxes:
        assert box.width / 2 <= box.x <= layout.width - box.width / 2
        assert box.height / 2 <= box.y <= layout.height - box.height / 2
    assert sorted(s.link for s in layout.strokes if s.link is not None) == list(range(len(shown.links)))
    for stroke in layout.strokes:
        for (x0, y0), (x1, y1) in zip(stroke.points, stroke.points[1:], strict=False):
            assert abs(x0 - x1) < 0.01 or abs(y0 - y1) < 0.01, "a wire runs askew"
        if stroke.link is not None:
            assert_ends_at(layout, stroke.points[-1], shown.links[stroke.link].target)
    assert_no_wire_through_a_box(layout)
    return layout


def assert_ends_at(layout: Layout, point: tuple[float, float], part: int) -> None:
    box = layout.boxes[part]
    at_left = abs(point[0] - (box.x - box.width / 2)) < 0.01 and abs(point[1] - box.y) <= box.height / 2
    upright = abs(point[0] - box.x) < 0.01 and abs(abs(point[1] - box.y) - box.height / 2) < 0.01
    assert at_left or upright


def assert_no_wire_through_a_box(layout: Layout) -> None:
    for stroke in layout.strokes:
        for (x0, y0), (x1, y1) in zip(stroke.points, stroke.points[1:], strict=False):
            for box in layout.boxes:
                beside = min(x0, x1) >= box.x + box.width / 2 - 1 or max(x0, x1) <= box.x - box.width / 2 + 1
                above = min(y0, y1) >= box.y + box.height / 2 - 1 or max(y0, y1) <= box.y - box.height / 2 + 1
                assert beside or above


def overlapping_wires(layout: Layout) -> list[tuple[int, int]]:
    """Return the pairs of values whose wires run upon each other somewhere."""
    pieces = [
        (stroke.source, a, b)
        for stroke in layout.strokes
        for a, b in zip(stroke.points, stroke.points[1:], strict=False)
    ]
    found = []
    for (s, a, b), (t, c, d) in combinations(pieces, 2):
        for along, across in ((0, 1), (1, 0)):
            same_line = len({round(p[across]) for p in (a, b, c, d)}) == 1
            shared = min(max(a[along], b[along]), max(c[along], d[along])) - max(
                min(a[along], b[along]), min(c[along], d[along])
            )
            if s != t and same_line and shared > 1:
                found.append((s, t))
    return found


@pytest.mark.parametrize("published", [*PUBLISHED, everything], ids=lambda published: published.name)
def test_pictures_are_sound_and_wires_keep_apart(published: Cell) -> None:
    assert overlapping_wires(assert_sound(published)) == []


@given(cells())
@settings(max_examples=60, deadline=None)
def test_pictures_of_random_cells_are_sound(random: Cell) -> None:
    assert_sound(random)


@pytest.mark.parametrize("seed", range(6))
def test_pictures_of_large_random_cells_are_sound(seed: int) -> None:
    assert_sound(random_cell(np.random.default_rng(seed), max_nodes=40))


@pytest.mark.parametrize(
    ("published", "paths"),
    [(rnn, []), (lstm, ["c"]), (gru, ["h"]), (lstm_fgr, ["c"]), (lstm_cifg, ["c"])],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_cell_state_is_one_straight_line_along_the_top(published: Cell, paths: list[str]) -> None:
    shown = sketch(published)
    starts = [shown.parts[shown.links[line[0]].source].label for line in shown.lines]
    ends = [shown.parts[shown.links[line[-1]].target].label for line in shown.lines]
    assert starts == ends == paths
    layout = arrange(shown)
    heights = {round(y) for s in layout.strokes if s.emphasised for _, y in s.points}
    assert len(heights) == len(paths)
    assert all(round(box.y) >= min(heights, default=0) for box in layout.boxes)


def test_gates_and_candidates_are_told_apart_and_named() -> None:
    shown = {part.name: (part.kind, part.label) for part in sketch(lstm).parts if part.name}
    gate = ("gate", "σ")
    assert shown == {"i": gate, "f": gate, "o": gate, "g": ("candidate", "tanh")}
    peepholes = [link for link in sketch(lstm_peephole).links if link.weight == "diagonal"]
    assert len(peepholes) == 3


def test_values_that_several_gates_multiply_alike_come_together_once() -> None:
    shown = sketch(lstm)
    joins = [number for number, part in enumerate(shown.parts) if part.kind == "join"]
    assert len(joins) == 1
    assert sorted(shown.parts[k.source].label for k in shown.links if k.target == joins[0]) == ["h", "x"]
    assert len([k for k in shown.links if k.source == joins[0]]) == 4


def test_numbers_stand_in_labels_and_order_of_arguments_is_marked() -> None:
    @cell
    def ordered(x, h, c):
        return (h - c) / (1 + c), tanh(c) * 0.5 - h

    shown = sketch(ordered)
    assert {"+ 1", "× 0.5"} <= {part.label for part in shown.parts}
    marks = {(shown.parts[k.source].label, k.mark) for k in shown.links if k.mark}
    assert marks == {("c", "−"), ("+ 1", "÷"), ("h", "−")}


def test_what_no_next_state_needs_is_left_out() -> None:
    @cell
    def partly(x, h, c):
        dead = tanh(linear(x, h))  # noqa: F841
        return tanh(linear(x, c)), c

    labels = [(part.kind, part.label) for part in sketch(partly).parts]
    assert ("state", "h") not in labels
    assert labels.count(("candidate", "tanh")) == 1


@pytest.mark.parametrize("drawn", [rnn, lstm_fgr, everything], ids=lambda drawn: drawn.name)
def test_svg_and_png_are_well_formed_and_the_same_every_time(drawn: Cell) -> None:
    svg = draw(drawn, "svg")
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<dc:date>" not in svg
    assert not list(root.iter("{http://www.w3.org/2000/svg}text")), "text is drawn as paths"
    assert draw(drawn, "svg") == svg
    png = draw(drawn, "png")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert draw(drawn, "png") == png


def test_the_picture_does_not_depend_on_a_users_matplotlib_settings() -> None:
    import matplotlib

    expected = draw(rnn)
    with matplotlib.rc_context(
        {"font.size": 30, "svg.fonttype": "none", "lines.linewidth": 9, "savefig.dpi": 30}
    ):
        assert draw(rnn) == expected


def test_random_cells_draw_in_both_formats() -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        random = random_cell(rng, max_nodes=12)
        ElementTree.fromstring(draw(random, "svg"))
        assert draw(random, "png").startswith(b"\x89PNG")


def test_names_are_drawn_as_they_are() -> None:
    @cell
    def names(x, h, cell_state_):
        my_gate__ = sigmoid(linear(x, h))
        größe = tanh(linear(x, cell_state_))
        return my_gate__ * größe, my_gate__ * cell_state_

    ElementTree.fromstring(draw(names))


def test_an_unknown_format_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match="jpeg"):
        draw(rnn, "jpeg")
    assert rnn.diagram() == draw(rnn, "svg")
