"""Reading the notes of a MusicXML score (.xml, or packed as .mxl).

Enough for scores whose parts do not transpose; repeats are not played twice.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from nas_rnn.tasks.music.rolls import Sounding

MOST_XML = 1 << 24
"""Bytes of an unpacked score."""
TICKS = 10080
"""Of a quarter note, so that every usual division of it is whole."""
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def read_score(path: Path, parts: Sequence[str]) -> list[Sounding] | None:
    """Return the notes of a score of parts of just these names, in `TICKS`; None for other parts.

    Raises:
        ValueError, OSError, zipfile.BadZipFile, ElementTree.ParseError: for what is no such score.
    """
    root = ElementTree.fromstring(_content(path))
    listed = root.find("part-list")
    if root.tag != "score-partwise" or listed is None:
        raise ValueError("it is no score by parts")
    names = {part.get("id"): (part.findtext("part-name") or "").strip() for part in listed.iter("score-part")}
    if sorted(names.values()) != sorted(parts):
        return None
    return [note for part in root.iter("part") for note in _part(part)]


def _content(path: Path) -> bytes:
    if path.suffix != ".mxl":
        content = path.read_bytes()
    else:
        with zipfile.ZipFile(path) as archive:
            inside = [
                info
                for info in archive.infolist()
                if info.filename.endswith((".xml", ".musicxml")) and not info.filename.startswith("META-INF")
            ]
            if not inside:
                raise ValueError("the archive has no score")
            with archive.open(inside[0]) as file:
                content = file.read(MOST_XML + 1)
    if len(content) > MOST_XML:
        raise ValueError(f"it is larger than {MOST_XML:,} bytes")
    return content


def _part(part: ElementTree.Element) -> list[Sounding]:
    """Return a part's notes: a tied one goes on as another that begins where the first ends."""
    notes, tick, measure_begins = list[Sounding](), TICKS, 0
    for measure in part.iter("measure"):
        now = last = end = measure_begins
        for element in measure:
            if element.tag == "attributes":
                tick = _tick(element.findtext("divisions")) or tick
            if element.tag not in ("note", "backup", "forward"):
                continue
            length = int(element.findtext("duration") or 0) * tick  # grace notes have none
            if element.tag == "backup":
                now = max(measure_begins, now - length)
                continue
            begins = last if element.find("chord") is not None else now
            pitch = element.find("pitch")
            if element.tag == "note" and pitch is not None and length > 0 and element.find("cue") is None:
                notes.append(Sounding(_pitch(pitch), begins, begins + length))
            last, now = begins, begins + length
            end = max(end, now)
        measure_begins = end
    return notes


def _tick(divisions: str | None) -> int | None:
    if divisions is None:
        return None
    if int(divisions) < 1 or TICKS % int(divisions):
        raise ValueError(f"it divides a quarter note by {divisions}")
    return TICKS // int(divisions)


def _pitch(pitch: ElementTree.Element) -> int:
    step = _STEPS[pitch.findtext("step") or ""]
    return step + int(float(pitch.findtext("alter") or 0)) + 12 * (int(pitch.findtext("octave") or "") + 1)
