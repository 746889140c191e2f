"""Pieces of music as piano rolls: which of a piano's 88 keys sound in each frame.

Shapes: T frames of a piece, N pieces, K = 88 notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

NOTES, LOWEST = 88, 21
"""A piano's keys, and the MIDI number of the lowest, A0; the highest is C8, 108."""
HIGHEST = LOWEST + NOTES - 1
PACKED = NOTES // 8
"""Bytes of a frame."""

MOST_BYTES = 1 << 28
"""Of one file."""
MOST_FRAMES = 100_000
"""Of one piece: a day of quarter notes. What claims more is damaged."""
MOST_PIECES = 100_000
MOST_FRAMES_IN_ALL = 4_000_000
"""Of all pieces: some times as many as the largest known set has."""
MOST_PADDED = 1 << 29
"""Bytes of a part as it travels to workers, all pieces filled up to the longest."""

FRAMES = {"half": Fraction(2), "quarter": Fraction(1), "eighth": Fraction(1, 2), "16th": Fraction(1, 4)}
"""How long a frame may be, in quarter notes."""
HEARD_AT = 8
"""It is looked which notes sound an eighth of a frame after it begins: late enough for players who are late, and early
enough that no passing note is taken for the one on the beat."""

Roll = NDArray[np.bool_]

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NAME = re.compile(r"([A-Ga-g])(##|#|bb|b|)(-?[0-9])\Z")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Sounding(NamedTuple):
    """A note of a MIDI number that sounds from ``begins`` until before ``ends``, in ticks."""

    pitch: int
    begins: int
    ends: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece's roll (T, K), and what it is called."""

    name: str
    roll: Roll


def note_name(pitch: int) -> str:
    """Return the name of a MIDI number: 60 is "C4"."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def pitch_of(text: str) -> int | None:
    """Return the MIDI number of a name such as "C4", "F#3" or "Bb4", or of a number; None for any other text."""
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return int(text)
    found = _NAME.match(text)
    if found is None:
        return None
    sharps = found[2].count("#") - found[2].count("b")
    return _STEPS[found[1].upper()] + sharps + 12 * (int(found[3]) + 1)


def roll_of(notes: Sequence[Sounding], frame: Fraction, where: str) -> tuple[Roll, int]:
    """Return the roll of ``notes``, whose frames are so many ticks long, and how many notes lie outside a piano.

    A frame has what sounds an eighth of its length (`HEARD_AT`) after it begins. The roll starts with the first frame
    that has a note and ends with the last. ``where`` says which piece it is.

    Raises:
        UserError: for more than `MOST_FRAMES` frames, before any is made.
    """
    inside, outside = list[tuple[int, int, int]](), 0
    ticks, scale = frame.numerator, HEARD_AT * frame.denominator
    for note in notes:
        # The frames k with begins <= (k + 1/8) frame < ends: from the one to before the other, both rounded up.
        first, end = (-(-(scale * at - ticks) // (HEARD_AT * ticks)) for at in (note.begins, note.ends))
        if end <= max(first, 0):
            continue
        if not LOWEST <= note.pitch <= HIGHEST:
            outside += 1
            continue
        inside.append((note.pitch - LOWEST, max(first, 0), end))
    if not inside:
        return np.zeros((0, NOTES), dtype=np.bool_), outside
    start = min(first for _, first, _ in inside)
    frames = max(end for _, _, end in inside) - start
    require_frames(frames, where)
    roll = np.zeros((frames, NOTES), dtype=np.bool_)
    for key, first, end in inside:
        roll[first - start : end - start, key] = True
    return roll, outside


def require_frames(frames: int, where: str) -> None:
    """Raise `UserError` for a piece of more frames than any has."""
    if frames > MOST_FRAMES:
        raise UserError(
            f"{where} would have {frames:,} frames, more than {MOST_FRAMES:,}; set a longer option frame, or cut it"
        )


def packed(rolls: Sequence[Roll]) -> dict[str, NDArray[Any]]:
    """Return ``rolls`` (N, T, `PACKED`), eight notes a byte, 0 behind their ``lengths`` (N,).

    Raises:
        UserError: where the pieces, filled up to the longest, are too large.
    """
    lengths_N = np.array([len(roll) for roll in rolls], dtype=np.int32)
    longest = int(lengths_N.max(initial=0))
    if len(rolls) * longest * PACKED > MOST_PADDED:
        raise UserError(
            f"{len(rolls):,} pieces of up to {longest:,} frames are too much, more than {MOST_PADDED:,} bytes once "
            "filled up to the longest; give fewer, cut the longest, or set a longer option frame"
        )
    rolls_NTP = np.zeros((len(rolls), longest, PACKED), dtype=np.uint8)
    for row, roll in zip(rolls_NTP, rolls, strict=True):
        row[: len(roll)] = np.packbits(roll, axis=1)
    return {"rolls": rolls_NTP, "lengths": lengths_N}


def unpacked(rolls: NDArray[Any]) -> Roll:
    """Return (..., K) of packed rolls (..., `PACKED`)."""
    return np.unpackbits(rolls, axis=-1).astype(np.bool_)


def sounding(roll: Roll) -> list[list[int]]:
    """Return the MIDI numbers of each frame."""
    return [(np.flatnonzero(frame) + LOWEST).tolist() for frame in roll]


def from_numbers(frames: Iterable[Iterable[int]]) -> Roll:
    """Return the roll of frames of MIDI numbers, all on a piano."""
    listed = [list(frame) for frame in frames]
    roll = np.zeros((len(listed), NOTES), dtype=np.bool_)
    for row, frame in zip(roll, listed, strict=True):
        row[[pitch - LOWEST for pitch in frame]] = True
    return roll


@dataclass(frozen=True, eq=False)
class Written:
    """A beginning (T, K) of ``given`` frames and what a model wrote after it, in one ``roll``.

    ``shares`` (T, K) is how likely each note was, by the model, whatever the temperature; NaN in the first frame.
    ``piece`` is the one that the beginning is from, if any.
    """

    roll: Roll
    given: int
    shares: NDArray[np.float64]
    piece: Piece | None
