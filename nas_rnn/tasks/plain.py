"""Pieces of the source that `Task.plain_model` gives."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable


def filled(source: str, **values: object) -> str:
    """Return ``source``, dedented, with ``@name@`` replaced by the value's Python text."""
    return re.sub(r"@(\w+)@", lambda match: str(values[match[1]]), textwrap.dedent(source).removeprefix("\n"))


def wrapped(items: Iterable[object], width: int = 100) -> str:
    """Return a tuple of ``items`` as Python text, in lines of ``width`` characters."""
    lines = textwrap.wrap(", ".join(map(repr, items)) + ",", width - 4)
    return "(\n" + textwrap.indent("\n".join(lines), "    ") + "\n)"
