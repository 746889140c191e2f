"""Text as data: reading UTF-8 files piece by piece, however large, and cutting a text into its three parts.

Knows no torch.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import require_reachable

PIECE = 1 << 20
"""Bytes that are read at a time."""

FEWEST_OF_A_PLACE = 32
"""Characters or words of a part from one place, at least: at each the text leaps, and what follows is a surprise."""

USUAL_PIECE = 4500
"""Characters or words of a text that goes from topic to topic, to each of which validation and test have a place."""

MOST_ADVISED = 1000

Symbols = NDArray[Any]

_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_pieces(path: Path) -> Iterator[str]:
    """Give a UTF-8 file's text in pieces, without a byte order mark and with every line end as a single newline.

    Raises:
        UserError: for a path that is missing, a folder, not readable, empty, or not UTF-8 (with the offset of
            the first byte that is not).
    """
    require_file(path, "give the path of one UTF-8 text file")
    try:
        with path.open("rb") as file:
            yield from _decoded(path, iter(lambda: file.read(PIECE), b""))
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; give a UTF-8 text file that you may read"
        ) from error


def ends_of_parts(count: int, valid: float, test: float) -> tuple[int, int]:
    """Return where the training and the validation part of ``count`` symbols end, by the shares of the last two."""
    # Rounded, since 0.1 has no exact binary form; then down to a whole symbol.
    first, second = (int(round(count * (1 - share), 6)) for share in (valid + test, test))
    return first, second


def usual_places(count: int, valid: float, test: float) -> int:
    """Return from how many places an embedded text of ``count`` symbols gives its parts: one each `USUAL_PIECE`."""
    return max(1, min(count // USUAL_PIECE, most_places(count, valid, test)))


def most_places(count: int, valid: float, test: float) -> int:
    """Return from how many places of a text of ``count`` symbols its parts can come, by the shares of the last two."""
    return max(1, int(count * min(valid, test, 1 - valid - test) / FEWEST_OF_A_PLACE))


def places_to_take(parts: Sequence[int], valid: float, test: float) -> int:
    """Return from how many places parts of such lengths, of a text cut in one, could come instead.

    0 where from no more than one, or where they are no such cut: those of several files, or with another test part.
    """
    count, first = sum(parts), parts[0]
    if ends_of_parts(count, valid, test) != (first, first + parts[1]):
        return 0
    places = min(MOST_ADVISED, max(8, count // USUAL_PIECE), most_places(count, valid, test))
    return places if places > 1 else 0


def in_parts(
    symbols_N: Symbols, valid: float, test: float, places: int, what: str
) -> tuple[Symbols, int, int]:
    """Return a text with its parts one after the other, and where the training and the validation part end.

    Validation and test come from so many ``places``: the text is cut into that many pieces of one length, and the end
    of each is theirs. What the text is about then occurs in every part; with one place a single chapter may validate
    and another test. ``what`` the symbols are ("characters") is for the message.

    Raises:
        UserError: where a piece is so short that a part gets nothing of it.
    """
    if places == 1:
        return symbols_N, *ends_of_parts(len(symbols_N), valid, test)
    most = most_places(len(symbols_N), valid, test)
    if places > most:
        raise UserError(
            f"places={places} cuts a text of {len(symbols_N):,} {what} into pieces too short for a training, a "
            f"validation and a test part each; take places={most}{' at most' * (most > 1)}, or a longer text"
        )
    pieces = [len(symbols_N) * place // places for place in range(places + 1)]
    parts: tuple[list[Symbols], ...] = ([], [], [])
    for begins, ends in itertools.pairwise(pieces):
        piece = symbols_N[begins:ends]
        for own, cut in zip(parts, np.split(piece, ends_of_parts(len(piece), valid, test)), strict=True):
            own.append(cut)
    train, validation = (sum(map(len, own)) for own in parts[:2])
    return np.concatenate([*itertools.chain(*parts)]), train, train + validation


def require_file(path: Path, what_works: str) -> None:
    """Raise UserError unless ``path`` is a regular file: a pipe would keep whoever reads it waiting.

    ``what_works`` says what to give, to end the message.
    """
    require_reachable(path)
    if not path.exists():
        raise UserError(f"there is no file {path}; {what_works}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; {what_works}")
    if not path.is_file():
        raise UserError(f"{path} is a device or a pipe; {what_works}")


def listed_folder(folder: Path) -> list[Path]:
    """Return what lies in a folder, by name.

    Raises:
        UserError: where it cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}; give a folder that you may read") from error


def _decoded(path: Path, contents: Iterator[bytes]) -> Iterator[str]:
    decoder, offset, beginning, any_text, held = codecs.getincrementaldecoder("utf-8")(), 0, b"", False, ""
    for number, content in enumerate(contents):
        if number == 0:
            beginning = content[:2]
            offset = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
            content = content[offset:]
        text = held + _decode(path, decoder, content, offset, beginning)
        offset += len(content)
        held = "\r" if text.endswith("\r") else ""  # a newline may follow it in the next piece
        if text := _one_newline(text.removesuffix(held)):
            any_text = True
            yield text
    if text := _one_newline(held + _decode(path, decoder, b"", offset, beginning)):
        yield text
    elif not any_text:
        raise UserError(f"{path} is empty; give a UTF-8 text file with some thousand characters or more")


def _decode(
    path: Path, decoder: codecs.IncrementalDecoder, content: bytes, offset: int, begins: bytes
) -> str:
    """Return the text of ``content``, which stands at ``offset``; without any, of what is left at the end."""
    left = len(decoder.getstate()[0])
    try:
        text = decoder.decode(content, final=not content)
    except UnicodeDecodeError as error:
        looks = " (it begins as UTF-16 does)" if begins in _UTF_16_MARKS else ""
        raise UserError(
            f"{path} is not UTF-8 text: byte {error.object[error.start]:#04x} at offset "
            f"{offset - left + error.start} cannot be decoded{looks}; give a text file saved as UTF-8"
        ) from error
    if "\0" in text:
        zeros = content.count(0)
        looks = " (many bytes are 0, as in UTF-16 without a mark)" if 3 * zeros > len(content) else ""
        raise UserError(
            f"{path} is no plain text: it holds the character U+0000, first at offset {offset + content.find(0)}"
            f"{looks}; give a text file saved as UTF-8"
        )
    return text


def _one_newline(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
