"""The embedded pieces: Bach's chorales, of which the package music21 carries the scores.

The files are read, the package itself is not imported: importing it writes settings, and its own parser keeps pickles
of what it read, which it would read again.
"""

from __future__ import annotations

import importlib.util
import re
import zipfile
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

from nas_rnn.errors import UserError
from nas_rnn.tasks.music.musicxml import TICKS, read_score
from nas_rnn.tasks.music.rolls import Piece, Roll, roll_of, sounding

INSTALL = "pip install 'nas_rnn[music]'"
VOICES = ("Soprano", "Alto", "Tenor", "Bass")
WINDOW, REPEATED = 4, 0.5
"""A setting of which more than this share of all so many frames in a row stand in an earlier one is the same."""
Window = tuple[tuple[int, ...], ...]
_NUMBER = re.compile(r"bwv\d")


def chorales(frame: Fraction, most: int) -> list[Piece]:
    """Return the chorales for four voices by the numbers of the Bach-Werke-Verzeichnis, at most so many; 0: all.

    Left out are settings with instruments of their own, and those that repeat an earlier one, in another key or not:
    they would be known from the training part.

    Raises:
        UserError: where music21 is missing or has no such scores.
    """
    folder = _folder()
    found, known = list[Piece](), defaultdict[Window, set[int]](set)
    for path in sorted(folder.iterdir(), key=_order):
        if _NUMBER.match(path.name) is None or path.suffix not in (".mxl", ".xml"):
            continue
        try:
            notes = read_score(path, VOICES)
        except (ValueError, KeyError, OSError, zipfile.BadZipFile, ElementTree.ParseError) as error:
            raise UserError(
                f"cannot read {path}, a score that comes with music21: {error}; install music21 anew"
            ) from error
        roll, _ = roll_of(notes or (), frame * TICKS, str(path))
        windows = _windows(roll)
        earlier = Counter(place for window in windows for place in known.get(window, ()))
        if len(roll) < 2 or any(count > REPEATED * len(windows) for count in earlier.values()):
            continue
        for window in windows:
            known[window].add(len(found))
        found.append(Piece(path.stem, roll))
        if len(found) == most:
            break
    if not found:
        raise UserError(f"{folder} holds no chorale; install music21 anew with: {INSTALL}")
    return found


def _windows(roll: Roll) -> set[Window]:
    """Return the chords of every few frames in a row, as steps from the lowest note of the first."""
    chords = sounding(roll)
    found = set[Window]()
    for first in range(len(chords) - WINDOW + 1):
        window = chords[first : first + WINDOW]
        lowest = min(window[0], default=0)
        found.add(tuple(tuple(note - lowest for note in chord) for chord in window))
    return found


def _folder() -> Path:
    spec = importlib.util.find_spec("music21")  # finds it without importing it
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "corpus" / "bach"
        if folder.is_dir():
            return folder
    raise UserError(
        f"the embedded chorales come with music21; install it with: {INSTALL}; or give data of your own (--data)"
    )


def _order(path: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", path.stem)], path.name
