"""Whether a sound file is all there: libsndfile takes a claim that is too large for what is there, and says nothing."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import BinaryIO

FORMATS = ("WAV", "WAVEX", "RF64", "AIFF", "AU", "NIST", "FLAC", "OGG", "MP3")
"""What libsndfile calls those whose ends are known: by what is read here, or (FLAC, MP3) as they are decoded."""
UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
"""What a program writes as the size of samples that it could not know yet."""

_CHUNKED = {
    (b"RIFF", b"WAVE"): ("<", b"data"),
    (b"RIFX", b"WAVE"): (">", b"data"),
    (b"RF64", b"WAVE"): ("<", b"data"),
    (b"FORM", b"AIFF"): (">", b"SSND"),
    (b"FORM", b"AIFC"): (">", b"SSND"),
}
"""How a file begins; the order of its bytes, and the chunk that has the samples."""
_NIST_FIELD = re.compile(rb"^(channel_count|sample_n_bytes|sample_count) -i (\d{1,12})\b", re.MULTILINE)
_LAST_PAGE = 4


def cut_off(path: Path, size: int) -> str:
    """Return how it shows that a file of ``size`` bytes ends too early; nothing where it does not show."""
    with path.open("rb") as file:
        begins = file.read(4)
        file.seek(0)
        if begins == b"OggS":
            return "" if _has_last_page(file, size) else "its last page says that more follow"
        found = {b".snd": _end_of_au, b"dns.": _end_of_au, b"NIST": _end_of_nist}.get(begins, _end_of_chunk)
        missing = found(file) - size
    return f"its head claims {missing:,} bytes more than there are" if missing > 0 else ""


def _end_of_chunk(file: BinaryIO) -> int:
    """Return where the samples of a file of chunks are to end; 0 where nothing says it."""
    begins, large = file.read(12), 0
    order, wanted = _CHUNKED.get((begins[:4], begins[8:]), ("<", b""))
    while wanted and len(head := file.read(8)) == 8:
        name, length = struct.unpack(f"{order}4sI", head)
        place = file.tell()
        if name == b"ds64" and len(sizes := file.read(16)) == 16:  # of RF64, whose own sizes are too small
            large = struct.unpack("<8xQ", sizes)[0]
        if name == wanted:
            length = large if begins[:4] == b"RF64" and length in UNKNOWN_SIZES else length
            return 0 if length in UNKNOWN_SIZES else place + length
        file.seek(place + length + length % 2)  # chunks begin at even places
    return 0


def _end_of_au(file: BinaryIO) -> int:
    head = file.read(12)
    if len(head) < 12:
        return 0
    place, length = struct.unpack("<4xII" if head[:4] == b"dns." else ">4xII", head)
    return 0 if length in UNKNOWN_SIZES else place + length


def _end_of_nist(file: BinaryIO) -> int:
    """Return where samples are to end: behind a head of text, by how many there are of how many bytes."""
    head = file.read(1024)
    fields, size = dict(_NIST_FIELD.findall(head)), re.match(rb"NIST_1A\n *(\d{1,6})\n", head)
    if size is None or len(fields) < 3:
        return 0
    return int(size[1]) + math.prod(map(int, fields.values()))


def _has_last_page(file: BinaryIO, size: int) -> bool:
    """Return whether the last page of an Ogg file (RFC 3533, section 6) is whole, and is called so."""
    last = False
    while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
        sizes = file.read(head[26])
        file.seek(sum(sizes), 1)
        last = bool(head[5] & _LAST_PAGE) and len(sizes) == head[26] and file.tell() <= size
    return last
