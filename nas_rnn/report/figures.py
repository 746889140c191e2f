"""Figures as the page writes them."""

from __future__ import annotations

import math

from nas_rnn.comparison.sentences import four_digits
from nas_rnn.comparison.sentences import signed as signed_text


def figure(value: float | None) -> str:
    """Return a metric's value, or a dash."""
    if value is None:
        return "–"
    return four_digits(value) if math.isfinite(value) else "not finite"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign and so many decimals, or a dash."""
    return "–" if value is None else signed_text(value, digits).replace("-", "−")


def gap(value: float | None) -> str:
    """Return a relative difference with its sign: ``+1.2 %``."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:+.1%}".replace("-", "−").replace("%", " %")


def duration(seconds: float) -> str:
    """Return ``seconds`` in units that suit: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def chance(value: float | None) -> str:
    """Return a p-value as papers print it; an empty text where there is none."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count(number: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
