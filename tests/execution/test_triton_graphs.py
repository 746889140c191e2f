"""Recorded loops, without a GPU: what is launched is noted and launched again, and no Python runs in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from nas_rnn.execution.fused.triton import graphs
from nas_rnn.execution.fused.triton.backend import computing, run_triton
from nas_rnn.execution.fused.triton.graphs import GRAPHS
from nas_rnn.execution.fused.triton.kernels import Kernels
from nas_rnn.execution.reference import run_reference
from tests.execution.test_linear_recurrences import ZOO
from tests.execution.triton_cases import Case

pytest.importorskip("triton")


class Recording(TorchDispatchMode):
    """Notes torch's operations and the launches of kernels, with the tensors that they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Callable[[], object]] = []

    def __torch_dispatch__(self, call: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        named = named or {}
        result = call(*given, **named)
        if isinstance(result, Tensor) and not call.is_view:
            inputs = [*given, *named.values()]
            if any(result is one for one in inputs):
                self.notes.append(lambda: call(*given, **named))
            else:
                self.notes.append(lambda: result.copy_(call(*given, **named)))
        return result


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Record on the CPU; return how many notes each recording has."""
    made: list[int] = []
    open_ones: list[Recording] = []
    launch = Kernels.launch

    def noted(*arguments: Any) -> None:
        with _disable_current_modes():  # the interpreter's own operations are no part of a launch
            launch(*arguments)
        for recording in open_ones:
            recording.notes.append(lambda: launch(*arguments))

    def record(work: Callable[[], None]) -> Callable[[], object]:
        work()
        work()
        with Recording() as recording:
            open_ones.append(recording)
            work()
            open_ones.remove(recording)
        made.append(len(recording.notes))
        return lambda: [note() for note in recording.notes]

    monkeypatch.setattr(Kernels, "launch", noted)
    monkeypatch.setitem(graphs.RECORDERS, "cpu", record)
    GRAPHS.clear()
    with computing("graphed"):
        yield made
    GRAPHS.clear()


def assert_right(case: Case) -> None:
    worst = case.worst()
    assert worst is not None and worst < 1e-9


@pytest.mark.parametrize("name", ["lstm", "lstm_ln", "slstm4"])
def test_a_graph_computes_with_what_is_new(name: str, recorded: list[int]) -> None:
    """Other inputs, states and weights of the same shapes, after the graph was recorded."""
    sizes = (2, 2, 4, 4)
    assert_right(Case(ZOO[name], sizes=sizes))
    assert recorded == []  # a shape that comes once is not recorded
    for _ in range(2):
        assert_right(Case(ZOO[name], sizes=sizes))
    assert len(recorded) == 2 and min(recorded) > 3
    assert len(GRAPHS.known) == 2


def test_sequences_between_forwards_and_backwards_do_not_disturb(recorded: list[int]) -> None:
    """As with two layers of one shape."""
    first, second = Case(ZOO["gru"]), Case(ZOO["gru"])
    for _ in range(2):
        first.results(run_triton)
    assert len(recorded) == 2
    leaves, others = first.leaves(), second.leaves()
    _, value = first.run(run_triton, leaves)
    _, other = second.run(run_triton, others)
    found = torch.autograd.grad(value, leaves), torch.autograd.grad(other, others)
    for case, mine in ((first, found[0]), (second, found[1])):
        wanted = case.results(run_reference)[len(case.states) + 1 :]
        for ours, right in zip(mine, wanted, strict=True):
            torch.testing.assert_close(ours, right)


def test_scans_and_bfloat16(recorded: list[int]) -> None:
    case = Case(ZOO["mingru"], sizes=(2, 2, 3, 4))  # a scan has no loop to record
    for _ in range(2):
        assert_right(case)
    assert recorded == []
    case = Case(ZOO["gru"], torch.float32, sizes=(2, 2, 3, 4))
    with computing("stepwise", "bfloat16"):
        wanted = case.results(run_triton)
    with computing("graphed", "bfloat16"):
        for _ in range(3):
            for ours, right in zip(case.results(run_triton), wanted, strict=True):
                torch.testing.assert_close(ours, right)
    assert len(recorded) == 2


def test_lengths_and_restarts_are_not_recorded(recorded: list[int]) -> None:
    """They change from call to call."""
    for _ in range(3):
        assert_right(Case(ZOO["rnn"], sizes=(2, 2, 4, 4), lengths=(2, 1)))
        assert_right(Case(ZOO["rnn"], sizes=(2, 2, 4, 4), restarts=[[0, 1], [1, 0]]))
    assert recorded == []


def test_few_graphs_are_kept(recorded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MOST", 2)
    for steps in (1, 2, 3, 1):
        for _ in range(2):
            assert_right(Case(ZOO["rnn"], sizes=(steps, 2, 3, 4)))
        assert len(GRAPHS.known) <= 2
    assert len(recorded) == 8  # that of one step anew


def test_what_cannot_be_recorded_runs_step_by_step(
    recorded: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def fails(work: Callable[[], None]) -> Callable[[], object]:
        tries.append(work)
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setitem(graphs.RECORDERS, "cpu", fails)
    for _ in range(4):
        assert_right(Case(ZOO["rnn"]))
    assert len(tries) == 2  # once each direction
    assert "not recorded as a CUDA graph: no room" in caplog.text


def test_graphs_are_not_made_unless_asked_for(recorded: list[int]) -> None:
    for loop in ("auto", "stepwise"):
        with computing(loop):  # type: ignore[arg-type]
            for _ in range(3):
                Case(ZOO["rnn"]).results(run_triton)
    assert recorded == []
