"""The queue between a search and the thread that writes: the newest view of each run, retried with pauses."""

from __future__ import annotations

import time
from threading import Condition

from nas_rnn.tracking.view import RunView

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
POLL_SECONDS = 0.5
SPACING = 3.0
"""Seconds between two writes of a run that goes on: with epochs of a tenth of a second the writer never rested."""
# At the end, a store that fails this often in a row is given up.
LAST_ATTEMPTS = 3


class ViewQueue:
    """Views to be written, one for each key, parents before their children.

    A run that goes on is written once in `SPACING` seconds at most, unless somebody waits for all of them. After a
    failure everything pauses, the longer the more follow one another, since the store may be away; the view that failed
    waits longer still, since it may be the view.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._views: dict[str, RunView] = {}
        self._accepted: set[str] = set()
        self._written: set[str] = set()
        self._fails: dict[str, int] = {}
        self._retry_at: dict[str, float] = {}
        self._next_at: dict[str, float] = {}
        self._waited_for = 0
        self._fails_in_a_row = 0
        self._paused_until = 0.0
        self._tried_at_end: set[str] = set()
        self._abandoned = False
        self.closed = False

    @property
    def pending(self) -> tuple[str, ...]:
        """Keys of the views not written yet, those in work included."""
        with self._changed:
            return tuple(self._views)

    def put(self, view: RunView) -> None:
        """Take ``view`` in place of an older one; ValueError when closed, or when its parent is unknown."""
        with self._changed:
            if self.closed:
                raise ValueError(f"run {view.key!r} was put after the tracker was closed")
            if view.parent is not None and view.parent not in self._accepted:
                raise ValueError(
                    f"run {view.parent!r} must be put before {view.key!r}, which is shown under it"
                )
            self._accepted.add(view.key)
            self._views[view.key] = view
            self._changed.notify_all()

    def next(self) -> RunView | None:
        """Wait for a view to write and return it; None when closed and there is nothing left worth trying."""
        with self._changed:
            while not self._abandoned:
                view = self._choose(time.monotonic())
                if view is not None:
                    if self.closed:
                        self._tried_at_end.add(view.key)
                    return view
                if self.closed:
                    return None
                self._changed.wait(POLL_SECONDS if self._views else None)
            return None

    def written(self, view: RunView) -> None:
        """Note that ``view`` is written; a newer one of its key goes to the end of the queue."""
        with self._changed:
            self._written.add(view.key)
            self._fails_in_a_row, self._paused_until = 0, 0.0
            self._fails.pop(view.key, None)
            self._retry_at.pop(view.key, None)
            self._next_at[view.key] = time.monotonic() + SPACING
            newest = self._views.pop(view.key)
            if newest is not view:
                self._views[view.key] = newest
                self._tried_at_end.discard(view.key)
            self._changed.notify_all()

    def failed(self, view: RunView) -> None:
        """Note that writing ``view`` failed; it, or a newer one of its key, is tried again later."""
        with self._changed:
            now = time.monotonic()
            fails = self._fails[view.key] = self._fails.get(view.key, 0) + 1
            self._retry_at[view.key] = now + _pause(fails + 1)
            self._fails_in_a_row += 1
            self._paused_until = now + _pause(self._fails_in_a_row)
            self._changed.notify_all()

    def wait_empty(self, timeout: float) -> bool:
        """Wait until nothing is pending, ``timeout`` seconds at most; return whether that is so."""
        with self._changed:
            self._waited_for += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._views, timeout)
            finally:
                self._waited_for -= 1

    def close(self) -> None:
        """Take no more views, and try each that is left once, without pauses."""
        with self._changed:
            if not self.closed:
                self.closed, self._fails_in_a_row = True, 0
            self._changed.notify_all()

    def abandon(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def _choose(self, now: float) -> RunView | None:
        if self.closed and self._fails_in_a_row >= LAST_ATTEMPTS:
            return None
        if not self.closed and now < self._paused_until:
            return None
        return next((view for view in self._views.values() if self._is_due(view, now)), None)

    def _is_due(self, view: RunView, now: float) -> bool:
        if view.parent in self._views and view.parent not in self._written:
            return False
        if self.closed:
            return view.key not in self._tried_at_end
        spaced = view.status == "RUNNING" and not self._waited_for
        return now >= max(
            self._retry_at.get(view.key, 0.0), self._next_at.get(view.key, 0.0) if spaced else 0.0
        )


def _pause(fails: int) -> float:
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(fails - 1, 30)))
