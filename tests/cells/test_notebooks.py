"""How cells look where they are looked at: in one line, and in notebooks."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.plugins import load_cell
from tests.execution.zoo import zoo_cells

CHAIN = parse_cell(
    "\n    ".join(["def f(x, h):", "h = tanh(linear(x, h))", *["h = tanh(h)"] * 1200, "return h\n"])
)


def test_a_repr_counts_what_is_written() -> None:
    assert repr(load_cell("rnn")) == "Cell('rnn', 1 state path, 2 matrices, 1 operation)"
    assert repr(load_cell("lstm")) == "Cell('lstm', 2 state paths, 8 matrices, 9 operations)"
    one = parse_cell("def f(x, h):\n    return linear(x) + h\n")
    assert repr(one) == "Cell('f', 1 state path, 1 matrix, 1 operation)"


def test_a_repr_is_one_short_line() -> None:
    cells: list[Cell] = [*zoo_cells().values(), CHAIN, replace(CHAIN, name="very_" * 30)]
    assert all(len(repr(cell)) < 80 and repr(cell).isprintable() for cell in cells)
    assert repr(cells[-1]).startswith("Cell('very_very_very_very_v...', 1 state path, ")


def test_a_notebook_shows_the_picture_and_the_equations() -> None:
    lstm = load_cell("lstm")
    shown = lstm._repr_html_()
    assert shown is not None
    source = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', shown)
    assert source is not None
    assert b"<svg" in base64.b64decode(source[1])
    assert f"<pre>{lstm}</pre>" in shown
    assert lstm._repr_markdown_() == f"$$\n{lstm.latex()}\n$$"


def test_a_cell_too_large_for_a_picture_still_shows_its_equations() -> None:
    assert CHAIN._repr_html_() is None
    assert CHAIN._repr_markdown_().count(r"\tanh") > 1200
