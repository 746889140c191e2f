"""What no model can have learned is told in one sentence, with names that are safe to print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_rnn.tasks import Part, TaskData, unlearnable
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.tasks.notices import per_cent

LEARNED = "ab" * 800


def told_of(valid: str, test: str, tmp_path: Path) -> tuple[str, ...]:
    """Return the notices of a text of 2,000 characters whose last two parts end with these."""
    path = tmp_path / "text.txt"
    path.write_bytes((LEARNED + valid.rjust(200, "a") + test.rjust(200, "b")).encode())
    task = CharLM()
    return task.notices(task.load(path))


def test_a_text_whose_characters_can_all_be_learned(tmp_path: Path) -> None:
    assert told_of("aaa", "bab", tmp_path) == ()


def test_characters_of_the_test_part_alone(tmp_path: Path) -> None:
    assert told_of("", "\N{LATIN SMALL LETTER SHARP S}ab\N{LATIN SMALL LETTER SHARP S}c", tmp_path) == (
        "some characters are not in the training part, so no model can have learned them: 1.5 % of the characters of "
        "the test part are '\N{LATIN SMALL LETTER SHARP S}' (2), 'c' (1). They count against every cell, and the "
        "figure is worse by them",
    )


def test_characters_of_either_part_stand_in_one_sentence(tmp_path: Path) -> None:
    (notice,) = told_of("z", "zy", tmp_path)
    assert (
        "0.5 % of the characters of the validation part are 'z' (1); 1 % of the characters of the test"
        in notice
    )
    assert "test part are 'y' (1), 'z' (1). They count" in notice


@pytest.mark.parametrize("strange", ["\x1b", "\u202e", "\x01", "\u2028", "'"])
def test_names_are_safe_to_print(strange: str, tmp_path: Path) -> None:
    (notice,) = told_of("", strange, tmp_path)
    assert notice.isprintable()
    assert f"{strange!r} (1)" in notice


def test_many_are_counted() -> None:
    parts: dict[Part, Any] = {
        "train": np.array([0]),
        "valid": np.array([[0, 0]]),
        "test": np.repeat(np.arange(12), np.arange(1, 13)).astype(np.uint8),
    }
    (notice,) = unlearnable(
        [chr(ord("a") + place) for place in range(12)], parts, what="signs", items="looks"
    )
    assert "99 % of the looks of the test part are 'l' (12), 'k' (11)," in notice
    assert "'e' (5) and 3 others. They" in notice


def test_classes_that_are_not_trained() -> None:
    task = Glimpses()
    data = task.load(None)
    assert task.notices(data) == ()
    known = data.part("train")["labels"] != 3
    fewer = {name: array[known] for name, array in data.part("train").items()}
    (notice,) = task.notices(TaskData({**data.parts, "train": fewer}, data.meta))
    assert "some classes are not in the training part" in notice
    assert "% of the pictures of the validation part are '3' (" in notice


def test_per_cent_have_two_digits_and_no_power_of_ten() -> None:
    shares = (1, 0.996, 0.12345, 0.015, 0.000123456, 0.0000000123456, 0)
    told = "100 %, 100 %, 12 %, 1.5 %, 0.012 %, 0.0000012 %, 0 %"
    assert ", ".join(per_cent(share) for share in shares) == told


def test_a_part_that_is_all_unknown(tmp_path: Path) -> None:
    (notice,) = told_of("", "z" * 200, tmp_path)
    assert "100 % of the characters of the test part are 'z' (200)" in notice
