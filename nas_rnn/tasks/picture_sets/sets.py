"""Labelled pictures from wherever they are, and their three parts.

Shapes: N pictures of height x width grey bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.classes import mixed_order
from nas_rnn.tasks.data import Part
from nas_rnn.tasks.digits import WHITE, handwritten_digits
from nas_rnn.tasks.picture_sets.folders import (
    class_folders,
    differing,
    read_class_folders,
    read_flat_folder,
    resized,
)
from nas_rnn.tasks.picture_sets.idx import is_idx, read_labels, read_pictures

TEST_SHARE = 0.2
"""What is kept for the test where nothing else says so: on few pictures the test needs them the most."""

MANY = 20
"""So many labels in ascending order are no coincidence."""

WITHOUT_LABELS = (
    "give a folder of pictures, one with a sub-folder of pictures for each class, or one with IDX files such as "
    "train-images-idx3-ubyte and t10k-images-idx3-ubyte (.gz too)"
)
WHAT_WORKS = (
    "give a folder with one sub-folder of pictures for each class, or with IDX files: "
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "
    "or one file of images and one of labels (.gz too)"
)


@dataclass(frozen=True, eq=False)
class Pictures:
    """``pixels`` (N, height, width) bytes up to ``white``, ``labels`` (N,) numbers of ``classes``.

    Any first part of them can be taken to train on. ``own_fit`` says how many of the first are not the
    source's own test part, where it has one.
    """

    source: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: list[str]
    white: int = 255
    own_fit: int | None = None


def embedded_digits(size: int, otherwise: str = WHAT_WORKS) -> Pictures:
    """Return scikit-learn's 1,797 handwritten digits, 8 x 8 pixels of 17 greys (Alpaydin, Kaynak 1998), mixed.

    ``size`` brings them to size x size, 0 leaves them.

    Raises:
        UserError: where scikit-learn is missing; ``otherwise`` says what works without it.
    """
    images, labels = handwritten_digits(otherwise)
    pixels = np.minimum(resized(images, size), WHITE)  # resizing overshoots at edges
    return mixed(Pictures("scikit-learn digits", pixels, labels, [str(i) for i in range(10)], white=WHITE))


def read_folder(folder: Path, size: int, *, labelled: bool = True) -> Pictures:
    """Read IDX files or classes' sub-folders; ``size`` brings pictures to size x size, 0 leaves them.

    IDX files stay in their order; sub-folders are mixed. Where pictures need not be ``labelled``, IDX files of labels
    may be missing, and pictures may lie in the folder itself: then all are of one class without a name.

    Raises:
        UserError: when the folder cannot be used; the message names the file and says what would work.
    """
    what_works = WHAT_WORKS if labelled else WITHOUT_LABELS
    if not folder.exists():
        raise UserError(f"there is no folder {folder}; {what_works}")
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; {what_works}")
    try:
        files = _by_stem(path for path in folder.iterdir() if path.is_file())
        images = [path for path in files if _is(path, "images", "idx3") and is_idx(path)]
        labels = [path for path in files if _is(path, "labels", "idx1") and is_idx(path)]
        if images and not labelled and len(labels) != len(images):
            return _without_labels(folder, images, size)
        if class_folders(folder) and not (images and labels):
            return mixed(Pictures(folder.name, *read_class_folders(folder, size)))
        if images or (labels and labelled):
            return _from_idx(folder, images, labels, size)
        if not labelled and (pixels := read_flat_folder(folder, size)) is not None:
            return mixed(Pictures(folder.name, pixels, np.zeros(len(pixels), dtype=np.int64), [""]))
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}; give a folder that you may read") from error
    raise UserError(f"{folder} holds no pictures; {what_works}")


def mixed(pictures: Pictures) -> Pictures:
    """Return the pictures in a fixed random order in which every stretch has its share of every class."""
    order = mixed_order(pictures.labels)
    return replace(pictures, pixels=pictures.pixels[order], labels=pictures.labels[order])


def split(pictures: Pictures, train: int, valid_share: float, *, labelled: bool = True) -> dict[Part, slice]:
    """Return the places of the parts: train, then valid, then test, without gaps where nothing says otherwise.

    ``train`` is how many of the first pictures train and validate, 0 for all but the source's own test part
    or else four fifths; the last ``valid_share`` of them validate.

    Raises:
        UserError: when a part would be empty, or, where classes are ``labelled`` to be told apart, the training part
            has a single one.
    """
    count = len(pictures.labels)
    most = pictures.own_fit if pictures.own_fit is not None else count - 1
    fit = train or (round(count * (1 - TEST_SHARE)) if pictures.own_fit is None else pictures.own_fit)
    if fit > most and count >= 3:
        raise UserError(
            f"train={train} of {count} pictures in {pictures.source} leaves none to test on or takes test "
            f"pictures; use at most train={most}, or train=0 for a default"
        )
    valid = max(1, round(fit * valid_share))
    if fit - valid < 2 or count < 3:
        raise UserError(
            f"{pictures.source} has {count} pictures, {fit} of them to train and validate on, too few; give at "
            "least 10, better some thousand"
        )
    if labelled:
        _require_classes(pictures, fit, fit - valid)
    test = fit if pictures.own_fit is None else pictures.own_fit
    return {"train": slice(0, fit - valid), "valid": slice(fit - valid, fit), "test": slice(test, count)}


def _require_classes(pictures: Pictures, fit: int, train: int) -> None:
    if len(np.unique(pictures.labels)) < 2:
        raise UserError(
            f"{pictures.source} has a single class, {pictures.classes[int(pictures.labels[0])]!r}, so there is "
            "nothing to tell apart; give at least two"
        )
    seen = len(np.unique(pictures.labels[:train]))
    by_class = fit >= MANY and bool((np.diff(pictures.labels[:fit]) >= 0).all())
    if seen < 2 or by_class:
        raise UserError(
            f"the pictures of {pictures.source} stand sorted by class, and parts are cut by position: the first "
            f"{train}, to train on, hold {seen} of {len(pictures.classes)} classes; mix the files' order"
        )


def _from_idx(folder: Path, images: list[Path], labels: list[Path], size: int) -> Pictures:
    if len(images) == len(labels) == 1:
        pixels, numbers = _pair(images[0], labels[0], size)
        return _numbered(folder.name, pixels, numbers)
    (fit_images, test_images), (fit_labels, test_labels) = _in_roles(folder, images, labels)
    fit, test = _pair(fit_images, fit_labels, size), _pair(test_images, test_labels, size)
    numbers = np.concatenate([fit[1], test[1]])
    pixels = _joined((fit_images, fit[0]), (test_images, test[0]))
    return replace(_numbered(folder.name, pixels, numbers), own_fit=len(fit[1]))


def _without_labels(folder: Path, images: list[Path], size: int) -> Pictures:
    """Return the pictures of one IDX file, or of one to train on and one to test on, all of one class."""
    own_fit = None
    if len(images) == 1:
        pixels = resized(read_pictures(images[0]), size)
    else:
        ((fit, test),) = _in_roles(folder, images)
        own, others = resized(read_pictures(fit), size), resized(read_pictures(test), size)
        pixels, own_fit = _joined((fit, own), (test, others)), len(own)
    return Pictures(folder.name, pixels, np.zeros(len(pixels), dtype=np.int64), [""], own_fit=own_fit)


_ROLES = (("train",), ("t10k", "test"))


def _in_roles(folder: Path, *kinds: list[Path]) -> list[tuple[Path, Path]]:
    """Return of each kind of files the one to train on and the one to test on."""
    found = [[[path for path in files if _is(path, *names)] for names in _ROLES] for files in kinds]
    if any(len(files) != 1 for roles in found for files in roles) or any(len(files) != 2 for files in kinds):
        listed = ", ".join(path.name for path in sorted(path for files in kinds for path in files))
        what_works = WHAT_WORKS if len(kinds) > 1 else WITHOUT_LABELS
        raise UserError(f"cannot tell which IDX files of {folder} belong together: {listed}; {what_works}")
    return [(fit[0], test[0]) for fit, test in found]


def _joined(fit: tuple[Path, NDArray[np.uint8]], test: tuple[Path, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if fit[1].shape[1:] != test[1].shape[1:]:
        raise differing(fit[0], fit[1].shape[1:], test[0], test[1].shape[1:])
    return np.concatenate([fit[1], test[1]])


def _numbered(source: str, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Pictures:
    known, numbers = np.unique(labels, return_inverse=True)
    return Pictures(source, pixels, numbers.astype(np.int64), [str(label) for label in known])


def _pair(images: Path, labels: Path, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pixels, numbers = read_pictures(images), read_labels(labels)
    if len(pixels) != len(numbers):
        raise UserError(
            f"{images.name} has {len(pixels)} pictures and {labels.name} {len(numbers)} labels; give two files "
            "that belong together"
        )
    return resized(pixels, size), numbers


def _by_stem(paths: Any) -> list[Path]:
    """Return the visible files, of a file and its .gz only the one that is unpacked already."""
    stems: dict[str, Path] = {}
    for path in sorted(paths):
        if not path.name.startswith("."):
            stems.setdefault(path.name.removesuffix(".gz"), path)
    return list(stems.values())


def _is(path: Path, *words: str) -> bool:
    return any(word in path.name.lower() for word in words)
