"""Text as data: numbering its characters, without ever holding more of it as text than a piece."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import Symbols, renumbered, symbol_dtype

_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class Vocabulary:
    """The distinct characters of a text, by code point; a character's number is its place."""

    characters: str

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the characters' numbers, shape (len(text),).

        Raises:
            UserError: naming the characters that the vocabulary lacks.
        """
        table = np.full(_CODE_POINTS, -1, dtype=np.int64)
        table[_code_points(self.characters)] = np.arange(len(self.characters))
        numbers: NDArray[np.int64] = table[_code_points(text)]
        if (numbers < 0).any():
            strange = sorted(set(text) - set(self.characters))
            raise UserError(
                f"the text has characters that the model never saw: {_quoted(strange)}. "
                f"Known: {_quoted(list(self.characters))}"
            )
        return numbers

    def decode(self, numbers: list[int]) -> str:
        return "".join(self.characters[number] for number in numbers)


def encoded(pieces: Iterable[str], most: int = 0) -> tuple[Vocabulary, Symbols]:
    """Return the vocabulary of a text that comes in pieces, and its characters' numbers in the smallest type.

    ``most`` is how many characters to take; 0: all. Characters are numbered as they come, and anew, by code point, when
    all are known: so the text is read once, and every piece held as numbers.
    """
    number_of = np.full(_CODE_POINTS, -1, dtype=np.int32)
    known, found, count = list[int](), list[Symbols](), 0
    for piece in pieces:
        points = _code_points(piece[: most - count] if most else piece)
        new = np.unique(points[number_of[points] < 0])
        number_of[new] = np.arange(len(known), len(known) + len(new))
        known += new.tolist()
        found.append(number_of[points].astype(symbol_dtype(len(known))))
        count += len(points)
        if most and count >= most:
            break
    order = np.argsort(np.array(known, dtype=np.int64))
    final: Symbols = np.empty(len(known), dtype=symbol_dtype(len(known)))
    final[order] = np.arange(len(known))
    return Vocabulary("".join(chr(known[place]) for place in order)), renumbered(found, final)


def _code_points(text: str) -> NDArray[Any]:
    return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)


def _quoted(characters: list[str], most: int = 120) -> str:
    shown = " ".join(repr(c)[1:-1] if c != " " else "' '" for c in characters[:most])
    return shown + (f" and {len(characters) - most} more" if len(characters) > most else "")
