"""Reading cell arrays of matrices from MATLAB's .mat files, version 5 (MathWorks, "MAT-File Format", 2022).

scipy reads these files too, and trusts the sizes that they claim; here nothing is made of a size that the file's own
bytes do not bear out.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.music.rolls import MOST_PIECES

MOST_UNPACKED = 1 << 30
"""Bytes of all variables of a file, unpacked."""
MATRIX, COMPRESSED = 14, 15
CELL = 1
NUMERIC = range(6, 16)
"""Classes of full matrices of numbers, from double to uint64."""
COMPLEX = 0x0800
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}

Matrix = NDArray[Any]


def read_cells(path: Path, content: bytes, names: Collection[str]) -> dict[str, list[Matrix]]:
    """Return the matrices of the cell arrays called ``names``, as far as they are there, in column order.

    Raises:
        UserError: for what is no such file, or is damaged, or holds something else than matrices in a cell array.
    """
    if content[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in content[:128]:
        raise UserError(f"{path} is a .mat file of version 7.3; save it with the option -v7")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or len(content) < 128:
        raise UserError(f"{path} is no .mat file of version 5 or 7; save it from MATLAB with the option -v7")
    try:
        found, others = dict[str, list[Matrix]](), list[str]()
        for variable in _variables(content, order):
            if variable.name in found:
                raise _Damaged(f"it has {variable.name} twice")
            if variable.name in names:
                found[variable.name] = _cells(variable)
            else:
                others.append(variable.name)
    except (_Damaged, struct.error, zlib.error) as error:
        raise UserError(f"{path} cannot be read as a .mat file: {error}; fetch or save it anew") from error
    missing = [name for name in names if name not in found]
    if missing:
        there = ", ".join(shown(name)[:40] for name in [*found, *others][:10]) or "none"
        raise UserError(
            f"{path} has no variable {', '.join(missing)}; it needs the cell arrays {', '.join(names)}, and has: "
            f"{there}"
        )
    return found


class _Damaged(Exception):
    """What is wrong with a file."""


@dataclass(frozen=True)
class _Variable:
    """A matrix as it stands in a file: its class and dimensions, and the elements behind its name, ``rest``."""

    name: str
    kind: int
    flags: int
    dims: tuple[int, ...]
    rest: memoryview
    order: str


def _variables(content: bytes, order: str) -> Iterator[_Variable]:
    left = MOST_UNPACKED
    for kind, data in _elements(memoryview(content)[128:], order):
        if kind == COMPRESSED:
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(data, left + 1)
            if len(unpacked) > left:
                raise _Damaged(f"unpacked it has more than {MOST_UNPACKED:,} bytes")
            if not unpacking.eof:
                raise _Damaged("a compressed variable ends too early")
            left -= len(unpacked)
            inner, matrix, _ = _element(memoryview(unpacked), 0, order)  # a single one
            if inner == MATRIX:
                yield _matrix(matrix, order)
        elif kind == MATRIX:
            yield _matrix(data, order)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Give the type and the bytes of each element of ``data``, of which there may be as many as pieces: one is as small
    as 8 bytes, of which a packed file holds a hundred million in a megabyte.
    """
    place = 0
    for _ in range(MOST_PIECES):
        if place >= len(data):
            return
        kind, part, place = _element(data, place, order)
        yield kind, part
    if place < len(data):
        raise _Damaged(f"it has more than {MOST_PIECES:,} elements in a row")


def _element(data: memoryview, place: int, order: str) -> tuple[int, memoryview, int]:
    """Return the type and the bytes of the element at ``place``, and where the next one is.

    Up to four bytes may stand within the tag of eight, then their number is in its upper half.
    """
    if len(data) - place < 8:
        raise _Damaged("it ends within an element")
    kind, size = struct.unpack_from(order + "II", data, place)
    begins, after = place + 8, place + 8 + size + (0 if kind == COMPRESSED else -size % 8)
    if kind >> 16:
        kind, size, begins, after = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        if size > 4:
            raise _Damaged(f"a small element claims {size} bytes")
    if begins + size > len(data):
        raise _Damaged(f"an element claims {size:,} bytes where {len(data) - begins:,} are left")
    return kind, data[begins : begins + size], after


def _matrix(data: memoryview, order: str) -> _Variable:
    if not data:
        return _Variable("", NUMERIC[0], 0, (0, 0), data, order)  # an empty cell
    _, flags, place = _element(data, 0, order)
    _, dims, place = _element(data, place, order)
    _, name, place = _element(data, place, order)
    if len(flags) != 8 or len(dims) % 4 or not 8 <= len(dims) <= 128:
        raise _Damaged("a matrix has no flags or dimensions")
    (bits,) = struct.unpack_from(order + "I", flags)
    sizes = struct.unpack(f"{order}{len(dims) // 4}i", dims)
    if min(sizes) < 0:
        raise _Damaged(f"a matrix claims the dimensions {list(sizes)}")
    return _Variable(bytes(name).decode("latin-1"), bits & 0xFF, bits, sizes, data[place:], order)


def _cells(variable: _Variable) -> list[Matrix]:
    if variable.kind != CELL:
        raise _Damaged(f"{variable.name} is no cell array")
    count, cells = math.prod(variable.dims), list[Matrix]()
    if count > len(variable.rest) // 8:
        raise _Damaged(f"{variable.name} claims {count:,} cells in {len(variable.rest):,} bytes")
    if count > MOST_PIECES:
        raise _Damaged(f"{variable.name} claims {count:,} cells, more than {MOST_PIECES:,}")
    for kind, data in _elements(variable.rest, variable.order):
        if kind != MATRIX:
            raise _Damaged(f"a cell of {variable.name} is no matrix")
        cells.append(_numbers(_matrix(data, variable.order), f"cell {len(cells) + 1} of {variable.name}"))
    if len(cells) != count:
        raise _Damaged(f"{variable.name} claims {count:,} cells and has {len(cells):,}")
    return cells


def _numbers(matrix: _Variable, where: str) -> Matrix:
    if matrix.kind not in NUMERIC or matrix.flags & COMPLEX or len(matrix.dims) != 2:
        raise _Damaged(f"{where} is no matrix of real numbers")
    count = math.prod(matrix.dims)
    if not count:
        return np.zeros(matrix.dims if max(matrix.dims) <= MOST_UNPACKED else (0, 0), dtype=np.uint8)
    kind, data, _ = _element(matrix.rest, 0, matrix.order)
    if kind not in _DTYPES:
        raise _Damaged(f"{where} has numbers of the unknown type {kind}")
    dtype = np.dtype(matrix.order + _DTYPES[kind])
    if len(data) != count * dtype.itemsize:
        raise _Damaged(f"{where} claims {' x '.join(map(str, matrix.dims))} numbers in {len(data):,} bytes")
    return np.frombuffer(data, dtype=dtype).reshape(matrix.dims, order="F")
