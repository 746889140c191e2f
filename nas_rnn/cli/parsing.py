"""Text of the command line as values; what is wrong with it is said in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from nas_rnn.errors import UserError
from nas_rnn.outside import NO_PATH


def whole(low: int | None = None, high: int | None = None) -> Callable[[str], int]:
    """Return the reader of a whole number, from ``low`` to ``high`` where they are given."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or (low is not None and value < low) or (high is not None and value > high):
            raise typer.BadParameter(f"a whole number{_between(low, high)} is needed, not {text!r}")
        return value

    return read


def whole_or(word: str) -> Callable[[str], int | str]:
    """Return the reader of a whole number, or of ``word``."""

    def read(text: str) -> int | str:
        try:
            return word if text == word else int(text)
        except ValueError:
            raise typer.BadParameter(f"a whole number is needed, or {word}, not {text!r}") from None

    return read


def number(text: str) -> float:
    """Read a number, such as 3, 0.5 or 1e-3."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"a number is needed, such as 3, 0.5 or 1e-3, not {text!r}") from None


def path(text: str | Path) -> Path:
    """Read the path of a file or folder; an empty text would mean the current folder, which nobody writes so."""
    if not text:
        raise typer.BadParameter("the path of a file or folder is needed, not ''")
    if "\0" in str(text):
        raise typer.BadParameter(NO_PATH)
    return Path(text)


def key_values(texts: Sequence[str], option: str) -> dict[str, str]:
    """Read ``KEY=VALUE`` texts; what type a value is of, its task knows (`nas_rnn.tasks.options.typed`).

    Raises `UserError` for one without a key or without ``=``.
    """
    values: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"{option} takes KEY=VALUE, such as embedding=16, not {text!r}")
        values[key.strip()] = value.strip()
    return values


def _between(low: int | None, high: int | None) -> str:
    if low is None:
        return "" if high is None else f" up to {high}"
    return f" from {low}" if high is None else f" from {low} to {high}"
