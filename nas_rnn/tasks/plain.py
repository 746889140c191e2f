"""Pieces of the source that `Task.plain_model` gives. Nothing that comes from data is written there as it is."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable

from nas_rnn.errors import UserError


class Source(str):
    """Python text that this library wrote."""


def filled(source: str, **values: int | float | Source) -> str:
    """Return ``source``, dedented, with ``@name@`` replaced by the value's Python text.

    Raises:
        UserError: for a value that is neither a finite number nor a `Source`.
    """
    texts = {name: _text(name, value) for name, value in values.items()}
    return re.sub(r"@(\w+)@", lambda match: texts[match[1]], textwrap.dedent(source).removeprefix("\n"))


def literal(text: str) -> Source:
    """Return ``text`` as a Python literal of ASCII characters on one line."""
    return Source(ascii(str(text)))


def wrapped(items: Iterable[str | int], width: int = 100) -> Source:
    """Return a tuple of ``items`` as Python text, in lines of ``width`` characters where no item is longer."""
    lines = [""]
    for item in items:
        text = f"{int(item) if isinstance(item, int) else literal(item)},"
        if lines[-1] and len(lines[-1]) + len(text) > width - 5:
            lines.append("")
        lines[-1] += f" {text}" if lines[-1] else text
    return Source("(\n" + textwrap.indent("\n".join(lines), "    ") + "\n)")


def _text(name: str, value: int | float | Source) -> str:
    if isinstance(value, Source):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(
            f"what is said of the data is wrong: {name} must be a finite number, not {value!r:.80}"
        )
    return repr(value)
