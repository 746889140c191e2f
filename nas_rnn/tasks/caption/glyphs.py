"""The embedded pictures: signs of a font that matplotlib carries, each with its name in Unicode."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.caption.words import words_of
from nas_rnn.tasks.pictures import pillow_for

INSTALL = "pip install 'nas_rnn[caption]'"
SIZE = 20
"""Pixels of a side, if option ``size`` does not say."""
BLOCKS = (
    (0x0030, 0x0039),  # digits
    (0x0041, 0x024F),  # Latin letters with all that stands above, below and in them
    (0x0370, 0x03FF),  # Greek
    (0x0400, 0x04FF),  # Cyrillic
    (0x1E00, 0x1EFF),  # more Latin
    (0x1F00, 0x1FFF),  # Greek with breathings and accents
    (0x2190, 0x22FF),  # arrows, mathematics
    (0x2500, 0x25FF),  # lines of boxes, blocks, geometric shapes
)
LEAST = 5
"""A name is used where each of its words stands in so many names: what a word looks like can be learned then."""


def glyphs(size: int) -> list[tuple[NDArray[np.uint8], tuple[str, ...]]]:
    """Return pictures (1, size, size), light on dark, with the names of all signs that look so: "latin capital
    letter a", "greek capital letter alpha".

    Raises:
        UserError: where pillow is missing, or matplotlib has no such font.
    """
    pillow = pillow_for(INSTALL)
    import matplotlib
    from matplotlib.ft2font import FT2Font
    from PIL import ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    if not path.is_file():
        raise UserError(f"matplotlib has no font {path}; install matplotlib anew, or give --data")
    known, font = FT2Font(str(path)).get_charmap(), ImageFont.truetype(str(path), round(0.75 * size))
    signs = {chr(code): name for code in _codes() if code in known and (name := _name(chr(code)))}
    names = dict[bytes, list[str]]()
    for sign, name in _learnable(signs).items():
        picture = pillow.new("L", (size, size))
        ImageDraw.Draw(picture).text((size / 2, 0.75 * size), sign, fill=255, font=font, anchor="ms")
        names.setdefault(picture.tobytes(), []).append(name)
    return [
        (np.frombuffer(pixels, dtype=np.uint8).reshape(1, size, size), tuple(own))
        for pixels, own in names.items()
    ]


def _learnable(signs: dict[str, str]) -> dict[str, str]:
    """Return the signs of whose names every word stands in `LEAST` of these names."""
    words = {sign: words_of(name, "word") for sign, name in signs.items()}
    before = 0
    while len(words) != before:  # what is left out takes its words along
        before = len(words)
        counts = Counter(word for own in words.values() for word in set(own))
        words = {sign: own for sign, own in words.items() if min(counts[word] for word in own) >= LEAST}
    return {sign: signs[sign] for sign in words}


def _codes() -> list[int]:
    return [code for first, last in BLOCKS for code in range(first, last + 1)]


def _name(sign: str) -> str:
    """Return the sign's name in lower case; "" for what is no letter, number, symbol or punctuation by itself."""
    return "" if unicodedata.category(sign)[0] in "CMZ" else unicodedata.name(sign, "").lower()
