"""Words as data: cutting a text into them, and numbering them by how often the training part has them.

Shapes: N words of a text, K different ones, V of the vocabulary.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import Symbols, occurrences, symbol_dtype

EOS, UNKNOWN = "<eos>", "<unk>"
"""The end of a line, and a word that the vocabulary lacks, as Penn Treebank and WikiText write it."""

SPLITS = ("auto", "spaces", "punctuation")

LONGEST = 10_000
"""Characters without a space: what is longer is no text of words."""

MOST_DIFFERENT = 1 << 22

# Marks in angle brackets as they are; letters and digits, with apostrophes and hyphens inside; any other mark alone.
_PUNCTUATION = re.compile(r"<unk>|<eos>|[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_")


@dataclass(frozen=True)
class Splitting:
    """How lines are cut into words: at "spaces", or with "punctuation" apart too; ``lower`` makes capitals small."""

    split: str
    lower: bool

    @classmethod
    def of(cls, wanted: str, lower: bool, beginning: str) -> Splitting:
        """Return what is ``wanted``; for "auto", at spaces where the ``beginning`` shows that a text was cut."""
        if wanted == "auto":
            wanted = "spaces" if UNKNOWN in beginning else "punctuation"
        return cls(wanted, lower)

    def words(self, text: str) -> list[str]:
        """Return the words of whole lines or parts of them, with `EOS` for every line end."""
        text = (text.lower() if self.lower else text).replace("\n", f" {EOS} ")
        return text.split() if self.split == "spaces" else _PUNCTUATION.findall(text)

    def of_pieces(self, pieces: Iterable[str], shown: str) -> Iterator[list[str]]:
        """Give the words of a text that comes in pieces, cut anywhere; a last line without an end has one too.

        Raises:
            UserError: for a text that is not one of words; ``shown`` names it.
        """
        rest, last = "", "\n"
        for piece in pieces:
            text, last = rest + piece, piece[-1:]
            end = 1 + max(text.rfind(" "), text.rfind("\n"))
            whole, rest = text[:end], text[end:]
            if len(rest) > LONGEST:
                raise UserError(
                    f"{shown} has {len(rest):,} characters without a space, more than {LONGEST:,}: it is no text of "
                    "words; give one, or use the task char-lm"
                )
            yield self.words(whole)
        yield self.words(rest if last == "\n" else f"{rest}\n")


class Numbering:
    """Numbers different words as they come, from 0."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__

    def numbered(self, lists: Iterable[list[str]], shown: str, most: int = 0) -> list[Symbols]:
        """Return the words' numbers, at most ``most`` of them (0: all), in as many arrays as there are lists.

        Raises:
            UserError: for a text of too many different words.
        """
        found, count = list[Symbols](), 0
        for words in lists:
            if most:
                words = words[: most - count]
            numbers = np.fromiter(map(self._numbers.__getitem__, words), dtype=np.uint32, count=len(words))
            if len(self._numbers) > MOST_DIFFERENT:
                raise UserError(
                    f"{shown} has more than {MOST_DIFFERENT:,} different words, too many to count; is it a text? give "
                    "a part of it (--task-option words=10000000)"
                )
            found.append(numbers.astype(symbol_dtype(len(self._numbers))))
            count += len(words)
            if most and count >= most:
                break
        return found

    @property
    def words(self) -> list[str]:
        """The K different words, in the order of their numbers."""
        return list(self._numbers)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers


def vocabulary_of(words: list[str], counts_K: NDArray[np.int64], *, most: int, least: int) -> list[str]:
    """Return the vocabulary, the most frequent word first: of the words that occur ``least`` times, ``most`` at most.

    ``counts_K`` says how often each word is in the training part. `EOS` and `UNKNOWN` are always there; the latter
    counts for all that are left out. Words that are equally frequent stand in the alphabet's order.
    """
    count_of = dict(zip(words, counts_K.tolist(), strict=True))
    marks = {mark: count_of.pop(mark, 0) for mark in (EOS, UNKNOWN)}
    ordered = sorted(
        (word for word, count in count_of.items() if count >= least),
        key=lambda word: (-count_of[word], word),
    )
    kept = ordered[: max(0, most - len(marks))] if most else ordered
    marks[UNKNOWN] = int(counts_K.sum()) - marks[EOS] - sum(count_of[word] for word in kept)
    count_of |= marks
    return sorted([*kept, *marks], key=lambda word: (-count_of[word], word))


def numbers_in(vocabulary: list[str], words: list[str]) -> Symbols:
    """Return the place in the vocabulary of each of K words, (K,); that of `UNKNOWN` for those that it lacks."""
    place = {word: number for number, word in enumerate(vocabulary)}
    unknown = place[UNKNOWN]
    numbers = (place.get(word, unknown) for word in words)
    return np.fromiter(numbers, dtype=symbol_dtype(len(vocabulary)), count=len(words))


def counted(pieces: Iterable[NDArray[Any]], kinds: int, first: int) -> NDArray[np.int64]:
    """Return how often each of the numbers below ``kinds`` occurs among the ``first`` of all pieces, (kinds,)."""
    counts = np.zeros(kinds, dtype=np.int64)
    for piece in pieces:
        counts += occurrences(piece[:first], kinds)
        first = max(0, first - len(piece))
    return counts
