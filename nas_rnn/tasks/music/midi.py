"""MIDI files: the notes of one, and one of a roll. The package mido reads and writes them."""

from __future__ import annotations

import importlib
import io
import itertools
import re
from pathlib import Path
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.music.rolls import LOWEST, Roll, Sounding

INSTALL = "pip install 'nas_rnn[music]'"
SUFFIXES = (".mid", ".midi")
MOST_MIDI_BYTES = 1 << 21
"""Of one file: an opera's; as messages it takes some hundred times as much."""
MOST_TRACKS, MOST_MESSAGES = 1024, 1_000_000
MOST_TICKS = (1 << 28) - 1
"""From one event to the next, in the four bytes that the standard allows."""
LONGEST_RUN = 1 << 14
"""Of bytes that say that more of a number follows; mido would add up any many, slower and slower."""
PERCUSSION = 9
"""The channel, counted from 0, whose numbers are drums and no pitches (General MIDI)."""
VELOCITY, TEMPO = 72, 88
TICKS = 480
WAITS = "it waits for longer than a MIDI file can say"


def read_midi(path: Path, content: bytes) -> tuple[list[Sounding], int]:
    """Return the notes of all tracks, in ticks, and how many ticks a quarter note has; without percussion.

    Pedals are not minded. What is never ended sounds until the last event.

    Raises:
        UserError: for what is no MIDI file, is damaged, too large, or counts time in something else than notes.
    """
    if content[:4] != b"MThd":
        raise UserError(f"{path} is no MIDI file: it does not begin with MThd; give a Standard MIDI File")
    if len(content) > MOST_MIDI_BYTES:
        raise UserError(
            f"{path} has {len(content):,} bytes, more than {MOST_MIDI_BYTES:,}; cut it into pieces"
        )
    tracks = int.from_bytes(content[10:12], "big")
    if tracks > MOST_TRACKS:
        raise UserError(f"{path} claims {tracks:,} tracks, more than {MOST_TRACKS:,}; it is damaged")
    mido = _mido()
    longest = max(map(len, re.findall(rb"[\x80-\xff]+", content)), default=0)
    try:
        if longest > LONGEST_RUN:
            raise ValueError(WAITS)
        file = mido.MidiFile(file=io.BytesIO(content))
        if any(message.time > MOST_TICKS for track in file.tracks for message in track):
            raise ValueError(WAITS)
    except Exception as error:  # of any kind, where bytes are wrong
        reason = str(error) or "it ends too early"
        raise UserError(
            f"{path} is no sound MIDI file: {shown(reason)[:120]}; fetch or save it anew"
        ) from error
    if file.ticks_per_beat <= 0:
        raise UserError(
            f"{path} counts time in frames of a film, not in notes; save it with ticks per quarter note"
        )
    if file.type == 2:
        raise UserError(f"{path} holds several pieces (MIDI format 2); save each as a file of its own")
    if sum(map(len, file.tracks)) > MOST_MESSAGES:
        raise UserError(f"{path} holds more than {MOST_MESSAGES:,} events; cut it into pieces")
    notes = [note for track in file.tracks for note in _notes(track)]
    return notes, int(file.ticks_per_beat)


def _notes(track: Any) -> list[Sounding]:
    notes, going, now = list[Sounding](), dict[tuple[int, int], int](), 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == PERCUSSION:
            continue
        key = (message.channel, message.note)
        if (begins := going.pop(key, None)) is not None:  # a second beginning ends the first
            notes.append(Sounding(message.note, begins, now))
        if message.type == "note_on" and message.velocity > 0:
            going[key] = now
    return notes + [Sounding(note, begins, now) for (_, note), begins in going.items()]


def midi_of(roll: Roll, quarters: float) -> bytes | None:
    """Return a MIDI file's bytes of a roll whose frames are so many quarter notes long; None where mido is missing.

    A note that sounds in several frames in a row is held.
    """
    try:
        mido = _mido()
    except UserError:
        return None
    events = list[tuple[int, int, int]]()
    frame = round(TICKS * quarters)
    for key in range(roll.shape[1]):
        edges = [False, *roll[:, key].tolist(), False]
        for place, (before, after) in enumerate(itertools.pairwise(edges)):
            if before != after:
                events.append((place * frame, int(after), key + LOWEST))  # ends come before beginnings
    track, now = mido.MidiTrack(), 0
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO)))
    for at, begins, note in sorted(events):
        kind = "note_on" if begins else "note_off"
        track.append(mido.Message(kind, note=note, velocity=VELOCITY * begins, time=at - now))
        now = at
    track.append(mido.MetaMessage("end_of_track", time=len(roll) * frame - now))
    file, content = mido.MidiFile(type=0, ticks_per_beat=TICKS), io.BytesIO()
    file.tracks.append(track)
    file.save(file=content)
    return content.getvalue()


def _mido() -> Any:
    try:
        return importlib.import_module("mido")
    except ImportError:
        raise UserError(f"MIDI files need mido; install it with: {INSTALL}") from None
