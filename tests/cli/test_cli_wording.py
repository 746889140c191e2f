"""Figures as people read them."""

from __future__ import annotations

import math

import pytest

from nas_rnn.cli.parsing import key_values
from nas_rnn.cli.phrases import (
    count,
    duration,
    endings,
    figure,
    gap_colour,
    gap_words,
    one_line,
    relative_gap,
)
from nas_rnn.comparison.sentences import two_digits


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200.4, "3 min 20 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (86400, "1 d"),
        (100 * 86400 + 7200, "100 d 2 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (2.5, "2.500"),
        (0.01234567, "0.01235"),
        (1234.0, "1234"),
        (123456.0, "123,456"),
        (9999.4, "9999"),
        (9999.9, "10,000"),
        (1e30, "1.000e+30"),
        (0.0, "0.000"),
    ],
)
def test_figures(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (99.0, "99"), (99.7, "100"), (123.4, "123"), (12345.0, "12,345"), (0.0, "0")],
)
def test_spreads_have_no_power_of_ten(value: float, text: str) -> None:
    assert two_digits(value) == text


@pytest.mark.parametrize(
    ("gap", "words", "colour"),
    [
        (None, "", ""),
        (math.nan, "", ""),
        (-0.012, "1.2 % better than the LSTM", "green"),
        (0.5, "50.0 % worse than the LSTM", "red"),
        (0.0004, "equal to the LSTM", ""),
        (136.5, "over 1000 % worse than the LSTM", "red"),
        (math.inf, "worse than the LSTM", "red"),
        (-math.inf, "better than the LSTM", "green"),
    ],
)
def test_gaps(gap: float | None, words: str, colour: str) -> None:
    assert gap_words(gap) == words
    assert gap_colour(gap) == colour


def test_a_gap_is_negative_where_it_is_better() -> None:
    assert relative_gap(1.8, 2.0, "minimize") == pytest.approx(-0.1)
    assert relative_gap(1.8, 2.0, "maximize") == pytest.approx(0.1)
    assert relative_gap(-1.8, -2.0, "maximize") == pytest.approx(-0.1)
    for value, baseline in ((None, 2.0), (1.0, None), (1.0, 0.0)):
        assert relative_gap(value, baseline, "minimize") is None


def test_counts() -> None:
    assert count(1, "run") == "1 run"
    assert count(0, "run") == "0 runs"
    assert endings({"failed": 1, "stopped": 0, "finished": 2}) == "2 finished, 1 failed"
    assert endings({}) == "none"


def test_one_line_has_no_control_characters() -> None:
    assert one_line(" a\r\n\tb\x1b[31m\x07 ü ₜ ") == "a b [31m ü ₜ"


def test_key_values() -> None:
    texts = ["a=1", "b=-1.5e3", "c=TRUE", "d=false", "e=text", "f=", " g = x=y ", "a=2"]
    expected = {"a": "2", "b": "-1.5e3", "c": "TRUE", "d": "false", "e": "text", "f": "", "g": "x=y"}
    assert key_values(texts, "--task-option") == expected
