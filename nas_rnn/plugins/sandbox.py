"""Runs the code of plugins: for a limited time, with what it prints kept off stdout, and its failures explained."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.plugins.records import Plugin, place

LOAD_SECONDS = 10.0
"""How long a plugin may take to be imported, or a space to give its first candidate."""

IMPORTS_SECONDS = 60.0
"""How long in all where it is importing other packages when `LOAD_SECONDS` are over: the disk may be slow."""

ANSWER_SECONDS = 60.0
"""How long a strategy may take to propose a candidate."""


class PluginError(NasRnnError):
    """The code of a plugin failed, or ran for too long; the message names the plugin, its file and the line."""


class PluginTimeout(BaseException):
    """Raised inside code that has run for too long; no ``except Exception`` of a plugin swallows it."""


class time_limit:
    """Raise `PluginTimeout` at whatever line of the block runs after ``seconds``.

    While the module ``importing`` imports other packages the limit is `IMPORTS_SECONDS`. It is a timer signal: it
    works in the main thread only (elsewhere there is no limit), and not inside one long call into compiled code.
    """

    def __init__(self, seconds: float, importing: str | None = None) -> None:
        self._seconds, self._importing = seconds, importing
        self._previous: Any = None

    def __enter__(self) -> None:
        in_main = threading.current_thread() is threading.main_thread()
        self._is_set = self._seconds != math.inf and in_main and hasattr(signal, "setitimer")
        if not self._is_set:
            return
        self._began = time.monotonic()
        self._previous = signal.signal(signal.SIGALRM, self._on_alarm)
        # Again every so often: for code that catches everything and continues.
        self._left = signal.setitimer(signal.ITIMER_REAL, self._seconds, min(1.0, self._seconds))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_set:
            return
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self._previous)
        left, interval = self._left
        if left:
            passed = time.monotonic() - self._began
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - passed), interval)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        # Not while a limit is set or taken away: the timer would stay, and go on raising in code that is nobody's.
        if _is_within(frame, time_limit.__enter__.__code__, time_limit.__exit__.__code__):
            return
        if frame is not None and frame.f_code is _LEAVES:
            return
        passed = time.monotonic() - self._began
        patient = self._importing is not None and passed < IMPORTS_SECONDS
        if not (patient and _imports_another(frame, self._importing or "")):
            raise PluginTimeout(f"it ran for more than {self._seconds:g} s")


_LEAVES = contextlib._GeneratorContextManager.__exit__.__code__
"""How a context manager that is a generator is left, such as `running`: only then does it go on."""


def _is_within(frame: FrameType | None, *codes: CodeType) -> bool:
    while frame is not None:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def _imports_another(frame: FrameType | None, module: str) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).split(".")[0] == module:
            return False
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what is printed, also by compiled code and child processes: stdout is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        _flush()
        try:
            kept = os.dup(1)
        except OSError:  # stdout is closed
            yield
            return
        try:
            os.dup2(2, 1)
            yield
        finally:
            _flush()
            os.dup2(kept, 1)
            os.close(kept)


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()


@contextlib.contextmanager
def running(
    *plugins: Plugin,
    seconds: float | None = None,
    passing: tuple[type[BaseException], ...] = (),
) -> Iterator[None]:
    """Run the code of ``plugins``; what it raises, or where it hangs, becomes one `PluginError`.

    Blamed is the first of them in whose file the error arose, or else the first. ``seconds`` is `ANSWER_SECONDS` unless
    it is given, and may be infinite; ``passing`` are exceptions that are meant.
    """
    try:
        with time_limit(ANSWER_SECONDS if seconds is None else seconds):
            yield
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, GeneratorExit, PluginError, *passing)):
            raise
        raise PluginError(_sentence(error, *_blamed(error, plugins))) from error


def blame(error: BaseException, plugin: Plugin) -> str | None:
    """Return the sentence for an error that arose in the file of ``plugin``; None where it did not."""
    line = line_in(error, Path(plugin.file)) if plugin.file else None
    return None if line is None else _sentence(error, plugin, line)


def _sentence(error: BaseException, plugin: Plugin, line: int | None) -> str:
    return f"the {plugin.kind} {plugin.name!r} ({place(plugin.origin, line)}) failed: {describe(error)}"


def _blamed(error: BaseException, plugins: Sequence[Plugin]) -> tuple[Plugin, int | None]:
    # Only a space's function breaks the rules of cells and spaces, and that shows after it returned.
    candidates = plugins[:1] if isinstance(error, UserError) else plugins
    for plugin in candidates:
        line = line_in(error, Path(plugin.file)) if plugin.file else None
        if line is not None:
            return plugin, line
    return plugins[0], plugins[0].line


def describe(error: BaseException) -> str:
    """Return what ``error`` says, in one line."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}); a plugin only defines things"
    if isinstance(error, PluginTimeout):
        return str(error)
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(its message cannot be read)"
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def last_frame(error: BaseException) -> tuple[str | None, int | None]:
    """Return the file and line at which ``error`` was raised; of a limit of time, where it struck."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return (frames[-1].filename, frames[-1].lineno) if frames else (None, None)


def line_in(error: BaseException, path: Path) -> int | None:
    """Return the line of ``path`` at which ``error`` arose."""
    wanted = path.resolve()
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == wanted:
        return error.lineno
    # Hidden frames of the import machinery bear names that are no paths.
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == wanted]
    return frames[-1].lineno if frames else None
