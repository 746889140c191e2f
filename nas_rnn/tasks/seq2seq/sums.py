"""Sums and letters turned round: sequences whose answers a rule gives (Zaremba & Sutskever 2014, arXiv:1410.4615)."""

from __future__ import annotations

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.seq2seq.pairs import Pair

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sum_pairs(count: int, digits: int, turned: bool, random: np.random.Generator) -> list[Pair]:
    """Return so many different sums of two numbers of up to ``digits`` digits; ``turned``: the answer's ones first.

    Of "12+345=" and "345+12=" there is only one: who knows one of them knows the other.

    Raises:
        UserError: for more than half of the sums that there are.
    """
    size = 10**digits
    possible = size * (size + 1) // 2
    if count > possible // 2:
        raise UserError(
            f"pairs={count} is more than half of the {possible:,} sums of {digits}-digit numbers; use fewer, or more "
            "digits"
        )
    found = dict[tuple[int, int], tuple[int, int]]()
    while len(found) < count:
        for one, other in random.integers(size, size=(count, 2)).tolist():
            found.setdefault((min(one, other), max(one, other)), (one, other))
    pairs = list[Pair]()
    for one, other in list(found.values())[:count]:
        source, answer = f"{one}+{other}=", str(one + other)
        pairs.append(Pair(source, answer[::-1] if turned else answer, source))
    return pairs


def turned_pairs(count: int, letters: int, random: np.random.Generator) -> list[Pair]:
    """Return so many different series of 2 to ``letters`` letters, and the same from their end.

    A series and itself from its end do not both come.

    Raises:
        UserError: for more than a quarter of the series that there are.
    """
    possible = sum(len(LETTERS) ** length for length in range(2, letters + 1))
    if count > possible // 4:
        raise UserError(
            f"pairs={count} is more than a quarter of the {possible:,} series of 2 to {letters} letters; use fewer, or "
            "more letters"
        )
    found = dict[str, str]()
    while len(found) < count:
        lengths = random.integers(2, letters + 1, size=count)
        drawn = random.integers(len(LETTERS), size=(count, letters))
        for row, length in zip(drawn, lengths, strict=True):
            text = "".join(LETTERS[number] for number in row[:length])
            found.setdefault(min(text, text[::-1]), text)
    return [Pair(text, text[::-1], text) for text in list(found.values())[:count]]
