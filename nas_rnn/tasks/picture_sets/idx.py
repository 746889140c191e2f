"""The IDX format of MNIST and its relatives (LeCun, Cortes, Burges: "The MNIST database"): bytes with a head."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

_GZIP = b"\x1f\x8b"
MOST_BYTES = 1 << 30
"""Of a file, unpacked; MNIST's 60,000 pictures have 47 million."""
_BYTES = 0x08
"""The head's code for unsigned bytes, the only values that pictures and labels come in."""


def is_idx(path: Path) -> bool:
    """Whether a file is of this format: by the end of its name, of any that has another by how it begins."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if not suffix or suffix.startswith(".idx"):
        return True
    with path.open("rb") as file:
        return file.read(3) == bytes([0, 0, _BYTES])


def read_pictures(path: Path) -> NDArray[np.uint8]:
    """Return the (N, height, width) bytes of an IDX file of pictures, packed with gzip or not.

    Raises:
        UserError: for a file that cannot be read, is of another kind, cut off, too long or too large, or holds nothing.
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
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            return _array(path, file, dimensions, kind)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file: {error}; fetch it again") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error


def _array(path: Path, file: BufferedIOBase, dimensions: int, kind: str) -> NDArray[Any]:
    """Return what a file holds, unpacked no further than its head says."""
    head = file.read(4 + 4 * dimensions)
    magic = _BYTES << 8 | dimensions
    found = int.from_bytes(head[:4], "big") if len(head) >= 4 else None
    if found != magic:
        shown = f"begins with {found:#010x}" if found is not None else f"has {len(head)} bytes"
        raise UserError(
            f"{path} is not an IDX file of {kind}: it {shown}, where {magic:#010x} was expected "
            f"(unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}); did you mix up two files?"
        )
    if len(head) < 4 + 4 * dimensions:
        raise UserError(
            f"{path} is cut off: {len(head)} bytes, less than its head of {4 + 4 * dimensions}; fetch it again"
        )
    shape = struct.unpack(f">{dimensions}I", head[4:])
    count = math.prod(shape)
    needs = f"{' x '.join(map(str, shape))} {kind} need {len(head) + count:,} bytes"
    if count > MOST_BYTES:
        raise UserError(f"{path}: {needs}, more than {MOST_BYTES:,}; give a part of them")
    content = file.read(count + 1)
    if len(content) < count:
        raise UserError(f"{path} is cut off: {needs}, it has {len(head) + len(content):,}; fetch it again")
    if len(content) > count:
        raise UserError(f"{path} is longer than it says: {needs}, it has more; fetch it again")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
