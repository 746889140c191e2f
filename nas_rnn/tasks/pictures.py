"""Reading one picture file, whatever its kind, through pillow. Knows no torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 1 << 26
"""67 million: what a file claims to have more is not unpacked (a photograph has 50 million at most)."""


def pillow_for(install: str) -> ModuleType:
    """Return pillow's module ``Image``; ``install`` is the command that brings it.

    Raises:
        UserError: where pillow is missing.
    """
    try:
        from PIL import Image
    except ImportError:
        raise UserError(f"reading or resizing pictures needs pillow; install it with: {install}") from None
    return Image


def read_picture(path: Path, mode: Literal["L", "RGB"], *, least: int = 0) -> Image:
    """Return a picture as it is meant to be seen: turned as the camera says, on white where it is transparent.

    ``mode`` is "L" for grey or "RGB" for colours. With ``least`` a JPEG may be unpacked smaller than it is, at least
    so many pixels on its shorter side, which is several times as fast.

    Raises:
        UserError: for a file that is no picture, is damaged or cut off, or claims more than `MOST_PIXELS`.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound is our own
            opened = Image.open(path)
        with opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width:,} x {height:,} pixels are more than {MOST_PIXELS:,}")
            if least:
                opened.draft(mode, (least, least))
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I;16"):  # 16 bits: the upper eight are what a grey byte holds
                picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            return picture.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the picture {path}: {error}; repair or remove it") from error


def moments(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Return mean and standard deviation of bytes (N, ...), without a copy in floats of what may be gigabytes."""
    counts, levels = np.zeros(256, dtype=np.int64), np.arange(256)
    for first in range(0, len(pixels), 1024):
        counts += np.bincount(pixels[first : first + 1024].ravel(), minlength=256)
    mean = float(counts @ levels / counts.sum())
    return mean, float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
