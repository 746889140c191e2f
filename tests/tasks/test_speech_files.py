"""Recordings from folders and tables: what is read of them, and what every bad input says."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
import scipy.fft
import soundfile
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.speech import Speech
from nas_rnn.tasks.speech.features import Spectra
from nas_rnn.tasks.speech.names import Choice, Pattern
from nas_rnn.tasks.speech.sound import read_head, read_samples, resampled
from tests.tasks.speech_files import RATE, SPEAKERS, WORDS, word, write_words

SHORT = Spectra(bands=12)


def tone(hertz: float, seconds: float = 0.1, rate: int = RATE) -> NDArray[np.float64]:
    return np.asarray(0.3 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def samples(path: Path) -> NDArray[np.float32]:
    return read_samples(path, str(path), read_head(path, str(path)))


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        (".wav", {"subtype": "PCM_16"}),
        (".wav", {"subtype": "PCM_24"}),
        (".wav", {"subtype": "FLOAT"}),
        (".flac", {}),
        (".aiff", {}),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, ending: str, how: dict[str, Any]) -> None:
    path, sound = tmp_path / f"x{ending}", word("up", 0, 0)
    soundfile.write(path, sound, RATE, **how)
    np.testing.assert_allclose(samples(path), sound, atol=2e-4)
    soundfile.write(path, np.stack([sound, 0.5 * sound], axis=1), RATE, **how)
    np.testing.assert_allclose(samples(path), 0.75 * sound, atol=2e-4)


def test_a_tone_is_loudest_in_its_band() -> None:
    for hertz in (300.0, 1000.0, 3000.0):
        bands = SHORT.of(tone(hertz).astype(np.float32), RATE).mean(0)
        mel = 1127 * np.log1p(np.array([20.0, hertz, RATE / 2]) / 700)
        place = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 13 - 1  # of 12 bands' centres
        assert abs(int(bands.argmax()) - place) <= 0.5


def test_cepstra_are_the_cosine_transform_of_the_bands() -> None:
    sound = word("up", 1, 2).astype(np.float32)
    bands_TV = SHORT.of(sound, RATE).astype(np.float64)
    cepstra_TV = Spectra(features="mfcc", bands=12, cepstra=8).of(sound, RATE)
    lifter_V = 1 + 11 * np.sin(np.pi * np.arange(8) / 22)  # Kaldi weighs higher cepstra up
    expected_TV = scipy.fft.dct(bands_TV, norm="ortho")[:, :8] * lifter_V
    np.testing.assert_allclose(cepstra_TV, expected_TV, rtol=1e-3, atol=1e-3)


def test_frames_are_counted_as_they_come() -> None:
    for count in (80, 119, 120, 777, 8000):
        assert SHORT.frames(count / RATE, RATE) == len(SHORT.of(np.ones(count, np.float32), RATE))


def test_other_rates_are_resampled_to_that_of_most_and_told(tmp_path: Path) -> None:
    high, low = tone(1000, 0.2, 44_100).astype(np.float32), tone(1000, 0.2).astype(np.float32)
    moved = resampled(high, 44_100, RATE)
    np.testing.assert_allclose(moved[200:-200], low[200 : len(moved) - 200], atol=2e-3)
    write_words(tmp_path)
    soundfile.write(tmp_path / "up_ann_0.wav", word("up", 0, 0, 44_100), 44_100)
    task = Speech(bands=12)
    told = task.notices(task.load(tmp_path))
    assert told == (
        "1 recordings have other rates than 8,000 Hz and are resampled to it: 44,100 (1); option rate chooses another",
    )
    assert "35 recordings have other rates than 44,100" in task_notice(
        Speech(bands=12, rate=44_100), tmp_path
    )


def task_notice(task: Speech, source: Path) -> str:
    return " ".join(task.notices(task.load(source)))


def test_silent_recordings_are_told(tmp_path: Path) -> None:
    write_words(tmp_path)
    soundfile.write(tmp_path / "flat_bob_1.wav", np.zeros(800), RATE)
    assert "1 recordings are silent, all samples are 0: flat_bob_1.wav" in task_notice(
        Speech(bands=12), tmp_path
    )


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{label}_{speaker}_{take}", "7_theo_12", {"label": "7", "speaker": "theo", "take": "12"}),
        ("{label}_{speaker}_{take}", "deep/in/7_theo_12", {"label": "7", "speaker": "theo", "take": "12"}),
        ("{label}_*_{take}", "7_any.thing_1", {"label": "7", "take": "1"}),
        ("{label}/*", "top/yes/anything", {"label": "yes"}),
        ("{speaker}/{label}/{take}", "ann/yes/3", {"speaker": "ann", "label": "yes", "take": "3"}),
        (
            "{label}/{speaker}_nohash_{take}",
            "yes/0a7_nohash_0",
            {"label": "yes", "speaker": "0a7", "take": "0"},
        ),
        ("{label}.{take}", "a.1", {"label": "a", "take": "1"}),
        ("{label}_{1}_{take²}", "7_theo_3", {"label": "7", "1": "theo", "take²": "3"}),
        ("{label}_{who says it}-{class}", "7_theo-3", {"label": "7", "who says it": "theo", "class": "3"}),
        ("{label}.{take}", "ax1", None),
        ("{label}_{speaker}_{take}", "7_theo", None),
        ("{label}/*", "loose", None),
    ],
)
def test_patterns(pattern: str, path: str, fields: dict[str, str] | None) -> None:
    assert Pattern(pattern).read(PurePath(path)) == fields


def test_choices() -> None:
    fields = [{"take": str(number), "speaker": "ab"[number % 2]} for number in range(12)]
    chosen = Choice("test_where", "take=0-2,10").picked(fields)
    assert [number for number, own in enumerate(chosen) if own] == [0, 1, 2, 10]
    assert Choice("test_where", "speaker = b").picked(fields) == [False, True] * 6


def test_parts_by_name_by_folder_and_by_table(tmp_path: Path) -> None:
    write_words(tmp_path / "words")
    data = Speech(bands=12, test_where="take=0", valid_where="take=1").load(tmp_path / "words")
    assert {part: len(own["labels"]) for part, own in data.parts.items()} == {
        "train": 18,
        "valid": 9,
        "test": 9,
    }
    rows = ["File;Label;Split"]
    for path in sorted((tmp_path / "words").iterdir()):
        label, _, take = path.stem.split("_")
        part = {"0": "test", "1": "dev"}.get(take, "train")
        place = tmp_path / "parts" / part / label
        place.mkdir(parents=True, exist_ok=True)
        os.link(path, place / path.name)
        rows.append(f"words/{path.name};{label};{part}")
    (tmp_path / "list.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    by_folder = Speech(bands=12, pattern="{part}/{label}/*").load(tmp_path / "parts")
    by_table = Speech(bands=12).load(tmp_path / "list.csv")
    with pytest.raises(
        UserError, match=r"option 'pattern' is for names of files, and .*list\.csv is a table"
    ):
        Speech(bands=12, pattern="{label}/*").load(tmp_path / "list.csv")
    (tmp_path / "parts" / "train" / ".hidden_a_b.wav").write_bytes(b"")
    for other in (by_folder, by_table):
        for part in ("train", "valid", "test"):
            ours, theirs = data.part(part), other.part(part)  # type: ignore[arg-type]
            assert sorted(map(bytes, ours["series"][:, :8])) == sorted(map(bytes, theirs["series"][:, :8]))


def test_folders_are_labels_where_files_lie_in_them(tmp_path: Path) -> None:
    for name in WORDS:
        (tmp_path / name).mkdir()
        for take in range(4):
            soundfile.write(tmp_path / name / f"{take}.flac", word(name, 0, take), RATE)
    assert Speech(bands=12).load(tmp_path).meta["classes"] == sorted(WORDS)


def test_speakers_are_groups_that_stay_in_one_part(tmp_path: Path) -> None:
    data = Speech(bands=12, speakers=True).load(write_words(tmp_path, speakers=6, takes=2))
    heard = [set(numbers.tolist()) for numbers in data.groups.values()]
    assert sum(map(len, heard)) == len(set().union(*heard)) == len(SPEAKERS)
    assert Speech(bands=12).load(tmp_path).groups == {}


def test_a_speaker_in_two_parts_is_told(tmp_path: Path) -> None:
    write_words(tmp_path)
    told = task_notice(Speech(bands=12, speakers=True, test_where="take=0"), tmp_path)
    assert "has recordings of groups that are in the training part: " in told


def refused(source: Path, message: str, **options: Any) -> None:
    with pytest.raises(UserError) as caught:
        Speech(**{"bands": 12, **options}).load(source)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "{word}_{take}"}, "has no {label}; give one such as {label}_{speaker}_{take}"),
        ({"pattern": "{label}{take}"}, "does not say what parts two fields"),
        ({"pattern": "{label}_{label}"}, "names a field twice"),
        (
            {"pattern": "{label}-{take}"},
            "36 of 36 names do not fit the pattern '{label}-{take}': down_ann_0.wav, ",
        ),
        ({"pattern": "{label}_*", "speakers": True}, "nothing in"),
        (
            {"test_where": "take"},
            "option test_where must be a field and its values, as in take=0-4; got 'take'",
        ),
        ({"test_where": "takes=1"}, "unknown field of option test_where: 'takes'; did you mean 'take'"),
        (
            {"test_where": "take=9"},
            "chooses none of 36 recordings; field 'take' has values such as 0, 1, 2, 3",
        ),
        ({"test_where": "take=0-9"}, "chooses all of 36 recordings"),
        (
            {"valid_where": "take=0-1", "test_where": "speaker=bob"},
            "options valid_where=take=0-1 and test_where=speaker=bob both choose 6 recordings, such as ",
        ),
        ({"rate": 100}, "option rate=100 is too low for speech"),
        ({"bands": 200}, "tells at most 95 mel bands apart; set option bands=95, or"),
        (
            {"features": "mfcc", "bands": 200, "cepstra": 99},
            "tells at most 95 mel bands apart; set option bands=95 and cepstra=95, or a longer window",
        ),
        (
            {"features": "mfcc", "bands": 12, "cepstra": 13},
            "option cepstra=13: of bands=12 mel bands there are at most 12 cepstra; set option cepstra=12, or bands=13",
        ),
        ({"features": "mfcc", "bands": 12, "cepstra": 12}, ""),
        (
            {"rate": 2000, "hop": 1.0, "window": 10.0, "bands": 2},
            "'bands' of task 'speech' must lie between 3 and",
        ),
        ({"rate": 2000, "hop": 1.0, "window": 10.0, "bands": 3}, ""),
        ({"target": "row", "row": 20, "hop": 1.0, "pattern": "{label}_*"}, ""),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write_words(tmp_path)
    if message:
        refused(tmp_path, message, **options)
    else:
        assert Speech(**{"bands": 12, **options}).load(tmp_path).meta["classes"] == sorted(WORDS)


def wav(data: bytes, claimed: int | None = None, *, channels: int = 1, rate: int = RATE) -> bytes:
    """Return a wav file of 16 bits, whose head may claim other sizes than it has."""
    size = len(data) if claimed is None else claimed
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    whole = b"WAVE" + head + struct.pack("<4sI", b"data", size) + data
    return struct.pack("<4sI", b"RIFF", len(whole)) + whole


NOISE = np.random.default_rng(0).integers(-9999, 9999, 1600).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "up_ann_0.wav is empty; take it out"),
        (b"no sound at all", "up_ann_0.wav is no sound file that can be read"),
        (b"RIFF\x04\0\0\0WAVE", "up_ann_0.wav is no sound file that can be read"),
        (wav(b""), "up_ann_0.wav has no samples"),
        (wav(NOISE[:400], 3200), "up_ann_0.wav is cut off: its head claims 2,800 bytes more than there are"),
        (wav(NOISE, 2**32 - 2), "up_ann_0.wav is cut off: its head claims"),
        (wav(NOISE, rate=500), "claims 500 samples a second; from 2,000 to 384,000 can be read"),
        (wav(NOISE, channels=40), "claims 40 channels; up to 16 can be read"),
        (
            wav(NOISE[:100]),
            "lasts 6.25 ms, less than two frames of 10 ms; take it out, or set a smaller option hop",
        ),
        (wav(bytes(2 * RATE * 50)), "lasts 50.0 s, 5,000 frames of 10 ms, more than 4,096; cut it"),
    ],
)
def test_bad_recordings(tmp_path: Path, content: bytes, message: str) -> None:
    write_words(tmp_path)
    (tmp_path / "up_ann_0.wav").write_bytes(content)
    refused(tmp_path, message)


def test_a_size_that_was_not_known_when_it_was_written_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(NOISE, 0xFFFFFFFF))
    assert len(samples(path)) == 1600


KINDS = [
    (".wav", {"format": "WAV", "subtype": "PCM_16"}),
    (".wav", {"format": "WAV", "subtype": "PCM_16", "endian": "BIG"}),
    (".wav", {"format": "WAVEX", "subtype": "FLOAT"}),
    (".wav", {"format": "RF64", "subtype": "PCM_16"}),
    (".wav", {"format": "NIST", "subtype": "PCM_16"}),
    (".wav", {"format": "AU", "subtype": "PCM_16"}),
    (".wav", {"format": "AU", "subtype": "PCM_16", "endian": "LITTLE"}),
    (".aiff", {"format": "AIFF", "subtype": "PCM_16"}),
    (".aif", {"format": "AIFF", "subtype": "FLOAT"}),
    (".flac", {"format": "FLAC", "subtype": "PCM_16"}),
    (".ogg", {"format": "OGG", "subtype": "VORBIS"}),
    (".ogg", {"format": "OGG", "subtype": "OPUS"}),
    (".wav", {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
]


@pytest.mark.parametrize(("ending", "how"), KINDS)
def test_files_that_are_cut_off(tmp_path: Path, ending: str, how: dict[str, str]) -> None:
    path = tmp_path / f"x{ending}"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16_001), RATE, **how)
    assert len(samples(path)) == 16_001
    content = path.read_bytes()
    path.write_bytes(content + b"more")
    assert len(samples(path)) >= 16_001
    last_page = content.rfind(b"OggS")
    for kept in (len(content) // 2, 9 * len(content) // 10, last_page if last_page > 0 else len(content) - 8):
        path.write_bytes(content[:kept])
        with pytest.raises(UserError, match=rf"x{ending} (is cut off|cannot be read to its end)"):
            samples(path)


@pytest.mark.parametrize("kind", ["W64", "CAF", "SVX", "VOC"])
def test_kinds_of_which_the_end_is_not_known_are_refused(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / "x.wav", word("up", 0, 0), RATE, format=kind, subtype="PCM_16")
    message = (
        f"x.wav is of the kind {kind}, of which nobody can say whether it is whole; save it as wav or FLAC"
    )
    with pytest.raises(UserError, match=message):
        samples(tmp_path / "x.wav")


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    write_words(tmp_path)
    sound = word("up", 0, 0)
    sound[7] = np.nan
    soundfile.write(tmp_path / "up_ann_0.wav", sound, RATE, subtype="FLOAT")
    refused(tmp_path, "up_ann_0.wav has a sample that is no finite number (8)")


@pytest.mark.parametrize("size", [1e30, -(2.0**25)])
def test_samples_too_large_for_finite_spectra(tmp_path: Path, size: float) -> None:
    write_words(tmp_path)
    sound = word("up", 0, 0)
    for written, value in (("FLOAT", size), ("PCM_24", 1.0)):
        sound[7] = value
        soundfile.write(tmp_path / "up_ann_0.wav", sound, RATE, subtype=written)
        if written == "FLOAT":
            refused(tmp_path, f"up_ann_0.wav has a sample as large as {abs(size):.3g} (8), where samples go")
    sound *= 2.0**24  # whole numbers of 24 bits, taken for floating ones
    soundfile.write(tmp_path / "up_ann_0.wav", sound, RATE, subtype="FLOAT")
    assert np.isfinite(Speech(bands=12).load(tmp_path).part("train")["series"]).all()


@pytest.mark.parametrize(
    "option",
    [{"speakers": True}, {"test_where": "take=0"}, {"pattern": "{label}"}, {"rate": 8000}, {"bands": 8}],
)
def test_options_of_files_are_refused_where_there_are_none(option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"option '{next(iter(option))}' says how a file is read; give one"):
        Speech(**option).load(None)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    refused(tmp_path / "none", "there is no file")
    refused(tmp_path, "holds no file that ends in .wav, .flac")
    (tmp_path / "x.mp3").write_bytes(b"x")
    refused(
        tmp_path / "x.mp3", "x.mp3 ends in '.mp3'; give a folder of .wav, .flac, .ogg files, or a .csv file"
    )
    write_words(tmp_path)
    (tmp_path / "up").mkdir()
    soundfile.write(tmp_path / "up" / "x.wav", word("up", 0, 0), RATE)
    refused(tmp_path, "has recordings both in itself and in folders; say by option pattern")


def test_classes_that_cannot_be_told(tmp_path: Path) -> None:
    write_words(tmp_path)
    for path in tmp_path.glob("[df]*"):
        path.unlink()
    refused(tmp_path, "has a single class, 'up', so there is nothing to tell apart")
    soundfile.write(tmp_path / "down_ann_0.wav", word("down", 0, 0), RATE)
    refused(
        tmp_path,
        "needs at least 3 recordings, one for each of training, validation and test; too few are of 'down' (1)",
    )


def test_speakers_that_are_too_few(tmp_path: Path) -> None:
    write_words(tmp_path)
    by_take = {"speakers": True, "pattern": "{label}_*_{speaker}", "test_where": "speaker=1-3"}
    refused(tmp_path, "all recordings of", **by_take)
    refused(
        tmp_path, "belong to one group, '0', and a group stays in one part; give at least three", **by_take
    )
    refused(tmp_path, "or set option speakers=false", **by_take)


TABLE = "path,label\n" + "".join(f"{name}_ann_{take}.wav,{name}\n" for name in WORDS for take in range(4))


def parted(**parts: str) -> str:
    """Return the table with the part of each word's recordings, of none where it is not given."""
    head, *rows = TABLE.splitlines()
    return "\n".join([f"{head},part", *(f"{row},{parts.get(row.split(',')[1], '')}" for row in rows)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.csv is empty"),
        ("path", "list.csv has no columns"),
        ("path,label\n", "has a row of names and nothing below it"),
        (TABLE.replace("label", "what", 1), "has no column 'label' (or class, word, digit"),
        (TABLE.replace("path", "where", 1), "has no column 'path' (or file, filename"),
        (
            TABLE + "up_ann_1.wav,up\n",
            "line 14 lists up_ann_1.wav, as line 3 does; list every recording once",
        ),
        (TABLE.replace("up_ann_1.wav", "up_ann_77.wav"), "there is no file"),
        (TABLE.replace(",up\n", ",\n", 1), "has nothing in column 'label'; fill it in"),
        (TABLE + "x\n", "line 14 has 1 cells where its first row has 2"),
        (parted(down="tst"), "says the part is 'tst'; use train, valid or test"),
        (parted(up="test", down="Test", flat="testing"), "is left to train on"),
        (TABLE.encode("utf-16"), "is not text in UTF-8"),
        (TABLE.replace("up\n", "\u00fcber\n").encode("latin-1"), "is not text in UTF-8: byte 0xfc"),
        (TABLE.replace(",up\n", ",u\u202ep\n"), "holds '\\u202e' (U+202E)"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str | bytes, message: str) -> None:
    write_words(tmp_path)
    path = tmp_path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(path, message)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["up up down " * 5], "r0.wav ("),
        (["up"], "hold a single label, 'up'; give at least two"),
        (["up", "  . "], ""),
        (["up", " "], "fill it in"),
        (
            [f"w{number} x{number} y{number} z{number}" for number in range(90)],
            "different labels, more than 256",
        ),
    ],
)
def test_bad_transcripts(tmp_path: Path, labels: list[str], message: str) -> None:
    rows = ["path,text"]
    for number in range(max(12, len(labels))):
        name = f"r{number}.wav"
        soundfile.write(tmp_path / name, word("up", 0, number), RATE)
        rows.append(f"{name},{labels[number % len(labels)]}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    if message:
        refused(tmp_path / "list.csv", message, target="transcript")
    else:
        assert Speech(bands=12, target="transcript").load(tmp_path / "list.csv").meta["classes"] == [
            ".",
            "up",
        ]


@pytest.mark.parametrize(
    ("package", "options"),
    [("soundfile", {}), ("kaldi_native_fbank", {}), ("rapidfuzz.distance", {"target": "row"})],
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, options: dict[str, Any]
) -> None:
    write_words(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    refused(tmp_path, "pip install 'nas_rnn[speech]'", **options)
