"""A limit of time ends with its block, whenever its alarm rings."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nas_rnn.plugins.sandbox import PluginTimeout, time_limit


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
