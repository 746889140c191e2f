"""Small picture data written as users have it: IDX files, and folders of picture files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def idx(array: NDArray[Any]) -> bytes:
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def bars(count: int, classes: int = 3, side: int = 6) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy pictures (count, side, side) that are bright at the rows of their class, and the classes."""
    random = np.random.default_rng(count)
    labels = np.arange(count) % classes
    pixels = random.integers(0, 90, size=(count, side, side))
    for picture, label in zip(pixels, labels, strict=True):
        picture[label * (side // classes) : (label + 1) * (side // classes)] += 150
    return pixels.astype(np.uint8), labels


def write_pair(
    folder: Path, images: str, labels: str, count: int, *, packed: bool = False, side: int = 6
) -> None:
    pixels, numbers = bars(count, side=side)
    for name, array in ((images, pixels), (labels, numbers)):
        content = idx(array)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


def write_mnist(folder: Path, train: int = 80, test: int = 20, *, packed: bool = False) -> Path:
    write_pair(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", train, packed=packed)
    write_pair(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", test, packed=packed)
    return folder


def tiff(bits: int, width: int, height: int, pixels: bytes) -> bytes:
    """Return a TIFF file of greys of so many bits, which pillow reads and does not write."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(pixels)}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
        + pixels
        + struct.pack("<H", len(tags))
        + rows
        + bytes(4)
    )
