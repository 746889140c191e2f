"""What the task music reads: MIDI files, .mat files, pickles without running them, scores; and what it refuses."""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from nas_rnn.errors import UserError
from nas_rnn.tasks.music import Music
from nas_rnn.tasks.music.chorales import chorales
from nas_rnn.tasks.music.mat_file import read_cells
from nas_rnn.tasks.music.midi import midi_of, read_midi
from nas_rnn.tasks.music.musicxml import TICKS, read_score
from nas_rnn.tasks.music.plain_pickle import read_plain
from nas_rnn.tasks.music.rolls import (
    NOTES,
    Sounding,
    from_numbers,
    note_name,
    packed,
    pitch_of,
    roll_of,
    sounding,
    unpacked,
)
from tests.tasks.music_files import (
    NAMES,
    melody,
    midi_bytes,
    wheels,
    wheels_mat,
    write_mat,
    write_midis,
)

PIECES = [[(60, 64), (62,), ()], [(65,), (67, 21, 108)], [(60,), (61,)]]


def rolls_in(data: Any, part: str) -> list[list[list[int]]]:
    arrays = data.part(part)
    return [
        sounding(unpacked(rolls[:length]))
        for rolls, length in zip(arrays["rolls"], arrays["lengths"], strict=True)
    ]


# Rolls


def test_a_frame_has_what_sounds_an_eighth_of_it_after_it_begins() -> None:
    notes = [
        Sounding(60, 0, 30),  # short, on the beat
        Sounding(62, 50, 100),  # a passing note
        Sounding(64, 112, 200),  # late by less than an eighth
        Sounding(65, 113, 200),  # late by more
        Sounding(67, 205, 213),  # over before the eighth, at 212.5, and after it
        Sounding(69, 205, 212),
        Sounding(71, 300, 300),  # of no length
    ]
    roll, outside = roll_of(notes, Fraction(100), "x")
    assert sounding(roll) == [[60], [64], [67]] and outside == 0
    assert sounding(roll_of(notes, Fraction(50), "x")[0]) == [[60], [62], [], [64, 65], [67, 69]]


def test_a_roll_begins_with_its_first_note_ends_with_its_last_and_keeps_silence_between() -> None:
    roll, outside = roll_of(
        [Sounding(60, 300, 400), Sounding(72, 500, 700), Sounding(20, 0, 900)], Fraction(100), "x"
    )
    assert sounding(roll) == [[60], [], [72], [72]] and outside == 1
    assert roll_of([], Fraction(100), "x")[0].shape == (0, 88)
    assert sounding(roll_of([Sounding(60, 0, 3)], Fraction(3, 2), "x")[0]) == [[60], [60]]


def test_packing_keeps_every_key() -> None:
    rolls = [np.eye(88, dtype=np.bool_), np.ones((3, 88), dtype=np.bool_)]
    arrays = packed(rolls)
    assert arrays["rolls"].shape == (2, 88, 11) and arrays["lengths"].tolist() == [88, 3]
    for row, roll in zip(arrays["rolls"], rolls, strict=True):
        assert (unpacked(row[: len(roll)]) == roll).all() and not unpacked(row[len(roll) :]).any()
    with pytest.raises(UserError, match="7,000 pieces of up to 10,000 frames are too much"):
        packed([np.broadcast_to(np.False_, (10_000, 88))] * 7000)


def test_names_of_notes() -> None:
    assert [pitch_of(text) for text in ("C4", "a0", "F#3", "Bb4", "Cb4", "B##4", "60", "C-1")] == [
        60,
        21,
        54,
        70,
        59,
        73,
        60,
        0,
    ]
    assert [pitch_of(text) for text in ("H4", "C", "4", "C10", "1000", "", "C4 ", "²")] == [
        *[None, None, 4],
        *[None] * 5,
    ]
    assert all(pitch_of(note_name(pitch)) == pitch for pitch in range(21, 109))


# MIDI


def test_midi_tracks_sound_together_without_percussion() -> None:
    first = [
        (0, "on", 0, 60, 64),
        (480, "on", 0, 60, 0),  # an end, as many files have it
        (480, "on", 1, 62, 64),
        (960, "on", 1, 62, 64),  # begins again before it has ended
        (1440, "off", 1, 62, 0),
        (0, "on", 9, 40, 64),  # a drum
        (1440, "off", 9, 40, 0),
    ]
    second = [(480, "on", 2, 72, 64), (1920, "off", 5, 30, 0)]  # one never ends; an end without a beginning
    notes, ticks = read_midi(Path("x.mid"), midi_bytes([first, second]))
    assert ticks == 480
    assert sounding(roll_of(notes, Fraction(ticks), "x")[0]) == [[60], [62, 72], [62, 72], [72]]


def test_what_is_written_as_midi_is_read_again() -> None:
    for roll in (*wheels(5), np.ones((3, 88), dtype=np.bool_)):
        for quarters, frame in ((1.0, Fraction(1)), (0.25, Fraction(1, 4))):
            content = midi_of(roll, quarters)
            assert content is not None
            notes, ticks = read_midi(Path("x.mid"), content)
            np.testing.assert_array_equal(roll_of(notes, frame * ticks, "x")[0], roll)
    held = midi_of(from_numbers([[60], [60], [62]]), 1.0)
    assert held is not None and len(read_midi(Path("x.mid"), held)[0]) == 2
    assert midi_of(np.zeros((4, 88), dtype=np.bool_), 1.0) is not None


def test_a_frame_may_be_another_note_value(tmp_path: Path) -> None:
    write_midis(tmp_path, 3)
    quarters, eighths = (Music(frame=frame).load(tmp_path) for frame in ("quarter", "eighth"))
    (one,), (two,) = (rolls_in(data, "test") for data in (quarters, eighths))
    assert two == [frame for frame in one for _ in range(2)] and len(one) == 6


def test_a_folder_keeps_its_parts_or_whole_pieces_are_drawn(tmp_path: Path) -> None:
    for part, count, first in (("train", 4, 60), ("valid", 2, 40), ("test", 1, 80)):
        write_midis(tmp_path / "own" / part, count, first)
    own = Music().load(tmp_path / "own")
    assert [len(rolls_in(own, part)) for part in ("train", "valid", "test")] == [4, 2, 1]
    assert rolls_in(own, "test") == [[[note] for note in range(80, 86)]]
    drawn = Music(valid=0.3, test=0.1).load(write_midis(tmp_path / "drawn", 10))
    parts = {part: rolls_in(drawn, part) for part in ("train", "valid", "test")}
    assert [len(pieces) for pieces in parts.values()] == [6, 3, 1]
    assert len({str(piece) for pieces in parts.values() for piece in pieces}) == 10
    few = Music(valid=0.4, test=0.4).load(write_midis(tmp_path / "few", 3))
    assert [len(rolls_in(few, part)) for part in ("train", "valid", "test")] == [1, 1, 1]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    write_midis(tmp_path, 5)
    (tmp_path / "again.mid").write_bytes((tmp_path / "00.mid").read_bytes())
    (tmp_path / "one.mid").write_bytes(melody([60]))
    (tmp_path / "low.mid").write_bytes(melody([60, 10, 70, 60]))
    (tmp_path / "._00.mid").write_bytes(b"what macOS leaves behind")
    notices = Music().notices(Music().load(tmp_path))
    told = " ".join(notices)
    assert "1 pieces of a single frame are left out" in told
    assert "1 pieces that are equal to another note by note are left out" in told
    assert "1 notes for which a piano has no key, below A0 or above C8, are left out" in told


# .mat files, beside scipy's own reader


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.int16, np.int64, np.bool_])
def test_mat_files_are_read_as_scipy_reads_them(tmp_path: Path, dtype: Any, compressed: bool) -> None:
    parts = [[roll.astype(dtype) for roll in wheels(count, count)] for count in (3, 2, 1)]
    path = write_mat(tmp_path / "x.mat", parts, do_compression=compressed)
    theirs = scipy.io.loadmat(path)
    ours = read_cells(path, path.read_bytes(), NAMES)
    for name in NAMES:
        assert len(ours[name]) == theirs[name].size
        for one, other in zip(ours[name], theirs[name][0], strict=True):
            np.testing.assert_array_equal(one, other)
    data = Music().load(path)
    assert rolls_in(data, "valid") == [sounding(roll > 0) for roll in parts[1]]


def test_small_matrices_and_other_variables_are_read(tmp_path: Path) -> None:
    """Up to four bytes stand within an element's tag."""
    path = tmp_path / "x.mat"
    small = np.empty((2, 2), dtype=object)
    small[:] = [[np.uint8([[1, 2]]), np.zeros((0, 0))], [np.uint8([[3]]), np.float64([[4, 5], [6, 7]])]]
    scipy.io.savemat(path, {"traindata": small, "note": "text", "n": 3.0})
    cells = read_cells(path, path.read_bytes(), ["traindata"])["traindata"]
    assert [cell.tolist() for cell in cells] == [[[1, 2]], [[3]], [], [[4, 5], [6, 7]]]


def cells_of(first: Any, **how: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        rest = [wheels(2), wheels(2)]
        return write_mat(folder / "x.mat", [[first], *rest], **how)

    return write


def named(**variables: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        scipy.io.savemat(folder / "x.mat", variables)
        return folder / "x.mat"

    return write


def content(suffix: str, make: Callable[[Path], bytes] | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"x{suffix}"
        path.write_bytes(make(folder) if callable(make) else make)
        return path

    return write


def mat(folder: Path) -> bytes:
    return write_mat(
        folder / "good.mat", [wheels(2), wheels(1), wheels(1)], do_compression=False
    ).read_bytes()


def claims(old: bytes, new: bytes) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        good = mat(folder)
        assert old in good
        return good.replace(old, new, 1)

    return make


def bomb(folder: Path) -> bytes:
    packing = zlib.compressobj(9)
    piece = b"\0" * (1 << 22)
    blown = b"".join(packing.compress(piece) for _ in range(4)) + packing.flush()
    return mat(folder)[:128] + (15).to_bytes(4, "little") + len(blown).to_bytes(4, "little") + blown


def with_roll(change: Callable[[Any], Any]) -> Any:
    roll = wheels(1)[0].astype(np.float64)
    return change(roll)


def value(number: float) -> Any:
    def change(roll: Any) -> Any:
        roll[2, 3] = number
        return roll

    return with_roll(change)


def dumped(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol)


def folder_of(**files: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for name, made in files.items():
            (folder / f"{name}.mid").write_bytes(made)
        return folder

    return write


def part_folders(*names: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for name in names:
            write_midis(folder / name, 2)
        return folder

    return write


def parts_of(**parts: Any) -> bytes:
    return dumped({"train": PIECES, "valid": PIECES, "test": PIECES, **parts})


LONG = (50_000_000).to_bytes(4, "big")
HEAD = b"MThd\0\0\0\6\0\1\0\1\1\xe0"


def waiting(length: int) -> bytes:
    """Return a MIDI file of a note that ends after a time of so many bytes."""
    track = b"\0\x90\x3c\x40" + b"\xff" * length + b"\x7f\x80\x3c\x40\0\xff\x2f\0"
    return HEAD[:10] + b"\0\x01\x01\xe0MTrk" + len(track).to_bytes(4, "big") + track


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (
        lambda folder: folder / "none.mid",
        "there is no file .*none.mid; give a folder of .mid files",
    ),
    "another ending": (content(".wav", b"RIFF"), r"ends in '.wav', not in .mid, .midi, .mat, .pickle, .pkl"),
    "empty": (content(".mid", b""), "is empty; give a folder"),
    "empty folder": (lambda folder: folder, "holds no file that ends in .mid or .midi"),
    "no midi": (content(".mid", b"MIDI? no"), "is no MIDI file: it does not begin with MThd"),
    "a folder with one": (folder_of(a=melody([60, 61]), b=b"text"), "b.mid is no MIDI file"),
    "cut off": (content(".mid", melody([60] * 9)[:60]), "is no sound MIDI file: .*; fetch or save it anew"),
    "more tracks than there are": (content(".mid", HEAD), "is no sound MIDI file: it ends too early"),
    "no tracks": (content(".mid", HEAD[:10] + b"\0\0\1\xe0"), "x.mid has no note"),
    "very many tracks": (
        content(".mid", HEAD[:10] + b"\xff\xff\1\xe0"),
        "claims 65,535 tracks, more than 1,024",
    ),
    "too large": (content(".mid", HEAD + b"\0" * (1 << 21)), "more than 2,097,152; cut it into pieces"),
    "film": (content(".mid", HEAD[:12] + b"\xe7\x28" + melody([60])[14:]), "counts time in frames of a film"),
    "no ticks": (content(".mid", HEAD[:12] + b"\0\0" + melody([60])[14:]), "counts time in frames of a film"),
    "waits too long": (content(".mid", waiting(3000)), "waits for longer than a MIDI file can say; fetch or"),
    "waits for ever": (
        content(".mid", waiting(1 << 20)),
        "waits for longer than a MIDI file can say; fetch or",
    ),
    "format 2": (
        content(".mid", midi_bytes([[(0, "on", 0, 60, 1)]], kind=2)),
        "several pieces .MIDI format 2",
    ),
    "no notes": (content(".mid", midi_bytes([[]])), "has no note .but perhaps percussion"),
    "drums": (
        content(".mid", midi_bytes([[(0, "on", 9, 60, 1), (480, "off", 9, 60, 1)]])),
        "has no note .but perhaps percussion",
    ),
    "all too low": (content(".mid", melody([10, 11])), "no note on a piano's keys that sounds in a frame"),
    "for ever": (
        content(".mid", midi_bytes([[(0, "on", 0, 60, 1), (2**27, "off", 0, 60, 1)]], ticks=1)),
        "would have 134,217,728 frames, more than 100,000; set a longer option frame",
    ),
    "one piece": (
        content(".mid", melody([60, 61, 62])),
        "x.mid holds 1 different piece of 2 frames or more, too few for a training, a validation and a test part",
    ),
    "twice the same": (
        folder_of(a=melody([60, 61]), b=melody([60, 61]), c=melody([60, 62])),
        "holds 2 different pieces of 2 frames or more",
    ),
    "no test folder": (part_folders("train", "valid"), "has folders train, valid and none called test"),
    "other names": (
        named(train=1, valid=2),
        "has no variable traindata, validdata, testdata; it needs the cell arrays .* and has: train, valid",
    ),
    "no cells": (named(traindata=np.ones((4, 88)), validdata=1, testdata=1), "traindata is no cell array"),
    "wrong width": (cells_of(np.ones((5, 87))), "cell 1 of traindata has 87 columns, not 88"),
    "turned round": (
        cells_of(np.ones((88, 5))),
        "has 5 columns, not 88, one for each key of a piano; give frames as",
    ),
    "an empty cell": (cells_of(np.ones((0, 0))), "cell 1 of traindata has 0 columns, not 88"),
    "two": (
        cells_of(value(2.0)),
        "holds 2 in row 3, column 4; a roll has 1 where a key sounds and 0 elsewhere",
    ),
    "half": (cells_of(value(0.5)), "holds 0.5 in row 3, column 4"),
    "nan": (cells_of(value(np.nan)), "holds nan in row 3, column 4"),
    "complex": (cells_of(np.ones((3, 88)) * 1j), "cell 1 of traindata is no matrix of real numbers"),
    "three axes": (cells_of(np.ones((3, 88, 2))), "cell 1 of traindata is no matrix of real numbers"),
    "texts": (cells_of(np.array(["text"])), "cell 1 of traindata is no matrix of real numbers"),
    "silence": (cells_of(np.zeros((9, 88))), "no note sounds in the training part of x.mat"),
    "one frame": (cells_of(np.ones((1, 88))), "the training part of x.mat has no piece of 2 frames or more"),
    "mat cut off": (
        content(".mat", lambda folder: mat(folder)[:-900]),
        "cannot be read as a .mat file: an element cl",
    ),
    "mat's head cut off": (
        content(".mat", lambda folder: mat(folder)[:100]),
        "is no .mat file of version 5 or 7",
    ),
    "no mat": (content(".mat", b"text " * 90), "is no .mat file of version 5 or 7"),
    "version 7.3": (
        content(".mat", b"\x89HDF\r\n\x1a\n" + b"\0" * 200),
        "version 7.3; save it with the option -v7",
    ),
    "bad zlib": (
        content(".mat", lambda f: mat(f)[:128] + b"\x0f\0\0\0\4\0\0\0abcd"),
        "cannot be read as a .mat file: Error -3",
    ),
    "rows claimed": (
        content(".mat", claims(bytes([88, 0, 0, 0]), b"\xff\xff\xff\x7f")),
        r"cell 1 of traindata claims \d+ x 2147483647 numbers in [\d,]+ bytes",
    ),
    "cells claimed": (
        content(".mat", claims(b"\1\0\0\0\2\0\0\0\1\0\0\0", b"\1\0\0\0\xff\xff\xff\x7f\1\0\0\0")),
        "traindata claims 2,147,483,647 cells in [0-9,]+ bytes",
    ),
    "names a global": (
        content(".pickle", dumped(os.system, 0)),
        r"is no plain list: at byte 0 it names posix.system",
    ),
    "stack global": (
        content(".pkl", dumped(os.system, 4)),
        r"it holds an object .STACK_GLOBAL.. Nothing of it was run",
    ),
    "numpy": (content(".pickle", dumped(np.ones(3))), r"it names numpy.*Nothing of it was run"),
    "pickle cut off": (content(".pickle", parts_of()[:-20]), "cannot be read as a pickle of plain lists"),
    "no pickle": (content(".pickle", b"text, no pickle"), "cannot be read as a pickle of plain lists"),
    "floats": (
        content(".pickle", dumped([[(60.0,)]])),
        "it holds what is neither a list nor a whole number: BINFLOAT",
    ),
    "sets": (content(".pickle", dumped([{60}], 4)), "neither a list nor a whole number: EMPTY_SET"),
    "other keys": (
        content(".pickle", dumped({"Train": [], "x": []})),
        "no lists of pieces under .* the keys Train, x",
    ),
    "a number": (content(".pickle", dumped(3)), "no lists of pieces under train, valid and test, but int"),
    "no list": (content(".pickle", parts_of(valid=3)), "what should be the list of pieces is int"),
    "no frames": (content(".pickle", parts_of(valid=[3])), "valid piece 1 is int, not a list of frames"),
    "no tuple": (
        content(".pickle", parts_of(test=[[60, 62]])),
        "test piece 1, frame 1 is int, not a tuple of MIDI",
    ),
    "too high": (
        content(".pickle", parts_of(test=[[(60,), (109,)]])),
        "frame 2 holds 109; give MIDI numbers of a",
    ),
    "too many notes": (
        content(".pickle", parts_of(test=[[(60,) * 89]])),
        "frame 1 holds 89 notes; a piano has 88",
    ),
    "truth": (content(".pickle", parts_of(test=[[(True,)]])), "frame 1 holds a value of type bool"),
    "huge": (content(".pickle", parts_of(test=[[(10**9999,)]])), "frame 1 holds a value of type int"),
    "huge key": (
        content(".pickle", pickle.dumps({10**9999: [1], 7: [2]})),
        "the keys a value of type int, 7;",
    ),
    "text": (content(".pickle", parts_of(test=[[("C4",)]])), "frame 1 holds a value of type str"),
    "no test pieces": (
        content(".pickle", parts_of(test=[])),
        "the test part of x.pickle has no piece of 2 frames",
    ),
    "only silence": (
        content(".pickle", parts_of(test=[[(), ()]])),
        "no note sounds in the test part of x.pickle",
    ),
}


@pytest.mark.parametrize(("write", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_told_in_one_line(
    tmp_path: Path, write: Callable[[Path], Path], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    for other in tmp_path.glob("good.*"):
        other.unlink()
    with pytest.raises(UserError, match=message) as told:
        Music().load(path)
    assert "\n" not in str(told.value)


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def packed_element(data: bytes) -> bytes:
    packed_data = zlib.compress(data, 9)
    return struct.pack("<II", 15, len(packed_data)) + packed_data


def empty_cells(count: int) -> bytes:
    head = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, count))
    return element(14, head + element(1, b"traindata") + element(14, b"") * count)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: packed_element(empty_cells(100_001)), "traindata claims 100,001 cells, more than 100,000"),
        (lambda: element(14, b"") * 100_001, "it has more than 100,000 elements in a row"),
        (lambda: packed_element(empty_cells(3)) * 2, "it has traindata twice"),
        # Behind the one variable that a packed element has, nothing is read.
        (lambda: packed_element(empty_cells(3) + element(14, b"x")), "has no variable validdata, testdata"),
    ],
)
def test_small_elements_of_a_mat_file_are_bounded_in_number(
    tmp_path: Path, make: Callable[[], bytes], message: str
) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(mat(tmp_path)[:128] + make())
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=message):
            Music().load(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_a_mat_file_is_not_unpacked_beyond_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_rnn.tasks.music.mat_file.MOST_UNPACKED", 1 << 20)
    path = tmp_path / "x.mat"
    path.write_bytes(bomb(tmp_path))
    with pytest.raises(UserError, match="unpacked it has more than 1,048,576 bytes"):
        Music().load(path)


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_rnn.tasks.music.sources.MOST_BYTES", 10)
    with pytest.raises(UserError, match=r"has [0-9,]+ bytes, more than 10; give a part of it"):
        Music().load(wheels_mat(tmp_path))


# Pickles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_plain_lists_are_read_as_pickle_reads_them(protocol: int) -> None:
    shared = (60, 64)
    held = {
        "train": [[shared, shared, (1, 2, 3, 4), ()], []],
        "é": [-5, 2**40, 10**30, True, None],
        "test": ((1,),),
    }
    assert read_plain(Path("x"), pickle.dumps(held, protocol)) == held
    assert read_plain(Path("x"), pickle._dumps(held, protocol)) == held  # type: ignore[attr-defined]


def test_a_pickle_of_python_2_is_read() -> None:
    """As cPickle wrote Boulanger-Lewandowski's: texts in quotes, numbers in digits."""
    old = b"(dp1\nS'train'\np2\n(lp3\n(lp4\n(I60\nI64\ntp5\na(I62\ntp6\naasS'test'\n(l(l(I60\nta(taasS'valid'\ng3\ns."
    assert read_plain(Path("x"), old) == {
        "train": [[(60, 64), (62,)]],
        "test": [[(60,), ()]],
        "valid": [[(60, 64), (62,)]],
    }


def test_rolls_of_a_pickle_with_and_without_parts(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(parts_of(test=PIECES[:1]))
    data = Music().load(path)
    assert rolls_in(data, "test") == [[[60, 64], [62], []]]
    assert rolls_in(data, "train")[1] == [[65], [21, 67, 108]]
    assert "1 of 1 pieces of the test part stand in the training part, too" in " ".join(data.meta["notices"])
    path.write_bytes(dumped(PIECES, 0))
    drawn = Music().load(path)
    assert [len(rolls_in(drawn, part)) for part in ("train", "valid", "test")] == [1, 1, 1]


class Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


RUNS: dict[str, bytes] = {
    "INST": b"(S'PATH'\nS'w'\nibuiltins\nopen\n.",
    "OBJ": b"(cbuiltins\nopen\nS'PATH'\nS'w'\no.",
    "EXT": b"\x82\x01(S'PATH'\nS'w'\ntR.",
    "PERSID": b"PPATH\n.",
    "BINPERSID": b"S'PATH'\nQ.",
    "BUILD": b"]}S'PATH'\nS'w'\nsb.",
    "REDUCE": b"S'x'\n(tR.",
}


@pytest.mark.parametrize("kind", [*RUNS, *range(pickle.HIGHEST_PROTOCOL + 1)])
def test_nothing_that_a_pickle_names_is_run(tmp_path: Path, kind: str | int) -> None:
    touched = tmp_path / "touched"
    held = (
        RUNS[kind].replace(b"PATH", bytes(touched))
        if isinstance(kind, str)
        else dumped([Touches(touched)], kind)
    )
    if kind == "EXT":
        copyreg.add_extension("builtins", "open", 1)
    try:
        (tmp_path / "x.pickle").write_bytes(held)
        with pytest.raises(
            UserError, match=r"is no plain list: .* Nothing of it was run; give a pickle of lists"
        ):
            Music().load(tmp_path / "x.pickle")
        assert not touched.exists()
    finally:
        if kind == "EXT":
            copyreg.remove_extension("builtins", "open", 1)


def test_a_small_pickle_of_very_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One list may stand in another a thousand times, and that one in a third; a memory may be asked for far places."""
    monkeypatch.setattr("nas_rnn.tasks.music.sources.MOST_FRAMES_IN_ALL", 30_000)
    frames = [(60, 62)] * 1000
    path = tmp_path / "x.pickle"
    path.write_bytes(dumped([frames] * 1000))
    assert path.stat().st_size < 10_000
    with pytest.raises(UserError, match="or 30,000 frames; give a part of it"):
        Music().load(path)
    assert read_plain(path, b"\x80\x02]r\xff\xff\xff\x7f.") == []
    nested: Any = (1, 2)
    for _ in range(60):
        nested = (nested, nested)
    with pytest.raises(UserError, match="a key is neither a text nor a number"):
        read_plain(path, b"\x80\x02}" + dumped(nested)[2:-1] + b"K\x01s.")


# All of them


@pytest.mark.parametrize("suffix", [".mid", ".mat", ".pickle", "packed.mat"])
def test_damage_of_any_kind_is_a_users_error(tmp_path: Path, suffix: str) -> None:
    good = {
        ".mid": melody([60, 62, 64]),
        ".mat": mat(tmp_path),
        ".pickle": parts_of(),
        "packed.mat": write_mat(tmp_path / "good.mat", [wheels(1)] * 3, do_compression=True).read_bytes(),
    }[suffix]
    random, path = np.random.default_rng(0), tmp_path / f"x{suffix}"
    refused = 0
    for number in range(120):
        damaged = np.frombuffer(good, dtype=np.uint8).copy()
        places = random.integers(0, len(good), size=random.integers(1, 4))
        damaged[places] = random.choice(
            [0, 1, 0x7F, 0x80, 0xFF, *random.integers(0, 256, 3)], size=len(places)
        )
        made = damaged.tobytes()
        path.write_bytes(made[: int(random.integers(len(made)))] if number % 4 == 0 else made)
        try:
            Music().load(path)
        except UserError:
            refused += 1
    assert refused > 30


# Scores, and the chorales of music21

SCORE = """<?xml version="1.0"?>
<score-partwise><part-list><score-part id="P1"><part-name>Soprano</part-name></score-part>
<score-part id="P2"><part-name>Bass</part-name></score-part></part-list>
<part id="P1"><measure><attributes><divisions>2</divisions></attributes>
<note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration></note>
<note><grace/><pitch><step>A</step><octave>5</octave></pitch></note>
<note><pitch><step>D</step><alter>1</alter><octave>5</octave></pitch><duration>4</duration></note>
<note><chord/><pitch><step>G</step><octave>5</octave></pitch><duration>4</duration></note></measure>
<measure><note><rest/><duration>2</duration></note>
<note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>2</duration></note></measure></part>
<part id="P2"><measure><attributes><divisions>1</divisions></attributes>
<note><pitch><step>C</step><octave>3</octave></pitch><duration>3</duration></note>
<backup><duration>1</duration></backup>
<note><pitch><step>E</step><octave>3</octave></pitch><duration>1</duration></note></measure>
<measure><forward><duration>1</duration></forward>
<note><pitch><step>F</step><octave>3</octave></pitch><duration>1</duration></note></measure></part></score-partwise>"""


def test_a_score_is_read_by_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "x.mxl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("x.xml", SCORE)
    notes = read_score(path, ["Bass", "Soprano"])
    assert notes is not None
    roll, _ = roll_of(notes, Fraction(TICKS), "x")
    assert sounding(roll) == [[48, 72], [48, 75, 79], [48, 52, 75, 79], [], [53, 70]]
    assert read_score(path, ["Bass"]) is None
    for broken in (SCORE.replace(">1</div", ">11</div"), SCORE.replace("score-partwise", "x"), SCORE[:-9]):
        (tmp_path / "y.xml").write_text(broken)
        with pytest.raises((ValueError, SyntaxError)):
            read_score(tmp_path / "y.xml", ["Bass", "Soprano"])


def test_chorales_are_four_voices_each_once() -> None:
    pieces = chorales(Fraction(1), 40)
    assert len(pieces) == len({piece.name for piece in pieces}) == 40
    for piece in pieces:
        assert piece.roll.shape[1] == NOTES and 20 <= len(piece.roll) <= 250
        assert 1 <= piece.roll.sum(1).mean() <= 4 and piece.roll.sum(1).max() <= 4
    names = [piece.name for piece in pieces]
    assert "bwv20.7" in names and "bwv20.11" not in names  # the same setting, twice in one cantata


def test_chorales_are_read_as_music21_reads_them() -> None:
    """The openings that music21 10.5 finds; all chorales were compared with it once, frame by frame."""
    openings = {
        "bwv2.6": "D3 D4 F#4 A4 | G3 D4 G4 A#4 | A3 C4 F#4 A4 | A#3 D4 G4 | A3 G4 A#4 D5 | F#3 D4 A4 D5",
        "bwv3.6": "A3 C#4 A4 | A2 C#4 E4 A4 | C#3 A3 E4 A4 | D3 A3 D4 F#4 | F#3 A3 C#4 A4 | D#3 F#3 B3 B4",
        "bwv4.8": "D3 D4 F4 A4 | E3 B3 E4 G#4 | C3 C4 E4 A4 | A2 A3 E4 C5 | G#2 B3 E4 D5 | A2 A3 E4 C5",
    }
    found = {
        piece.name: " | ".join(" ".join(map(note_name, chord)) for chord in sounding(piece.roll[:6]))
        for piece in chorales(Fraction(1), 3)
    }
    assert found == openings


def test_the_embedded_chorales_read_no_pickle_and_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """music21 keeps pickles of what it parsed in the temporary folder, and reads them again when it is asked."""
    for name in ("HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    planted = tmp_path / "music21" / "m21-bwv2.6.p.gz"
    planted.parent.mkdir()
    planted.write_bytes(dumped([Touches(tmp_path / "touched")]))
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, partial(pytest.fail, "a pickle was read"))
    known = {*sys.modules}
    data = Music(pieces=5).load(None)
    assert data.meta["source"] == "Bach's chorales in music21"
    assert not [name for name in {*sys.modules} - known if name.startswith("music21")]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["m21-bwv2.6.p.gz", "music21"]


@pytest.mark.parametrize(
    ("module", "load", "message"),
    [
        (
            "music21",
            lambda folder: Music().load(None),
            r"come with music21; install it with: pip install 'nas_rnn\[music\]'",
        ),
        (
            "mido",
            lambda folder: Music().load(write_midis(folder, 3)),
            r"need mido; install it with: pip install 'nas_rnn\[m",
        ),
    ],
)
def test_a_missing_package_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, load: Callable[[Path], Any], message: str
) -> None:
    write_midis(tmp_path, 3)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=message):
        load(tmp_path)
