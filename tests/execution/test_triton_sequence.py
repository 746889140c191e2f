"""Loops over time in one launch, in Triton's interpreter on the CPU, against the reference interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.execution.fused.triton import persistent
from nas_rnn.execution.fused.triton.backend import Loop, computing, run_triton
from nas_rnn.execution.fused.triton.kernels import Kernels, make_kernels
from nas_rnn.execution.fused.triton.persistent import is_within_reach
from nas_rnn.execution.fused.triton.stepwise import Stepwise
from nas_rnn.execution.layout import make_layout
from nas_rnn.execution.reference import run_reference
from tests.execution.test_linear_recurrences import ZOO
from tests.execution.triton_cases import CLOSE, Case, check, drawn

pytest.importorskip("triton")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, where a cell divides by zero
RESTARTS = [[0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]]


def kernels_of(tested: Cell, input_size: int = 4, hidden_size: int = 4) -> Kernels:
    return make_kernels(make_layout(tested.canonical(), input_size, hidden_size))


LOOPS = [name for name, tested in ZOO.items() if kernels_of(tested).recurrence is None]
"""The published cells that have a loop."""


@pytest.fixture(autouse=True)
def launches(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """All loops run in one launch; return those that were launched."""
    made: list[str] = []
    original = persistent.Persistent.loop

    def counted(run: Any, direction: str) -> None:
        made.append(direction)
        original(run, direction)

    monkeypatch.setattr(persistent.Persistent, "loop", counted)
    with computing("persistent"):
        yield made


@pytest.mark.parametrize("name", LOOPS)
def test_published_cells(name: str, launches: list[str]) -> None:
    worst = Case(ZOO[name], sizes=(2, 2, 4, 4), lengths=(2, 1)).worst()
    assert worst is not None and worst < CLOSE[torch.float64]
    assert launches == ["forward", "backward"]


@pytest.mark.parametrize("seed", range(200, 220))
def test_random_cells(seed: int) -> None:
    check(drawn(seed), torch.float64 if seed % 2 else torch.float32)


def test_most_random_cells_are_compared() -> None:
    loops = [kernels_of(drawn(seed), 4, 6).recurrence is None for seed in range(200, 220)]
    assert sum(loops) >= 14


@pytest.mark.parametrize("lengths", [(), (4, 2, 1)])
@pytest.mark.parametrize(
    "tested",
    [ZOO["lstm"], ZOO["gru"], ZOO["lstm_ln"], ZOO["slstm"], drawn(3), drawn(12)],
    ids=lambda c: c.name,
)
def test_sequences_that_begin_anew(tested: Cell, lengths: tuple[int, ...]) -> None:
    worst = Case(tested, sizes=(4, 3, 4, 6), lengths=lengths, restarts=RESTARTS).worst()
    assert worst is None or worst < CLOSE[torch.float64]


@pytest.mark.parametrize("lengths", [(), (2,) * 7 + (1,) * 13])
@pytest.mark.parametrize("name", ["lstm", "lstm_ln", "slstm"])
def test_several_blocks_of_sequences_and_units(
    name: str, lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two programs, the last with rows beyond the batch; units, columns and sums in several pieces."""
    monkeypatch.setattr(persistent, "UNITS", 4)
    monkeypatch.setattr(persistent, "BLOCK", (16, 16))
    check(ZOO[name], sizes=(2, 20, 3, 18), lengths=lengths)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 3, 3, 1), (2, 1, 1, 17)])
def test_odd_sizes(sizes: tuple[int, int, int, int]) -> None:
    for name in ("lstm", "lstm_ln"):
        check(ZOO[name], sizes=sizes)


DELAYED = """
@cell
def delayed(x, h, d):
    u = relu(linear(x))
    return tanh(linear(h) + tanh(d) * u), u
"""


@pytest.mark.parametrize("lengths", [(), (4, 3, 1)])
def test_a_path_that_is_known_before_the_loop(lengths: tuple[int, ...]) -> None:
    case = Case(parse_cell(DELAYED), sizes=(4, 3, 3, 5), lengths=lengths)
    assert make_kernels(case.layout).schedule.delayed == {1}
    worst = case.worst()
    assert worst is not None and worst < CLOSE[torch.float64]


def test_gradients_are_found_again(launches: list[str]) -> None:
    case = Case(ZOO["gru"])
    leaves = case.leaves()
    _, value = case.run(run_triton, leaves)
    first = torch.autograd.grad(value, leaves, retain_graph=True)
    again = torch.autograd.grad(value, leaves)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert launches == ["forward", "backward", "forward", "backward"]


# Products of bfloat16


@pytest.mark.parametrize("loop", ["persistent", "stepwise"])
@pytest.mark.parametrize("name", ["lstm", "gru", "nascell", "mingru"])
def test_products_of_bfloat16_have_sums_of_float32(name: str, loop: Loop) -> None:
    """What is lost is of the order of bfloat16's 8 bits, in values and gradients; Triton's interpreter cuts off what a
    GPU rounds."""
    case = Case(ZOO[name], torch.float32, sizes=(4, 3, 8, 16))
    exact = case.results(run_reference)
    with computing(loop, "bfloat16"):
        found = case.results(run_triton)
    for ours, right in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        assert float((ours - right).abs().max()) < 0.03 * float(right.abs().max())
    assert float((found[0] - exact[0]).abs().max()) > 1e-5


def test_gradients_have_the_products_of_their_sequence() -> None:
    """Also where they are computed after `computing` has ended."""
    case = Case(ZOO["gru"], torch.float32, sizes=(3, 2, 8, 16))
    leaves = case.leaves()
    with computing("persistent", "bfloat16"):
        _, value = case.run(run_triton, leaves)
        within = torch.autograd.grad(value, leaves)
        _, value = case.run(run_triton, leaves)
    after = torch.autograd.grad(value, leaves)
    assert all(torch.equal(a, b) for a, b in zip(within, after, strict=True))


# What runs in one launch


@pytest.mark.parametrize(
    "name, hidden, dtype, fits",
    [
        ("lstm", 128, torch.float32, True),
        ("lstm", 256, torch.float32, True),
        ("lstm", 257, torch.float32, False),  # 4 * 257 * 257 numbers for two launches
        ("lstm", 257, torch.bfloat16, True),
        ("lstm", 512, torch.bfloat16, False),
        ("lstm", 16, torch.float64, False),
        ("lstm_ln", 256, torch.float32, True),
        ("lstm_ln", 257, torch.bfloat16, False),
        ("indrnn", 4096, torch.float32, True),
        ("darts_v2", 256, torch.float32, True),
    ],
)
def test_cells_with_few_weights_run_in_one_launch(
    name: str, hidden: int, dtype: torch.dtype, fits: bool
) -> None:
    assert is_within_reach(make_layout(ZOO[name].canonical(), 64, hidden), dtype) == fits


def test_other_cells_run_step_by_step(monkeypatch: pytest.MonkeyPatch, launches: list[str]) -> None:
    steps: list[str] = []
    original = Stepwise.loop

    def counted(run: Any, direction: str) -> None:
        steps.append(direction)
        original(run, direction)

    monkeypatch.setattr(Stepwise, "loop", counted)
    with computing():
        Case(ZOO["gru"], torch.float32).results(run_triton)
        assert (launches, steps) == (["forward", "backward"], [])
        monkeypatch.setattr(persistent, "REACH", 1)
        is_within_reach.cache_clear()
        Case(ZOO["gru"], torch.float32).results(run_triton)
    is_within_reach.cache_clear()
    assert (launches, steps) == (["forward", "backward"], ["forward", "backward"])


@pytest.mark.parametrize("tested", [ZOO["lstm_ln"], ZOO["nascell"], ZOO["darts_v2"], drawn(12)])
def test_barriers_stand_between_what_is_written_and_read(tested: Cell) -> None:
    """The interpreter has one thread a program and would not miss them."""
    source = kernels_of(tested).sequence.code.source
    lines = [line for line in source.splitlines() if line.startswith("        ") and "begin_anew" not in line]
    outer = [line[8:] for line in lines if not line.startswith(" " * 9)]
    before = ""
    for line in outer:
        if line.startswith("for first"):
            assert before != "multiply"
            before = "for first"
        elif line.startswith("multiply"):
            assert before != "for first"
            before = "multiply"
        elif line == "tl.debug_barrier()":
            before = ""
    assert "multiply" in source and "for first" in source
