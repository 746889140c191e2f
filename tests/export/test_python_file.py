"""The exported Python file computes what the layers do, in a process that has torch and no nas_rnn."""

from __future__ import annotations

import importlib.util
import itertools
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.cells import operations, parse_cell
from nas_rnn.cells.graph.operations import Operation, register_operation, restore_operations
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.export import ExportBundle, export_files, output_path
from nas_rnn.export.python_cell import write_step
from nas_rnn.export.python_operations import function_source
from tests.execution.zoo import zoo_cells
from tests.export.cases import check_cases, moved
from tests.random_cells import random_cell

ZOO = zoo_cells()


def test_published_cells(tmp_path: Path) -> None:
    """In the precision in which models are trained, one way and both."""
    cases = {name: moved(cell) for name, cell in ZOO.items()}
    cases |= {f"{name}_both": moved(cell, bidirectional=True) for name, cell in ZOO.items()}
    assert check_cases(tmp_path, cases, 1e-6) == 2 * len(ZOO)


def test_random_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    cells = [random_cell(rng) for _ in range(80)]
    cases = {f"random{n}": moved(cell, dtype=torch.float64) for n, cell in enumerate(cells)}
    stacked = {
        f"stacked{n}": moved(cell, 8, 8, num_layers=2, dtype=torch.float64)
        for n, cell in enumerate(cells[:20])
        if all(path.size == "hidden" for path in cell.states)
    }
    assert check_cases(tmp_path, cases | stacked, 1e-9) > 80


EXPRESSIONS = {
    "one": ("where(a > 2, 1, 0.1) * exp(-1)", 1),
    "two": ("maximum(a, 0.25) + minimum(-b, a) / (1 / 4)", 2),
    "gone": ("where(1 > 0, 2 * a, b)", 2),
    "flat": ("1 - 0.5", 1),
    "many": ("log1p(abs(a)) + expm1(b) * erf(c) - sqrt(abs(d)) * sign(-a) + sin(a) * cos(b)", 4),
    "ties": ("where(a == b, a, where(a <= b, where(a < b, b, 3), where(a >= b, -a, b)))", 2),
    "torch": ("a * log(1 + a * a)", 1),
}


@pytest.fixture
def added_operations():
    before = operations()
    for name, (value, arity) in EXPRESSIONS.items():
        register_operation(Operation(name=name, value=value, derivative=("1",) * arity))
    yield
    restore_operations(before)


def test_operations_of_plugins(added_operations, tmp_path: Path) -> None:
    """Each is a function of the file; constants, ties, and arguments that do not count among its arguments."""
    lines = {
        "one": "one(linear(x, h))",
        "two": "two(linear(x), 0.5) + two(0.25, linear(h))",
        "gone": "gone(linear(x), h) + gone(scalar(0.5), linear(h))",
        "flat": "flat(linear(x, h)) + h",
        "alone": "linear(x) * one(0.5) + linear(flat(h))",
        "many": "many(linear(x), h, linear(h), scalar(1))",
        "ties": "ties(h, h) + ties(linear(x), h)",
        "torch": "torch(linear(x, h))",
    }
    texts = {name: f"@cell\ndef c(x, h):\n    return {line}\n" for name, line in lines.items()}
    cases = {f"op_{name}": moved(parse_cell(text), dtype=torch.float64) for name, text in texts.items()}
    assert check_cases(tmp_path, cases, 1e-9) == len(lines)


def test_every_word_of_expressions_is_one_of_torch() -> None:
    values = torch.tensor([-1.5, -0.3, 0.2, 2.0], dtype=torch.float64)
    for name, (value, arity) in EXPRESSIONS.items():
        row = Operation(name=name, value=value, derivative=("1",) * arity)
        namespace: dict[str, object] = {"torch": torch, "Tensor": torch.Tensor}
        exec(function_source(row, "made"), namespace)
        for arguments in itertools.product(values, repeat=arity):
            variables = {letter: float(a) for letter, a in zip("abcd", arguments, strict=False)}
            expected = _evaluated(value, variables)
            assert float(namespace["made"](*arguments)) == pytest.approx(expected, nan_ok=True)  # type: ignore[operator]


def _evaluated(value: str, variables: dict[str, float]) -> float:
    names = (
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "abs",
        "sign",
        "sin",
        "cos",
        "maximum",
        "minimum",
        "where",
    )
    functions = {name: getattr(np, name) for name in names}
    functions["erf"] = lambda a: float(torch.erf(torch.tensor(a, dtype=torch.float64)))
    return float(eval(value, {**functions, **variables}))


def loaded(folder: Path, rnn: RNN) -> ModuleType:
    for path, content in export_files(
        ExportBundle(name="mine", rnn=rnn), "python", folder / "mine.py"
    ).items():
        path.write_bytes(content)
    spec = importlib.util.spec_from_file_location("mine", folder / "mine.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_parameters_and_lines_are_those_of_the_equations(tmp_path: Path) -> None:
    rnn = moved(ZOO["lstm"])
    module = loaded(tmp_path, rnn)
    named = dict(module.load_rnn().cells[0].named_parameters())
    assert set(named) == {f"{letter}_{gate}" for letter in "WUb" for gate in "ifog"}
    source = (tmp_path / "mine.py").read_text()
    for line in str(ZOO["lstm"]).split("\n"):
        assert f"        # {line.strip()}\n" in source
    assert "f = torch.sigmoid(x @ self.W_f.T + h_prev @ self.U_f.T + self.b_f)" in source
    assert max(map(len, source.splitlines())) <= 120


@pytest.mark.parametrize("name", sorted(ZOO))
def test_each_symbol_of_an_equation_is_in_the_line_below_it(name: str) -> None:
    lines = write_step(ZOO[name]).lines
    code = "\n".join(lines)
    for comment in (line for line in lines if line.startswith("#")):
        for symbol in re.findall(r"\b[WUVbp]_\w+", comment):
            assert f"self.{symbol}" in code, (symbol, comment)


def test_it_is_called_as_lstm_is(tmp_path: Path) -> None:
    """Batch first, unbatched, packed, with a state, stacked and both ways."""
    rnn = moved(ZOO["lstm"], num_layers=2, bidirectional=True, batch_first=True)
    made = loaded(tmp_path, rnn).load_rnn()
    x = torch.randn(3, 6, 4)
    state = tuple(torch.randn(4, 3, 8) for _ in range(2))
    packed = pack_padded_sequence(x, torch.tensor([2, 6, 3]), batch_first=True, enforce_sorted=False)
    with torch.no_grad():
        for arguments in ((x,), (x, state), (x[0],), (x[0], tuple(s[:, 0] for s in state))):
            _same(made(*arguments), rnn(*arguments))
        for arguments in ((packed,), (packed, state)):
            ours, theirs = made(*arguments), rnn(*arguments)
            _same((ours[0].data, ours[1]), (theirs[0].data, theirs[1]))
            assert torch.equal(ours[0].batch_sizes, theirs[0].batch_sizes)
            assert torch.equal(ours[0].unsorted_indices, theirs[0].unsorted_indices)


def _same(ours: tuple, theirs: tuple) -> None:
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-5, atol=1e-6)
    for a, b in zip(ours[1], theirs[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_fresh_layers_of_the_file_start_as_the_cell_says(tmp_path: Path) -> None:
    module = loaded(tmp_path, moved(ZOO["lstm_peephole"]))
    fresh = dict(module.RNN(4, 100).cells[0].named_parameters())
    assert fresh["b_i"].eq(0.0).all()
    assert 0.09 < fresh["U_i"].abs().max() <= 0.1


def test_names_that_would_clash(tmp_path: Path) -> None:
    """Words that the file or torch's modules use for something else."""
    text = (
        "@cell\ndef c(F, float, self):\n    torch = linear(F, float)\n    half = scalar(0.5)\n"
        "    Tensor = tanh(torch) * half\n    return Tensor + float, self + torch\n"
    )
    assert check_cases(tmp_path, {"clash": moved(parse_cell(text), dtype=torch.float64)}, 1e-9) == 1


def test_where_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert output_path("first-search", "python", None) == Path("first_search.py")
    with pytest.raises(UserError, match=r"'2nd' is no\s+name in Python, '_2nd' would work"):
        output_path("x", "python", Path("2nd.py"))
    with pytest.raises(UserError, match=r"does not end in \.py"):
        output_path("x", "python", Path("mine.txt"))
    (tmp_path / "mine.pt").touch()
    with pytest.raises(UserError, match=r"'mine.pt' is there already"):
        output_path("x", "python", Path("mine.py"))


def test_what_bears_no_name_is_not_nested_without_end() -> None:
    """The names stand on identities, which are left out."""
    lines = "\n    ".join(["h = identity(tanh(h))"] * 300)
    step = write_step(parse_cell(f"def chain(x, h):\n    h = linear(x, h)\n    {lines}\n    return h\n"))
    assert max(line.count("(") for line in step.lines) <= 14
    assert sum(line.count("torch.tanh(") for line in step.lines) == 300
