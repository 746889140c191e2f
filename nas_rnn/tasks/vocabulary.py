"""Texts as symbols: cut into characters or words, numbered, and joined again. Knows no torch."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
"""Symbols 0 to 3 of every vocabulary (the numbers stand in each net); no text is ever cut into one of them."""
UNKNOWN = SPECIAL[3]

_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


def _characters(text: str) -> list[str]:
    return list(text)


CUTS: Mapping[str, Callable[[str], list[str]]] = {"character": _characters, "word": _WORD.findall}
"""A word is letters and digits, with apostrophes and hyphens inside; every other sign that is seen is one by itself."""


def cut(text: str, by: str) -> list[str]:
    """Return a text's tokens; equal letters that are written in two ways become one (Unicode's NFC)."""
    return CUTS[by](unicodedata.normalize("NFC", text.strip()))


def join(tokens: Sequence[str], by: str) -> str:
    """Return the text of tokens: words with a space between them."""
    return (" " if by == "word" else "").join(tokens)


def texts_of(symbols: Sequence[int], tokens: Sequence[str]) -> list[str]:
    """Return the tokens of symbols, where ``tokens`` are a vocabulary behind the `SPECIAL` ones."""
    return [SPECIAL[number] if number < len(SPECIAL) else tokens[number - len(SPECIAL)] for number in symbols]


def symbols_of(tokens: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return the symbols of tokens, that of `UNKNOWN` for those that are not ``known``."""
    places = {token: number for number, token in enumerate((*SPECIAL, *known))}
    return [places.get(token, SPECIAL.index(UNKNOWN)) for token in tokens]
