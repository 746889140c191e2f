"""The compiler vectorises what stages compute: one call that it cannot see through makes them three times slower."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nas_rnn.cells import parse_cell
from nas_rnn.cells.graph.operations import BUILT_IN, operations
from nas_rnn.execution.fused.kernels import printed
from nas_rnn.execution.fused.toolchain import compiler, text_of
from nas_rnn.execution.layout import make_layout

NOT_YET = {"sqrt"}
"""Of whose gradient g++ 12 makes no vector code: RG-LRU alone has it, once a step."""
UNARY = sorted(
    name for name in BUILT_IN - NOT_YET if operations()[name].arity == 1 and not operations()[name].symbol
)


def loops(source: str, folder: Path) -> tuple[int, int]:
    """Return how many loops over units there are, and how many of these were vectorised."""
    path, flags, about = compiler()
    if "__GNUC__" not in about or "__clang__" in about:
        pytest.skip("only g++ tells which loops it vectorised")
    text = folder / "cell.cpp"
    text.write_text(text_of("cpp/prelude.hpp") + source)
    asked = [path, *flags, "-DSINGLE", "-fopt-info-vec-optimized", str(text), "-o", str(folder / "cell.so")]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stderr
    lines = text.read_text().splitlines()
    units = {n for n, line in enumerate(lines, 1) if re.search(r"for \(int64_t j = 0", line)}
    named = {int(n) for n in re.findall(r"cell\.cpp:(\d+):\d+: optimized: loop vectorized", told)}
    return len(units), sum(bool({n, n + 1} & named) for n in units)  # g++ names a loop by its first statement


@pytest.mark.parametrize("name", UNARY)
def test_a_stage_with_an_operation(name: str, tmp_path: Path) -> None:
    tested = parse_cell(
        "@cell\ndef f(x, h, c):\n"
        "    i = sigmoid(linear(x, h) + diagonal(c))\n"
        f"    c = c + i * {name}(linear(x, h))\n"
        "    return sigmoid(linear(x, h) + diagonal(c)) * tanh(c), c\n"
    )
    there, vectorised = loops(printed(make_layout(tested.canonical(), 4, 6))[2].source, tmp_path)
    assert there == 2
    assert vectorised == there
