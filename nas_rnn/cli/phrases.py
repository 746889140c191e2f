"""Figures and names as people read them; every text here is one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from nas_rnn.comparison.sentences import four_digits


def one_line(text: str) -> str:
    """Return ``text`` without line breaks and control characters, whoever wrote it."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())


def duration(seconds: float) -> str:
    """Return ``seconds`` in the two units that matter: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    for size, name, smaller, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name} {rest} {small_name}" if rest else f"{whole // size} {name}"
    raise AssertionError("unreachable")


def figure(value: float | None) -> str:
    """Return a metric's value, or a dash."""
    return "-" if value is None else four_digits(value)


def relative_gap(value: float | None, baseline: float | None, direction: str) -> float | None:
    """Return ``value`` relative to ``baseline``, negative is better; None where that says nothing."""
    if value is None or not baseline:
        return None
    difference = value - baseline if direction == "minimize" else baseline - value
    return difference / abs(baseline)


def gap_words(gap: float | None, than: str = "the LSTM") -> str:
    """Return ``1.2 % better than the LSTM``; an empty text where the gap is not known."""
    if gap is None or math.isnan(gap):
        return ""
    if math.isinf(gap):
        return f"{'worse' if gap > 0 else 'better'} than {than}"
    if round(abs(gap) * 100, 1) == 0.0:
        return f"equal to {than}"
    size = f"{abs(gap) * 100:.1f} %" if abs(gap) < 10.0 else "over 1000 %"
    return f"{size} {'worse' if gap > 0 else 'better'} than {than}"


def gap_colour(gap: float | None) -> str:
    """Return the style for a gap: green is better, red is worse; the words say it too."""
    if gap is None or math.isnan(gap) or (math.isfinite(gap) and round(abs(gap) * 100, 1) == 0.0):
        return ""
    return "red" if gap > 0 else "green"


def count(number: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


ENDINGS: Final[Mapping[str, str]] = {
    "running": "running",
    "finished": "finished",
    "stopped": "stopped early",
    "reused": "seen before",
    "diverged": "diverged",
    "failed": "failed",
    "unfinished": "unfinished",
}
"""How a run ended, or that it is still under way, in the words of every view."""


def endings(counts: Mapping[str, int]) -> str:
    """Return ``12 finished, 3 stopped early``, without those that did not occur."""
    parts = [f"{counts[ending]} {words}" for ending, words in ENDINGS.items() if counts.get(ending)]
    return ", ".join(parts) or "none"
