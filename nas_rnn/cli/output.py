"""Where output goes: consoles for people, and text as it is for files and other programs."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.measure import Measurement

UNBOUNDED: Final = 10_000
"""Columns of a page on which nothing wraps."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that takes nothing for markup, and wraps lines on terminals only."""
    target = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not target.is_terminal:
        target.width = UNBOUNDED
    return target


def width_of(target: Console, content: RenderableType) -> int:
    """Return how many columns ``content`` needs where nothing in it wraps."""
    return Measurement.get(target, target.options.update(width=UNBOUNDED), content).maximum


def print_block(target: Console, content: RenderableType) -> None:
    """Print ``content`` without the spaces that fill its lines up on the right."""
    if target.is_terminal:
        target.print(content)
        return
    with target.capture() as captured:
        target.print(content)
    target.print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def live_capable(target: Console) -> bool:
    """Return whether ``target`` can redraw: a terminal, and one that knows more than lines."""
    return target.is_terminal and not target.is_dumb_terminal and target.file.isatty()


def emit(text: str) -> None:
    """Write ``text`` to stdout as it is, with a newline at its end; end quietly where nobody reads it."""
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def emit_json(value: Any) -> None:
    """Write ``value`` to stdout as JSON; a number that JSON does not know is an error, not invalid output."""
    emit(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def never_fail_to_encode() -> None:
    """Make stdout and stderr replace what their encoding cannot express, such as Greek letters in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
