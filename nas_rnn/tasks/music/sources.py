"""Which files are read for a ``--data``, and the pieces that they hold, by part where they have parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.data import PARTS, Part
from nas_rnn.tasks.music.mat_file import read_cells
from nas_rnn.tasks.music.midi import SUFFIXES as MIDI
from nas_rnn.tasks.music.midi import read_midi
from nas_rnn.tasks.music.plain_pickle import read_plain
from nas_rnn.tasks.music.rolls import (
    HIGHEST,
    LOWEST,
    MOST_BYTES,
    MOST_FRAMES_IN_ALL,
    MOST_PIECES,
    NOTES,
    Piece,
    Roll,
    from_numbers,
    require_frames,
    roll_of,
)
from nas_rnn.tasks.texts import require_file

PICKLES, MATRICES = (".pickle", ".pkl"), (".mat",)
SUFFIXES = (*MIDI, *MATRICES, *PICKLES)
VARIABLES: Mapping[Part, str] = {"train": "traindata", "valid": "validdata", "test": "testdata"}
WHAT_WORKS = (
    "give a folder of .mid files (or one with folders train, valid and test of them), or a .mat or .pickle file of "
    "piano rolls as Boulanger-Lewandowski et al. (2012) have them"
)

Parts = dict[Part, list[Piece]]


@dataclass
class Found:
    """Pieces by part, or all of them where the data have no parts of their own.

    ``outside`` counts notes that were left out, since no piano has a key for them.
    """

    source: str
    pieces: list[Piece] | Parts
    outside: int = 0


def read_source(source: Path, frame: Fraction) -> Found:
    """Return the pieces of a file or folder; ``frame`` is how many quarter notes of MIDI files are one frame.

    Raises:
        UserError: when they cannot be used; the message names the file and says what would work.
    """
    if source.is_dir():
        return _folder(source, frame)
    require_file(source, WHAT_WORKS)
    suffix = source.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"{source} ends in {suffix or 'nothing'!r}, not in {', '.join(SUFFIXES)}; {WHAT_WORKS}"
        )
    if suffix in MIDI:
        found = Found(shown(source.name), [])
        found.pieces = _read_all([source], frame, found)
        return found
    content = content_of(source)
    pieces = _mat(source, content) if suffix in MATRICES else _pickle(source, content)
    return Found(shown(source.name), pieces)


def content_of(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UserError: for one that cannot be read, is too large, or empty.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path} has {size:,} bytes, more than {MOST_BYTES:,}; give a part of it")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error
    if not content:
        raise UserError(f"{path} is empty; {WHAT_WORKS}")
    return content


def _folder(folder: Path, frame: Fraction) -> Found:
    within = {part: folder / part for part in PARTS}
    there = [part for part, path in within.items() if path.is_dir()]
    if not there:
        found = Found(shown(folder.name), [])
        found.pieces = _read_all(_midi_files(folder), frame, found)
        return found
    if len(there) < len(PARTS):
        missing = ", ".join(part for part in PARTS if part not in there)
        raise UserError(f"{folder} has folders {', '.join(there)} and none called {missing}; {WHAT_WORKS}")
    found = Found(shown(folder.name), {})
    found.pieces = {part: _read_all(_midi_files(path), frame, found) for part, path in within.items()}
    return found


def _midi_files(folder: Path) -> list[Path]:
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in MIDI and path.is_file() and not path.name.startswith(".")
        )
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}; give a folder that you may read") from error
    if not paths:
        raise UserError(f"{folder} holds no file that ends in {' or '.join(MIDI)}; {WHAT_WORKS}")
    return paths


def _read_all(paths: Sequence[Path], frame: Fraction, found: Found) -> list[Piece]:
    return bounded(_midi_pieces(paths, frame, found), paths[0].parent)


def _midi_pieces(paths: Sequence[Path], frame: Fraction, found: Found) -> Iterator[Piece]:
    for path in paths:
        notes, ticks = read_midi(path, content_of(path))
        if not notes:
            raise UserError(f"{path} has no note (but perhaps percussion); take it out, or give another")
        roll, outside = roll_of(notes, frame * ticks, str(path))
        found.outside += outside
        if not len(roll):
            raise UserError(
                f"{path} has no note on a piano's keys that sounds in a frame; set a shorter option frame, or take it "
                "out"
            )
        yield Piece(shown(path.stem)[:80], roll)


def _mat(path: Path, content: bytes) -> Parts:
    cells = read_cells(path, content, tuple(VARIABLES.values()))
    return {
        part: bounded(
            (
                Piece(f"{part} {number + 1}", _binary(matrix, f"{path}, cell {number + 1} of {name}"))
                for number, matrix in enumerate(cells[name])
            ),
            path,
        )
        for part, name in VARIABLES.items()
    }


def _binary(matrix: NDArray[Any], where: str) -> Roll:
    if matrix.shape[1] != NOTES:
        raise UserError(
            f"{where} has {matrix.shape[1]:,} columns, not {NOTES}, one for each key of a piano; give frames as rows"
        )
    require_frames(len(matrix), where)
    other = (matrix != 0) & (matrix != 1)
    if other.any():
        row, column = map(int, np.argwhere(other)[0])
        raise UserError(
            f"{where} holds {matrix[row, column]:g} in row {row + 1}, column {column + 1}; a roll has 1 where a key "
            "sounds and 0 elsewhere"
        )
    return np.ascontiguousarray(matrix == 1)


def _pickle(path: Path, content: bytes) -> list[Piece] | Parts:
    held = read_plain(path, content)
    if isinstance(held, list | tuple):
        return bounded(_pieces(held, path, "piece"), path)
    if not isinstance(held, dict) or not all(part in held for part in PARTS):
        first = list(held)[:10] if isinstance(held, dict) else []
        keys = ", ".join(shown(key)[:40] if isinstance(key, str) else _number(key) for key in first)
        raise UserError(
            f"{path} holds no lists of pieces under train, valid and test, but "
            f"{'the keys ' + (keys or 'none') if isinstance(held, dict) else type(held).__name__}; {WHAT_WORKS}"
        )
    return {part: bounded(_pieces(held[part], path, f"{part} piece"), path) for part in PARTS}


def _pieces(listed: Any, path: Path, what: str) -> Iterator[Piece]:
    if not isinstance(listed, list | tuple):
        raise UserError(f"{path}: what should be the list of pieces is {type(listed).__name__}; {WHAT_WORKS}")
    for number, frames in enumerate(listed):
        where = f"{path}, {what} {number + 1}"
        if not isinstance(frames, list | tuple):
            raise UserError(f"{where} is {type(frames).__name__}, not a list of frames; {WHAT_WORKS}")
        require_frames(len(frames), where)
        yield Piece(f"{what} {number + 1}", from_numbers(_frames(frames, where)))


def _frames(frames: Sequence[Any], where: str) -> Iterator[Sequence[int]]:
    for place, frame in enumerate(frames):
        if not isinstance(frame, list | tuple):
            raise UserError(
                f"{where}, frame {place + 1} is {type(frame).__name__}, not a tuple of MIDI numbers; {WHAT_WORKS}"
            )
        if len(frame) > NOTES:
            raise UserError(f"{where}, frame {place + 1} holds {len(frame):,} notes; a piano has {NOTES}")
        for note in frame:
            if type(note) is not int or not LOWEST <= note <= HIGHEST:
                raise UserError(
                    f"{where}, frame {place + 1} holds {_number(note)}; give MIDI numbers of a piano's keys, whole "
                    f"numbers from {LOWEST} to {HIGHEST}"
                )
        yield frame


def _number(value: object) -> str:
    """Return how a whole number is told; Python writes none of many thousand digits."""
    return (
        str(value) if type(value) is int and abs(value) < 10**9 else f"a value of type {type(value).__name__}"
    )


def bounded(pieces: Iterable[Piece], source: Path) -> list[Piece]:
    """Return ``pieces``: a small pickle may say that one list stands in another a million times.

    Raises:
        UserError: where there are more of them, or more frames, than may be read of a source.
    """
    found, frames = list[Piece](), 0
    for piece in pieces:
        found.append(piece)
        frames += len(piece.roll)
        if frames > MOST_FRAMES_IN_ALL or len(found) > MOST_PIECES:
            raise UserError(
                f"{source} holds more than {MOST_PIECES:,} pieces or {MOST_FRAMES_IN_ALL:,} frames; give a part of "
                "it, or set a longer option frame"
            )
    return found
