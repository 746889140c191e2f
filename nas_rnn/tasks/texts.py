"""Text as data: reading UTF-8 files piece by piece, however large, and cutting a text into its three parts.

Knows no torch.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.outside import require_reachable

PIECE = 1 << 20
"""Bytes that are read at a time."""

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
        return decoder.decode(content, final=not content)
    except UnicodeDecodeError as error:
        looks = " (it begins as UTF-16 does)" if begins in _UTF_16_MARKS else ""
        raise UserError(
            f"{path} is not UTF-8 text: byte {error.object[error.start]:#04x} at offset "
            f"{offset - left + error.start} cannot be decoded{looks}; give a text file saved as UTF-8"
        ) from error


def _one_newline(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
