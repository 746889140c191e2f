"""Words of Dyck-2: two kinds of brackets, each closed by its own kind, in the reverse order of their opening.

By Chomsky and Schützenberger (1963) they are what is hard in any context-free language; Suzgun, Gehrmann, Belinkov and
Shieber (2019, arXiv:1911.03329) ask recurrent nets for them. Shapes: N words, T brackets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.memory.series import Ints, Series

BRACKETS = "([)]"
"""By number: 0 and 1 open, 2 and 3 close."""


def closing(random: np.random.Generator, length_N: Ints, *, depth: int) -> Series:
    """Return beginnings of words, and which bracket must be the next if it closes: 0 for ``)``, 1 for ``]``.

    The bracket that it closes stands as far from the end as any other, with a whole word behind it: so a cell must
    remember it over everything that was opened and closed since. Brackets nest up to ``depth``.
    """
    inner_N = 2 * random.integers(0, (length_N + 1) // 2)  # brackets of the word behind it
    before_N = length_N - 1 - inner_N
    opens_NT = _walk(random, before_N, inner_N, outer=depth // 2, inner=depth - 1 - depth // 2)
    words_NT, kinds_N = _typed(random, opens_NT, length_N, before_N, depth)
    return Series(words_NT, length_N.copy(), kinds_N[:, None], length_N.copy())


def whole(random: np.random.Generator, length_N: Ints, *, depth: int) -> Series:
    """Return words of even lengths, and whether they are well-formed: 1, or 0 where one bracket is of the other kind.

    A word that is not is so by nothing else: as many brackets open and close, and they do so in the same order.
    """
    length_N = length_N + length_N % 2
    nothing_N = np.zeros_like(length_N)
    opens_NT = _walk(random, nothing_N - 1, length_N, outer=0, inner=depth)
    words_NT, _ = _typed(random, opens_NT, length_N, nothing_N - 1, depth)
    well_N = random.integers(2, size=len(length_N), dtype=np.uint8)
    broken = np.flatnonzero(well_N == 0)
    words_NT[broken, random.integers(0, length_N[broken])] ^= 1
    return Series(words_NT, length_N.copy(), well_N[:, None], length_N.copy())


def well_formed(word: str) -> bool:
    """Return whether every bracket is closed by its own kind, in order."""
    waiting = list[str]()
    for bracket in word:
        if bracket in "([":
            waiting.append(")" if bracket == "(" else "]")
        elif not waiting or waiting.pop() != bracket:
            return False
    return not waiting


def _walk(
    random: np.random.Generator, before_N: Ints, inner_N: Ints, *, outer: int, inner: int
) -> NDArray[np.bool_]:
    """Return where brackets open, (N, T): ``before_N`` of them anyhow, one that opens, and a word of ``inner_N``.

    What comes before is the beginning of a word that nests up to ``outer``; with -1 there is neither that nor the one
    that opens. The word behind nests up to ``inner`` in itself, and all such words are equally likely.
    """
    count, longest = len(before_N), int((before_N + 1 + inner_N).max(initial=0))
    opens_NT = np.zeros((count, longest), dtype=bool)
    height_N, chance_RH = np.zeros(count, dtype=np.int64), _chances(int(inner_N.max(initial=0)), inner)
    for step in range(longest):
        free_N = np.where(height_N == 0, 1.0, np.where(height_N >= outer, 0.0, 0.5))
        left_N = np.clip(before_N + 1 + inner_N - step, 0, inner_N)
        inside_N = chance_RH[left_N, np.clip(height_N, 0, inner)]
        chance_N = np.where(step < before_N, free_N, inside_N)
        opened_N = random.random(count) < chance_N
        height_N += np.where(opened_N, 1, -1)
        starts_N = step == before_N
        opened_N |= starts_N
        height_N[starts_N] = 0  # the word behind counts for itself
        opens_NT[:, step] = opened_N
    return opens_NT


def _chances(longest: int, depth: int) -> NDArray[np.float64]:
    """Return how likely a bracket opens with so many left at a height, (longest + 1, depth + 1), of all words alike.

    It is the share of those ways to go on that open, of all that come to 0 in the end; a row holds them up to a factor.
    """
    ways_H, chance_RH = np.zeros(depth + 2), np.zeros((longest + 1, depth + 1))
    ways_H[0] = 1.0
    for left in range(1, longest + 1):
        opening_H = ways_H[1 : depth + 2]
        closing_H = np.concatenate([[0.0], ways_H[:depth]])
        both_H = opening_H + closing_H
        chance_RH[left] = np.divide(opening_H, both_H, out=np.zeros_like(both_H), where=both_H > 0)
        ways_H[: depth + 1] = both_H / both_H.max()
    return chance_RH


def _typed(
    random: np.random.Generator, opens_NT: NDArray[np.bool_], length_N: Ints, asked_N: Ints, depth: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return words (N, T) with a kind for each pair, and the kinds (N,) of the brackets at places ``asked_N``."""
    count, longest = opens_NT.shape
    words_NT, rows_N = np.zeros((count, longest), dtype=np.uint8), np.arange(count)
    waiting_NH, height_N = np.zeros((count, depth + 1), dtype=np.uint8), np.zeros(count, dtype=np.int64)
    kinds_NT = random.integers(2, size=(count, longest), dtype=np.uint8)
    for step in range(longest):
        there_N, opened_N = step < length_N, opens_NT[:, step]
        height_N = np.where(there_N & ~opened_N, height_N - 1, height_N)
        bracket_N = np.where(opened_N, kinds_NT[:, step], 2 + waiting_NH[rows_N, height_N])
        words_NT[:, step] = np.where(there_N, bracket_N, 0)
        opening = np.flatnonzero(there_N & opened_N)
        waiting_NH[opening, height_N[opening]] = kinds_NT[opening, step]
        height_N = np.where(there_N & opened_N, height_N + 1, height_N)
    return words_NT, kinds_NT[rows_N, np.maximum(asked_N, 0)]
