"""Pictures and captions as arrays: read, merged where pictures are the same, divided into parts, numbered.

Shapes: N items, C colours, S pixels of a side, F features, R references, T symbols of a caption. Knows no torch.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.caption.glyphs import INSTALL, glyphs
from nas_rnn.tasks.caption.sources import Entry, Found
from nas_rnn.tasks.caption.words import words_of
from nas_rnn.tasks.data import PARTS, Part, symbol_dtype
from nas_rnn.tasks.pictures import pillow_for, read_picture
from nas_rnn.tasks.vocabulary import SPECIAL, UNKNOWN

Ints = NDArray[np.int64]
Tokens = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Items:
    """``pixels`` (N, C, S, S) bytes, or None where features stand for them, and the captions' tokens of each.

    The last ``own_test`` items are the data's own test part, where they have one. ``paths`` are the pictures' files.
    """

    captions: list[Tokens]
    pixels: NDArray[np.uint8] | None = None
    paths: Sequence[Path] = ()
    own_test: int = 0


def embedded(size: int, by: str, longest: int, references: int) -> Items:
    """Return the signs of a font with their names (`nas_rnn.tasks.caption.glyphs`)."""
    pictures, captions = list[NDArray[np.uint8]](), list[Tokens]()
    for pixels, names in glyphs(size):
        tokens = [tuple(words_of(name, by)) for name in names]
        if usable := tuple(own for own in tokens if len(own) <= longest)[:references]:
            pictures.append(pixels)
            captions.append(usable)
    if not pictures:
        raise UserError(f"no name of a sign has at most {longest} {by}s; use a larger option longest")
    return Items(captions, np.stack(pictures))


def from_files(found: Found, references: int, most: int) -> Items:
    """Return the items of files, without their pixels; pictures of the same bytes become one.

    ``most`` limits the pictures to train and validate on, if not 0; the first in a fixed random order are taken.

    Raises:
        UserError: for a file that cannot be read.
    """
    tested = merged(found.test or [], references)
    test = list(tested.values())
    fit = [entry for key, entry in merged(found.fit, references).items() if key not in tested]
    order = np.random.default_rng(0).permutation(len(fit))[: most or None]
    entries = [*(fit[place] for place in order), *test]
    return Items([entry.captions for entry in entries], None, [entry.path for entry in entries], len(test))


def merged(entries: Sequence[Entry], references: int) -> dict[bytes, Entry]:
    """Return the entries by their pictures' bytes, equal ones made one: no picture may stand in two parts."""
    found = dict[bytes, Entry]()
    for entry in entries:
        key = digest_of(entry.path)
        before = found.get(key)
        captions = (*before.captions, *entry.captions) if before else entry.captions
        found[key] = Entry(before.path if before else entry.path, tuple(dict.fromkeys(captions))[:references])
    return found


def digest_of(path: Path) -> bytes:
    """Return the SHA-256 of a file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UserError(f"cannot read the picture {path}: {error.strerror}; repair or remove it") from error


def with_pixels(items: Items, size: int, colour: bool) -> Items:
    """Return the items with their pictures brought to size x size, in three colours or in grey."""
    pillow_for(INSTALL)
    pixels = np.empty((len(items.paths), 3 if colour else 1, size, size), dtype=np.uint8)
    for place, path in enumerate(items.paths):
        pixels[place] = pixels_of(path, size, colour)
    return replace(items, pixels=pixels)


def pixels_of(path: Path, size: int, colour: bool) -> NDArray[np.uint8]:
    """Return (C, size, size) of the whole picture, whatever its shape."""
    picture = read_picture(path, "RGB" if colour else "L", least=2 * size).resize((size, size))
    pixels = np.asarray(picture, dtype=np.uint8)
    return pixels.transpose(2, 0, 1) if colour else pixels[None]


def divided(items: Items, valid: float, test: float, source: str) -> dict[Part, Ints]:
    """Return the places of each part, in an order that is always the same.

    Raises:
        UserError: where a part would be empty.
    """
    count = len(items.captions)
    fit = count - items.own_test
    order = np.concatenate([np.random.default_rng(0).permutation(fit), np.arange(fit, count)])
    tested = items.own_test or round(fit * test)
    validated = round(fit * valid)
    train = count - tested - validated
    if min(train, validated, tested) < 1:
        raise UserError(
            f"{source} has {count:,} pictures with captions, too few for a training, a validation and a test part "
            f"(shares {1 - valid - test:g}, {valid:g} and {test:g}); give at least some hundred"
        )
    return {
        "train": order[:train],
        "valid": order[train : train + validated],
        "test": order[train + validated :],
    }


def encoded(
    items: Items, parts: dict[Part, Ints], most: int
) -> tuple[dict[Part, NDArray[Any]], list[str], int]:
    """Return references (N, R, T) of symbols by part, the tokens behind the special ones, and how many are known.

    Known are at most ``most`` tokens of the training part, the most frequent first; in training others are unknown. In
    evaluated parts they keep symbols of their own behind the known ones, so that references stay whole.
    """
    counts = Counter(token for place in parts["train"] for own in items.captions[place] for token in own)
    known = [token for token, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]]
    symbols = {token: len(SPECIAL) + number for number, token in enumerate(known)}
    evaluated = dict(symbols)
    for part in PARTS[1:]:
        for place in parts[part]:
            for token in (token for own in items.captions[place] for token in own):
                evaluated.setdefault(token, len(SPECIAL) + len(evaluated))
    references = max(len(own) for own in items.captions)
    longest = max(len(caption) for own in items.captions for caption in own)
    dtype = symbol_dtype(len(SPECIAL) + len(evaluated))
    arrays = dict[Part, NDArray[Any]]()
    for part, places in parts.items():
        table = symbols if part == "train" else evaluated
        rows = np.zeros((len(places), references, longest), dtype=dtype)
        for row, place in enumerate(places):
            for number, caption in enumerate(items.captions[place]):
                rows[row, number, : len(caption)] = [
                    table.get(token, SPECIAL.index(UNKNOWN)) for token in caption
                ]
        arrays[part] = rows
    return arrays, list(evaluated), len(known)
