"""The IDX format of MNIST and its relatives (LeCun, Cortes, Burges: "The MNIST database"): bytes with a head."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

_GZIP = b"\x1f\x8b"
_BYTES = 0x08
"""The head's code for unsigned bytes, the only values that pictures and labels come in."""


def read_pictures(path: Path) -> NDArray[np.uint8]:
    """Return the (N, height, width) bytes of an IDX file of pictures, packed with gzip or not.

    Raises:
        UserError: for a file that cannot be read, is of another kind, cut off, too long, or holds nothing.
    """
    pictures = _read(path, 3, "pictures")
    if pictures.size == 0:
        raise UserError(
            f"{path} holds no pixel: {' x '.join(map(str, pictures.shape))}; give one with pictures"
        )
    return pictures


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Return the (N,) bytes of an IDX file of labels; raises as `read_pictures`."""
    return _read(path, 1, "labels")


def _read(path: Path, dimensions: int, kind: str) -> NDArray[Any]:
    content = _content(path)
    magic = _BYTES << 8 | dimensions
    found = int.from_bytes(content[:4], "big") if len(content) >= 4 else None
    if found != magic:
        shown = f"begins with {found:#010x}" if found is not None else f"has {len(content)} bytes"
        raise UserError(
            f"{path} is not an IDX file of {kind}: it {shown}, where {magic:#010x} was expected "
            f"(unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}); did you mix up two files?"
        )
    head = 4 + 4 * dimensions
    if len(content) < head:
        raise UserError(
            f"{path} is cut off: {len(content)} bytes, less than its head of {head}; fetch it again"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    expected = head + math.prod(shape)
    if len(content) != expected:
        wrong = "cut off" if len(content) < expected else "longer than it says"
        raise UserError(
            f"{path} is {wrong}: {' x '.join(map(str, shape))} {kind} need {expected} bytes, it has "
            f"{len(content)}; fetch it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file: {error}; fetch it again") from error
