"""The queue of views: a run that goes on is written now and then, and one that ends at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas_rnn.tracking import queueing
from nas_rnn.tracking.queueing import ViewQueue
from nas_rnn.tracking.view import RunView

FIRST = RunView(key="first", name="first", start_ms=0)
OTHER = RunView(key="other", name="other", start_ms=0)


def write_next(queue: ViewQueue) -> RunView:
    view = queue.next()
    assert view is not None
    queue.written(view)
    return view


def test_a_run_that_goes_on_waits_its_turn_and_others_do_not() -> None:
    queue = ViewQueue()
    queue.put(FIRST)
    assert write_next(queue) is FIRST
    queue.put(newer := replace(FIRST, name="newer"))
    queue.put(OTHER)
    assert write_next(queue) is OTHER
    assert queue.pending == ("first",)
    queue.close()
    assert write_next(queue) is newer


def test_a_run_that_has_ended_is_written_at_once() -> None:
    queue = ViewQueue()
    queue.put(FIRST)
    write_next(queue)
    queue.put(ended := replace(FIRST, status="FINISHED"))
    assert write_next(queue) is ended


def test_it_is_written_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "SPACING", 0.05)
    queue = ViewQueue()
    queue.put(FIRST)
    write_next(queue)
    queue.put(newer := replace(FIRST, name="newer"))
    assert write_next(queue) is newer
