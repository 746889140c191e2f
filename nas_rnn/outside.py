"""Text from outside, such as files that somebody else made: what it may hold, and how it is shown; names of files."""

from __future__ import annotations

import ast
import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from nas_rnn.errors import UserError

# Control characters, line and paragraph separators, lone surrogates, and what turns the direction of writing round
# (Boucher & Anderson 2021, arXiv:2111.00169): none is seen, and some end a line or a text for who reads it.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

LINES = "\n\t"
"""What a text of several lines may hold beside what is seen."""


def check_text(text: object, where: str, allowed: str = "") -> str:
    """Return ``text``, of which ``where`` says what it is and in which file.

    Raises:
        UserError: unless it is a text in which every character is seen, or ``allowed``.
    """
    if not isinstance(text, str):
        raise UserError(f"{where} must be a text, not {text!r:.80}")
    for found in _UNSEEN.finditer(text):
        if found[0] not in allowed:
            raise UserError(
                f"{where} holds {found[0]!a} (U+{ord(found[0]):04X}) as character {found.start() + 1}; control "
                "characters, line separators, lone surrogates and marks that turn the direction of writing are not "
                "read there: take it out"
            )
    return text


def check_plain(value: object, where: str, allowed: str = "", free: Collection[str] = ()) -> None:
    """Raise `UserError` as `check_text` does for any text in plain data, keys too.

    The entries of ``value`` that ``free`` names may hold anything. ``where`` ends in a colon where it is a file alone.
    """
    if isinstance(value, str):
        check_text(value, where, allowed)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            check_text(key, f"a key of {where}", allowed)
            if key not in free:
                check_plain(inner, f"{where} {key}" if where.endswith(":") else f"{where}.{key}", allowed)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            check_plain(inner, f"{where}[{number}]", allowed)


def large_numbers(value: object, place: str = "") -> Iterator[str]:
    """Give the places in plain data of whole numbers that 64 bits do not hold; Python cannot even write some of them.

    A place is one such as ``tasks.text.seeds[0]``.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from large_numbers(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from large_numbers(inner, f"{place}[{number}]")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield place


def shown(text: str, allowed: str = "") -> str:
    r"""Return ``text`` with what is not seen written out, as in ``\r``; ``allowed`` characters stay."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in allowed else ascii(found[0])[1:-1], text)


def is_file(path: Path) -> bool:
    """Whether there is a file; `Path.is_file` fails on a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def require_reachable(path: Path) -> None:
    """Raise UserError for a path that cannot be looked up, such as one with a name that is too long for any file."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: it holds U+0000
        reason = reason_of(error)
        raise UserError(
            f"cannot look up {shown(str(path))}: {reason}; give the path of a file or folder that you may read"
        ) from error


def reason_of(error: Exception) -> str:
    """Return what an error of reading a file says, without its number."""
    if isinstance(error, zlib.error):
        return "what is packed in it is damaged"
    if "null byte" in str(error):
        return NO_PATH
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def json_of(text: str | bytes) -> Any:
    """Return the plain data of JSON; ValueError, in words for who reads it, for what is none or cannot be held."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except RecursionError:
        raise ValueError("lists and objects are nested too deeply in it") from None
    except ValueError:  # of a number with more digits than Python reads
        raise ValueError(f"it holds {ENDLESS}") from None


ENDLESS = "a whole number of thousands of digits"
NO_PATH = "the path of a file or folder has no character U+0000"


_PARSING = RLock()  # of each thread as often as it likes: a finaliser may come in between


def parse_module(text: str) -> ast.Module:
    """Return the tree of Python source, as `ast.parse` does, for one thread at a time.

    CPython counts how deep it is in a tree for all threads together, and fails where two of them parse at once
    ("AST constructor recursion depth mismatch").

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse`.
    """
    with _PARSING:
        return ast.parse(text)


def parse_single_expression(text: str) -> ast.expr:
    """Return the tree of one Python expression; otherwise as `parse_module`."""
    with _PARSING:
        return ast.parse(text, mode="eval").body
