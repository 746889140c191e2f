"""Small pieces of music written as users have them: MIDI files, .mat files and pickles of piano rolls."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido
import numpy as np
import scipy.io
from numpy.typing import NDArray

Roll = NDArray[np.bool_]
NAMES = ("traindata", "validdata", "testdata")


def wheel(frames: int, start: int, direction: int) -> Roll:
    """Return a roll in which two keys go round seven steps, one way or the other: no table of single keys knows it."""
    roll = np.zeros((frames, 88), dtype=np.bool_)
    for place in range(frames):
        step = (start + direction * place) % 7
        roll[place, [30 + 2 * step, 50 + step]] = True
    return roll


def wheels(count: int, seed: int = 0) -> list[Roll]:
    random = np.random.default_rng((seed, count))
    return [
        wheel(int(random.integers(8, 20)), int(random.integers(7)), int(random.choice([-1, 1])))
        for _ in range(count)
    ]


def write_mat(
    path: Path, parts: Sequence[Sequence[NDArray[Any]]], names: Sequence[str] = NAMES, **how: Any
) -> Path:
    variables = {}
    for name, rolls in zip(names, parts, strict=True):
        cells = np.empty((1, len(rolls)), dtype=object)
        for place, roll in enumerate(rolls):
            cells[0, place] = roll if roll.dtype != np.bool_ else roll.astype(np.float64)
        variables[name] = cells
    scipy.io.savemat(path, variables, **how)
    return path


def wheels_mat(folder: Path, counts: Sequence[int] = (40, 9, 8)) -> Path:
    return write_mat(folder / "Wheels.mat", [wheels(count, seed) for seed, count in enumerate(counts)])


Event = tuple[int, str, int, int, int]
"""When in ticks, on or off, channel, note, velocity."""


def midi_bytes(tracks: Sequence[Sequence[Event]], ticks: int = 480, kind: int = 1) -> bytes:
    file, content = mido.MidiFile(type=kind, ticks_per_beat=ticks), io.BytesIO()
    for events in tracks:
        track, now = mido.MidiTrack(), 0
        track.append(mido.MetaMessage("track_name", name="Übung"))
        for at, what, channel, note, velocity in sorted(events, key=lambda event: event[0]):
            track.append(
                mido.Message(f"note_{what}", channel=channel, note=note, velocity=velocity, time=at - now)
            )
            now = at
        file.tracks.append(track)
    file.save(file=content)
    return content.getvalue()


def melody(notes: Sequence[int], ticks: int = 480) -> bytes:
    """Return a MIDI file of notes a quarter long, one after another; 0 is silence."""
    events = list[Event]()
    for place, note in enumerate(notes):
        if note:
            events += [(place * ticks, "on", 0, note, 64), ((place + 1) * ticks, "off", 0, note, 0)]
    return midi_bytes([events], ticks)


def write_midis(folder: Path, count: int, first: int = 60) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        notes = [first + (number + step) % 12 for step in range(6)]
        (folder / f"{number:02}.mid").write_bytes(melody(notes))
    return folder
