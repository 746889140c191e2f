"""Shares of the data that validate and test are refused where something else says what does; and that is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_rnn import plugins
from nas_rnn.errors import UserError
from nas_rnn.run_folder.data_digests import data_digest
from nas_rnn.tasks import Option, TaskData
from nas_rnn.tasks.data import PARTS
from nas_rnn.tasks.options import begun_before, option_fields
from tests.tasks.caption_files import coco, write_pictures
from tests.tasks.music_files import wheels_mat, write_midis
from tests.tasks.series_files import write_pair
from tests.tasks.speech_files import WORDS, write_words


def nothing(folder: Path) -> None:
    return None


def texts(folder: Path) -> Path:
    for part in PARTS:
        (folder / f"{part}.txt").write_text("a b c d e f g h\n" * 20)
    return folder


def pairs(folder: Path) -> Path:
    for number, part in enumerate(PARTS):
        (folder / f"{part}.tsv").write_text("".join(f"{number}{row}\t{row % 7}\n" for row in range(30)))
    return folder


def captions(folder: Path) -> Path:
    names = write_pictures(folder / "images", 60)
    for part, own in (("train", names[:40]), ("val", names[40:])):
        (folder / f"captions_{part}.json").write_text(json.dumps(coco(own)))
    return folder


def midis(folder: Path) -> Path:
    for number, part in enumerate(PARTS):
        write_midis(folder / part, 4, first=50 + number)
    return folder


def listed(folder: Path) -> Path:
    """Recordings of which each word's last is said to test."""
    write_words(folder, takes=8)
    rows = [f"{word}_ann_{take}.wav,{word},{'test' * (take == 7)}" for word in WORDS for take in range(8)]
    (folder / "list.csv").write_text("\n".join(["path,label,part", *rows]) + "\n")
    return folder / "list.csv"


Write = Callable[[Path], Path | None]
BY_TAKE: dict[str, Option] = {"pattern": "{label}_{speaker}_{take}", "bands": 12}
EACH: dict[str, tuple[str, Write, dict[str, Option], dict[str, str]]] = {
    "word-lm": ("word-lm", texts, {"least": 1}, dict.fromkeys(("valid", "test"), "{}")),
    "seq2seq": ("seq2seq", pairs, {"by": "character"}, dict.fromkeys(("valid", "test"), "{}")),
    "music mat": ("music", wheels_mat, {}, dict.fromkeys(("valid", "test"), "{}")),
    "music folders": ("music", midis, {}, dict.fromkeys(("valid", "test"), "{}")),
    "caption": ("caption", captions, {"size": 16}, {"test": "{}"}),
    "classify": ("classify", write_pair, {}, {"test": "Waves_TEST.ts"}),
    "classify embedded": ("classify", nothing, {}, {"test": "JapaneseVowels_TEST.ts"}),
    "speech embedded": ("speech", nothing, {}, {"test": "the data, JapaneseVowels"}),
    "speech table": ("speech", listed, {"bands": 12}, {"test": "{}"}),
    "speech test": (
        "speech",
        write_words,
        {**BY_TAKE, "test_where": "take=3"},
        {"test": "option test_where"},
    ),
    "speech both": (
        "speech",
        write_words,
        {**BY_TAKE, "test_where": "take=3", "valid_where": "take=2"},
        {"valid": "option valid_where", "test": "option test_where"},
    ),
}
SAID = {"valid": "validation", "test": "test"}


def loaded(task: str, source: Path | None, options: dict[str, Any]) -> TaskData:
    data: TaskData = plugins.registry().find("task", task).value(**options).load(source)
    return data


@pytest.mark.parametrize("name", EACH)
def test_a_share_of_a_part_that_is_told_is_refused_and_no_other(tmp_path: Path, name: str) -> None:
    task, write, options, told = EACH[name]
    source = write(tmp_path)
    plain = loaded(task, source, options)
    defaults = option_fields(plugins.registry().find("task", task).value.Options)
    for part in ("valid", "test"):
        given = {**options, part: 0.31}
        if part not in told:
            assert data_digest(loaded(task, source, given)) != data_digest(plain)
            continue
        with pytest.raises(UserError) as caught:
            loaded(task, source, given)
        assert str(caught.value) == (
            f"options of task {task!r}: {part}=0.31 has no effect, since the {SAID[part]} part is told by "
            f"{told[part].format(source)}. Leave out what has no effect"
        )
        with begun_before():
            assert data_digest(loaded(task, source, given)) == data_digest(plain)
    loaded(task, source, {**options, **{part: defaults[part].default for part in ("valid", "test")}})


def test_both_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        loaded("seq2seq", pairs(tmp_path), {"valid": 0.5, "test": 0.4})
    assert str(caught.value) == (
        f"options of task 'seq2seq': valid=0.5 has no effect, since the validation part is told by {tmp_path}; "
        f"test=0.4 has no effect, since the test part is told by {tmp_path}. Leave out what has no effect"
    )
