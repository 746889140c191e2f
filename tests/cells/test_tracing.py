"""Tracing beside debuggers, in threads and in each other; what goes wrong comes out as it is."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from nas_rnn.cells import (
    Cell,
    CellError,
    cell,
    linear,
    scalar,
    trace_cell,
)
from nas_rnn.cells.graph.operations import tanh


def equations(made: Cell) -> list[str]:
    """Return the lines of the cell's body."""
    return [line.strip() for line in made.to_text().splitlines()[2:]]


@pytest.fixture
def seen() -> Iterator[list[tuple[str, str]]]:
    """Trace as a debugger does, and see the events of functions named ``watched`` and ``squash``."""
    events: list[tuple[str, str]] = []

    def debugger(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_name in ("watched", "squash"):
            events.append((frame.f_code.co_name, event))
        return debugger

    before = sys.gettrace()
    sys.settrace(debugger)
    yield events
    assert sys.gettrace() is debugger
    sys.settrace(before)


def test_a_debugger_goes_on_seeing_everything(seen: list[tuple[str, str]]) -> None:
    def squash(h):
        return tanh(h)

    @cell
    def watched(x, h):
        g = linear(x, h)
        return squash(g)

    assert equations(watched)[0] == "g = linear(x, h)"
    assert seen == [
        ("watched", "call"),
        ("watched", "line"),
        ("watched", "line"),
        ("squash", "call"),
        ("squash", "line"),
        ("squash", "return"),
        ("watched", "return"),
    ]


def test_a_tracer_that_puts_itself_first_does_not_cost_the_names() -> None:
    """A coverage tool's tracer installs itself again at every call."""
    calls = []

    def greedy(frame: Any, event: str, argument: Any) -> Any:
        calls.append(event)
        if event == "call":
            sys.settrace(greedy)
        return greedy

    before = sys.gettrace()
    sys.settrace(greedy)
    try:

        def function(x: Any, h: Any) -> Any:
            g = linear(x, h)
            k = tanh(g)
            return k  # noqa: RET504

        @functools.wraps(function)
        def wrapped(x: Any, h: Any) -> Any:
            return function(x, h)

        f = cell(wrapped)
    finally:
        kept = sys.gettrace()
        sys.settrace(before)
    assert kept is greedy
    assert equations(f) == ["g = linear(x, h)", "k = tanh(g)", "return k"]
    assert "line" in calls


def test_a_debugger_that_starts_inside_stays() -> None:
    before = sys.gettrace()

    def late(frame: Any, event: str, argument: Any) -> Any:
        return None

    def function(x: Any, h: Any) -> Any:
        sys.settrace(late)
        return linear(x, h)

    try:
        trace_cell(function, "f")
        assert sys.gettrace() is late
    finally:
        sys.settrace(before)


def test_an_exception_inside_a_cell_comes_out_as_it_is() -> None:
    before = sys.gettrace()
    with pytest.raises(ZeroDivisionError):

        @cell
        def f(x, h):
            return h * (1 / 0)

    assert sys.gettrace() is before
    with pytest.raises(CellError, match=r"scalar\(\.\.\.\) is a word of the cell language: use it"):
        scalar(1.0)


def test_cells_traced_inside_each_other_keep_apart() -> None:
    @cell
    def outer(x, h):
        a = scalar(1) * h

        @cell
        def inner(x, h):
            b = scalar(2) * h
            assert repr(a) == "<value a of outer>"
            return b + linear(x)

        assert equations(inner) == ["b = scalar(2) * h", "return b + linear(x)"]
        c = scalar(3) * a
        return c + linear(x)

    assert equations(outer)[:2] == ["a = scalar(1) * h", "c = scalar(3) * a"]


def test_two_threads_trace_at_once() -> None:
    barrier = threading.Barrier(2)
    made: dict[int, Cell] = {}

    def work(number: int) -> None:
        def function(x: Any, h: Any) -> Any:
            barrier.wait(10)
            first = scalar(number)
            barrier.wait(10)
            return first * linear(x, h)

        made[number] = trace_cell(function, f"f{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [equations(made[number])[0] for number in (1, 2)] == ["first = scalar(1)", "first = scalar(2)"]


FOREIGN: list[Any] = []


def test_a_value_of_another_cell_is_refused() -> None:
    @cell
    def first(x, h):
        FOREIGN.append(h)
        return linear(x, h)

    foreign = FOREIGN.pop()
    for word, function in (
        ("add", lambda x, h: h + foreign),
        ("the next value of h", lambda x, h: foreign + 1),
        ("linear", lambda x, h: linear(foreign) + h),
        ("add", lambda x, h: h + tanh(foreign)),
    ):
        with pytest.raises(CellError, match=r"was given a value of another cell, <value . of") as caught:
            trace_cell(function, "f")
        assert word in str(caught.value)
