"""What the speed benchmark compares with is what it says: the same arithmetic, counted right. Nothing is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import cell_speed
from speed import timing
from speed.bound import flops, make_bound, products
from speed.cases import Case, cases, chain, chains, drawn
from speed.fresh import first_step_rows, memory_rows
from speed.naive import NaiveRNN
from speed.rows import Shape, make_row, summarised

import nas_rnn
from nas_rnn.cells import Cell
from nas_rnn.cells.graph.costs import costs
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN, make_layout
from tests.execution.zoo import zoo_cells

ZOO = zoo_cells().values()
CELLS = [*ZOO, *drawn(4), chain(3)]
STEPS, BATCH, INPUT, HIDDEN = 5, 3, 4, 8
SHAPE = Shape(STEPS, BATCH, INPUT, HIDDEN)


def layout_of(name: str, input_size: int = INPUT) -> Any:
    return make_layout(nas_rnn.load_cell(name).canonical(), input_size, HIDDEN)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_naive_module_is_the_cell(cell: Cell) -> None:
    """Outputs and the gradients of the input and of all weights together, in double precision."""
    rnn = RNN(cell, INPUT, HIDDEN, backend="reference", dtype=torch.float64)
    for parameter in rnn.parameters():
        torch.nn.init.uniform_(parameter, -0.8, 0.8)
    naive = NaiveRNN(cell, INPUT, HIDDEN).double().copy_from(rnn)
    results = []
    data = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
    for module in (rnn, naive):
        x = data.clone().requires_grad_()
        output = module(x)
        output = output if isinstance(output, torch.Tensor) else output[0]
        output.square().sum().backward()
        norms = [p.grad.square().sum() for p in module.parameters() if p.grad is not None]
        results.append((output, x.grad, torch.stack(norms).sum()))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)
    assert sum(p.numel() for p in naive.parameters()) == sum(p.numel() for p in rnn.parameters())


def test_the_naive_module_has_a_linear_for_each_product() -> None:
    linears = [m for m in NaiveRNN(nas_rnn.load_cell("lstm"), 2, 4).modules() if type(m) is torch.nn.Linear]
    assert len(linears) == 8 and sum(linear.bias is not None for linear in linears) == 4


def test_the_lstm_s_products_are_two_of_four_gates_each() -> None:
    x, h = products(layout_of("lstm"))
    assert (x.hoisted, x.width, len(x.owners)) == (True, INPUT, 4)
    assert (h.hoisted, h.width, len(h.owners)) == (False, HIDDEN, 4)
    # Forwards, to the values and to the weights: 2 operations a weight, step and sequence each.
    expected = 3 * 2 * STEPS * BATCH * 4 * HIDDEN * (INPUT + HIDDEN)
    assert flops(layout_of("lstm"), STEPS, BATCH) == expected


@pytest.mark.parametrize("cell", [*drawn(6), chain(8), nas_rnn.load_cell("qrnn")], ids=lambda cell: cell.name)
def test_the_bound_has_all_multiply_adds_of_the_cell(cell: Cell) -> None:
    layout = make_layout(cell.canonical(), INPUT, HIDDEN)
    counted = costs(cell, INPUT, HIDDEN).multiply_adds
    assert flops(layout, STEPS, BATCH) == 3 * 2 * STEPS * BATCH * counted


def test_the_bound_multiplies_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Per step two products; before and after the loop one each for the input, and one a weight."""
    counted = 0

    def counting(function: Any, first: int) -> Any:
        def call(*arguments: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
            nonlocal counted
            rows, inner = arguments[first].shape
            counted += 2 * rows * inner * arguments[first + 1].shape[1]
            return function(*arguments, out=out)

        return call

    for name in ("lstm", "gru", "mingru", "qrnn"):
        counted = 0
        run = make_bound(layout_of(name), STEPS, BATCH)
        with monkeypatch.context() as patched:
            patched.setattr(torch, "mm", counting(torch.mm, 0))
            patched.setattr(torch, "addmm", counting(torch.addmm, 1))
            run()
        assert counted == flops(layout_of(name), STEPS, BATCH)


def test_a_linear_recurrence_has_no_product_in_its_loop() -> None:
    for name in ("mingru", "minlstm", "sru", "qrnn"):
        assert all(product.hoisted for product in products(layout_of(name)))


def test_matrices_with_heads_have_no_bound() -> None:
    with_heads = next(cell for cell in ZOO if any(getattr(node, "heads", 1) > 1 for node in cell.nodes))
    with pytest.raises(UserError, match="heads"):
        products(make_layout(with_heads.canonical(), INPUT, HIDDEN))


def test_chains_have_the_levels_they_are_named_for() -> None:
    for levels in (1, 4, 8):
        assert costs(chain(levels), INPUT, HIDDEN).levels == levels
    assert len({cell.digest for cell in chains()}) == 4


def test_the_drawn_cells_differ() -> None:
    assert len({cell.digest for cell in drawn(30)}) == 30


def test_a_case_has_a_row_for_each_peer() -> None:
    lstm = nas_rnn.load_cell("lstm")
    case = Case("twins", lstm, SHAPE, torch.nn.LSTM, is_same=True)
    rows = timing.measure(case, 1, timing.Effort(rounds=2))
    assert [row.peer for row in rows] == ["nn.LSTM", "eager", "naive", "products"]
    for row in rows:
        assert row.ratio > 0 and row.low <= row.ratio <= row.high and row.pairs == 2
    assert {"cell", "shape", "threads", "peer", "ratio"} <= set(rows[0].to_dict())


def test_a_peer_that_computes_something_else_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NaiveRNN, "copy_from", lambda self, rnn: self)
    with pytest.raises(AssertionError, match="gru: outputs differ"):
        timing.make_modules(Case("gated", nas_rnn.load_cell("gru"), SHAPE))


def test_ratios_are_those_of_pairs() -> None:
    about = {"set": "twins", "cell": "a", "shape": SHAPE, "threads": 1, "peer": "p"}
    row = make_row([1.0, 20.0, 300.0], [2.0, 20.0, 100.0], **about)
    assert (row.ratio, row.low, row.high) == (1.0, 0.75, 2.0)
    assert (row.ours, row.theirs, row.pairs) == (20.0, 20.0, 3)
    assert list(summarised([row, row]).values()) == [[row, row]]


def test_every_set_has_its_cases() -> None:
    names = {name: list(cases(name, 30)) for name in cell_speed.SETS}
    assert {name: len(found) for name, found in names.items()} == {
        "twins": 15,
        "gated": 90,
        "chains": 15,
        "linear": 4,
        "torchrecurrent": 16,
    }


def test_rows_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("speed.cases.LONG", SHAPE)
    target = tmp_path / "rows.json"
    arguments = ["--set", "linear", "--threads", "1", "--rounds", "1", "--cells", "mingru,sru"]
    monkeypatch.setattr(sys, "argv", ["cell_speed.py", *arguments, "--json", str(target)])
    cell_speed.main()
    rows = json.loads(target.read_text())
    assert {row["cell"] for row in rows} == {"mingru", "sru"} and len(rows) == 8
    assert "geometric mean" in capsys.readouterr().out


def test_the_first_step_is_told_from_the_later_ones() -> None:
    rows = {row.peer: row for row in first_step_rows([nas_rnn.load_cell("rnn")], 1, 1)}
    assert list(rows) == ["cold", "new", "cached"]
    assert rows["cold"].ours > rows["cached"].ours  # two compilations against none
    assert rows["new"].wait_seconds == rows["new"].ours - rows["new"].theirs


def test_the_memory_of_a_step_is_at_least_its_outputs() -> None:
    (row,) = memory_rows(1, 1)
    outputs = 784 * 32 * 128 * 4 / 2**20
    assert row.ours > outputs and row.theirs > outputs
