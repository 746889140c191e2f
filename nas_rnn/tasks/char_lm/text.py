"""Text as data: reading a file, and numbering its characters."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CODE_POINTS = 0x110000


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text, without a byte order mark and with every line end as a single newline.

    Raises:
        UserError: for a path that is missing, a folder, not readable, empty, or not UTF-8 (with the offset of
            the first byte that is not).
    """
    content = _read_bytes(path)
    body = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start + len(content) - len(body)
        looks = " (it begins as UTF-16 does)" if content.startswith(_UTF_16_MARKS) else ""
        raise UserError(
            f"{path} is not UTF-8 text: byte {content[offset]:#04x} at offset {offset} cannot be decoded"
            f"{looks}; give a text file saved as UTF-8"
        ) from error
    if not text:
        raise UserError(f"{path} is empty; give a UTF-8 text file with some thousand characters or more")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise UserError(f"there is no file {path}; give the path of a UTF-8 text file")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of one UTF-8 text file")
    if not path.is_file():
        raise UserError(f"{path} is a device or a pipe; give the path of a regular UTF-8 text file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; give a UTF-8 text file that you may read"
        ) from error


@dataclass(frozen=True)
class Vocabulary:
    """The distinct characters of a text, by code point; a character's number is its place."""

    characters: str

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        present = np.zeros(_CODE_POINTS, dtype=np.bool_)
        present[_code_points(text)] = True
        return cls("".join(map(chr, np.flatnonzero(present))))

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


def _code_points(text: str) -> NDArray[Any]:
    return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)


def _quoted(characters: list[str], most: int = 120) -> str:
    shown = " ".join(repr(c)[1:-1] if c != " " else "' '" for c in characters[:most])
    return shown + (f" and {len(characters) - most} more" if len(characters) > most else "")
