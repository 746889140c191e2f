"""A limit of time ends with its block, whenever its alarm rings."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nas_rnn.plugins.registry import Registry
from nas_rnn.plugins.sandbox import PluginTimeout, last_frame, time_limit
from nas_rnn.tasks import char_lm


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Whatever a test leaves behind is no other's."""
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.mark.parametrize("late", [True, False])
def test_an_alarm_that_rings_while_the_block_is_left_raises_nothing_and_leaves_no_timer(
    monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """On a busy machine a second may pass there; a timer that stayed would raise in code that is nobody's."""
    set_timer = signal.setitimer

    def ringing(which: int, seconds: float, interval: float = 0.0) -> Any:
        if seconds == 0.0:
            os.kill(os.getpid(), signal.SIGALRM)
        return set_timer(which, seconds, interval)

    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr("nas_rnn.plugins.sandbox.signal.setitimer", ringing)
    if late:
        with pytest.raises(PluginTimeout, match=r"more than 0\.05 s"), time_limit(0.05):
            time.sleep(10.0)
    else:
        with time_limit(30.0):
            pass
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_outer_limit_holds_on_after_an_inner_one() -> None:
    with pytest.raises(PluginTimeout, match=r"more than 0\.3 s"), time_limit(0.3):
        with pytest.raises(PluginTimeout, match=r"more than 0\.05 s"), time_limit(0.05):
            time.sleep(10.0)
        time.sleep(10.0)


@pytest.mark.parametrize(("module", "loads"), [("nas_rnn.tasks.char_lm", True), ("other.task", False)])
def test_what_comes_with_nas_rnn_may_take_as_long_as_it_needs(
    monkeypatch: pytest.MonkeyPatch, module: str, loads: bool
) -> None:
    """On a busy machine a task would be missing otherwise."""

    def load() -> Any:
        time.sleep(0.2)
        return char_lm

    entry = SimpleNamespace(name="slow", value=module, module=module, dist=None, load=load)
    monkeypatch.setattr(sys.modules[Registry.__module__], "entry_points", lambda group: [entry])
    registry = Registry(seconds=0.05)
    assert registry.names("task") == (["char-lm"] if loads else [])
    assert [problem.message for problem in registry.problems] == (
        [] if loads else ["it ran for more than 0.05 s"] * 2
    )


def test_a_limit_is_told_by_the_line_that_it_struck() -> None:
    with pytest.raises(PluginTimeout) as caught, time_limit(0.05):
        time.sleep(10.0)
    assert last_frame(caught.value)[0] == __file__
