"""The errors that users see: one message each, with the exit code that the command line gives for it."""

from __future__ import annotations

import difflib
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path


class NasRnnError(Exception):
    """A failure that is not the user's mistake; the command line ends with exit code 1."""

    exit_code = 1


class UserError(NasRnnError):
    """A mistake in what the user gave; the message names the rule, the value and what would have worked."""

    exit_code = 2


def located(error: BaseException) -> str:
    """Return what ``error`` says, with the line at which it left code that is neither this library's nor another's."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    skipped = (str(Path(__file__).parent), sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"])
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((*skipped, "<"))
    ]
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'lstm'? Known: gru, lstm"`` for an unknown ``name``, to end a message with."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Known: {', '.join(names) or 'none'}"


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error for a ``kind`` of thing (``"cell"``, ``"task"``) that has no such ``name``."""
    return UserError(f"unknown {kind} {name!r}{suggest(name, known)}")
