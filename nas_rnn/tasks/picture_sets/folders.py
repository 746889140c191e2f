"""Pictures in one sub-folder per class or in one folder, and resizing, all through pillow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import check_text
from nas_rnn.tasks.picture_sets.idx import MOST_BYTES
from nas_rnn.tasks.pictures import picture_suffixes, pillow_for, read_picture

if TYPE_CHECKING:
    from PIL.Image import Image

INSTALL = 'pip install "nas_rnn[images]"'


def class_folders(folder: Path) -> list[Path]:
    """Return the sub-folders that stand for classes, sorted by name; hidden ones do not."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def read_class_folders(folder: Path, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Return (pictures (N, H, W) as grey bytes, labels (N,), names) of the classes' folders, by name.

    Colours become grey, transparency white. ``size`` brings every picture to size x size, 0 leaves them.

    Raises:
        UserError: for a class without pictures or with a control character in its name, a picture that cannot be
            read, or sizes that differ with ``size`` 0; and where pillow is missing.
    """
    found, labels = list[Path](), list[int]()
    folders = class_folders(folder)
    for label, class_folder in enumerate(folders):
        check_text(class_folder.name, f"the name of a class in {str(folder)!a}")
        paths = _pictures_in(class_folder)
        if not paths:
            raise UserError(
                f"{class_folder} holds no pictures; every class needs some (.png, .jpg and the like), or "
                "remove the folder"
            )
        found += paths
        labels += [label] * len(paths)
    return _read(found, size), np.array(labels), [path.name for path in folders]


def read_flat_folder(folder: Path, size: int) -> NDArray[np.uint8] | None:
    """Return the pictures (N, H, W) of a folder without classes, by name, as `read_class_folders`; None without any.

    Raises:
        UserError: for a picture that cannot be read, or sizes that differ with ``size`` 0; and where pillow is missing.
    """
    paths = _pictures_in(folder)
    return _read(paths, size) if paths else None


def _pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder by name; hidden files are none: macOS puts one of another kind beside each."""
    suffixes = picture_suffixes(INSTALL)
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and not path.is_dir()
    )


def _read(paths: list[Path], size: int) -> NDArray[np.uint8]:
    pictures, first = list[NDArray[np.uint8]](), None
    for path in paths:
        pixels = _bytes(_fit(read_picture(path, "L"), size))
        first = first or (path, pixels.shape)
        if pixels.shape != first[1]:
            raise differing(*first, path, pixels.shape)
        if len(paths) * pixels.size > MOST_BYTES:
            raise UserError(
                f"{len(paths):,} pictures of {pixels.shape[0]} x {pixels.shape[1]} pixels such as {path} are more than "
                f"{MOST_BYTES:,} bytes; set option size, such as size=28, to make them smaller, or give fewer"
            )
        pictures.append(pixels)
    return np.stack(pictures)


def differing(first: Path, shape: tuple[int, ...], other: Path, other_shape: tuple[int, ...]) -> UserError:
    """Return the error for pictures of two sizes."""
    return UserError(
        f"pictures differ in size: {first} has {shape[0]} x {shape[1]} pixels, {other} has {other_shape[0]} x "
        f"{other_shape[1]}; set option size, such as size=28, to bring all to one"
    )


def resized(pictures: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return pictures (N, H, W) brought to (N, size, size)."""
    if size == 0 or pictures.shape[1:] == (size, size):
        return pictures
    pillow = pillow_for(INSTALL)
    return np.stack([_bytes(_fit(pillow.fromarray(picture), size)) for picture in pictures])


def _fit(picture: Image, size: int) -> Image:
    return picture.resize((size, size)) if size and picture.size != (size, size) else picture


def _bytes(picture: Image) -> NDArray[np.uint8]:
    return np.asarray(picture, dtype=np.uint8)
