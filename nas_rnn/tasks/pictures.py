"""Reading one picture file, whatever its kind, through pillow. Knows no torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.texts import require_file

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MOST_PIXELS = 1 << 26
"""67 million: what a file claims to have more is not unpacked (a photograph has 50 million at most)."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""What is read. Of other formats pillow hands some to another program: PostScript, which is one itself, to gs."""

_BITS_PER_SAMPLE = 258
"""TIFF's number of that tag."""


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


def picture_suffixes(install: str) -> set[str]:
    """Return what files of `FORMATS` end in, such as .png; raises as `pillow_for`."""
    known = pillow_for(install).registered_extensions()
    return {suffix for suffix, name in known.items() if name in FORMATS}


def read_picture(path: Path, mode: Literal["L", "RGB"], *, least: int = 0) -> Image:
    """Return a picture as it is meant to be seen: turned as the camera says, on white where it is transparent.

    ``mode`` is "L" for grey or "RGB" for colours. With ``least`` a JPEG may be unpacked smaller than it is, at least
    so many pixels on its shorter side, which is several times as fast.

    Raises:
        UserError: for a file that is no picture of `FORMATS`, is damaged or cut off, claims more than `MOST_PIXELS`, or
            has numbers of which nothing says what white is.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    require_file(path, f"give a {', '.join(FORMATS)} file")  # a pipe would keep whoever opens it waiting
    try:
        with warnings.catch_warnings(), _opened(path) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width:,} x {height:,} pixels are more than {MOST_PIXELS:,}")
            if least:
                opened.draft(mode, (least, least))
            bits = _bits(opened)
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith(("I", "F")):  # pillow would clip them to 255
                picture = Image.fromarray(_grey_bytes(np.asarray(picture), bits))
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            return picture.convert(mode)
    except UnidentifiedImageError:
        raise UserError(
            f"cannot read the picture {path}: it is no {', '.join(FORMATS)} that pillow can read; repair or remove it"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the picture {path}: {error}; repair or remove it") from error


def _opened(path: Path) -> ImageFile:
    """Open a picture without warnings: of sizes, since the bound is our own, and of odd EXIF entries, as many have."""
    from PIL import Image

    warnings.simplefilter("ignore")
    return Image.open(path, formats=FORMATS)


def _bits(opened: ImageFile) -> int | None:
    """Return how many bits white has in a picture of deep greys; None where nothing says so."""
    if opened.mode.startswith("I;16"):
        tags = getattr(opened, "tag_v2", {})  # TIFF has pictures of 12 bits, too
        return int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
    return 16 if opened.mode == "I" and opened.format in ("PNG", "PPM") else None


def _grey_bytes(pixels_HW: NDArray[Any], bits: int | None) -> NDArray[np.uint8]:
    """Return deep greys as bytes: of whole numbers the upper eight bits, of others 255 for 1."""
    if bits is not None:
        return (pixels_HW >> (bits - 8)).astype(np.uint8)
    low, high = pixels_HW.min(), pixels_HW.max()
    if pixels_HW.dtype.kind != "f" or not 0 <= low <= high <= 1:
        raise ValueError(
            f"its greys are numbers from {low:g} to {high:g}, and nothing says what white is; save it with 8 or 16 "
            "bits, or with numbers from 0 to 1 in floating point"
        )
    bytes_HW: NDArray[np.uint8] = np.rint(pixels_HW * 255).astype(np.uint8)
    return bytes_HW


def moments(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Return mean and standard deviation of bytes (N, ...), without a copy in floats of what may be gigabytes."""
    counts, levels = np.zeros(256, dtype=np.int64), np.arange(256)
    for first in range(0, len(pixels), 1024):
        counts += np.bincount(pixels[first : first + 1024].ravel(), minlength=256)
    mean = float(counts @ levels / counts.sum())
    return mean, float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
