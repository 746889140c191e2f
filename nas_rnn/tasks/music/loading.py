"""From pieces to the parts that are trained and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import PARTS, Part, TaskData
from nas_rnn.tasks.music.chorales import chorales
from nas_rnn.tasks.music.examples import kept
from nas_rnn.tasks.music.rolls import Piece, packed
from nas_rnn.tasks.music.sources import WHAT_WORKS, Found, Parts, read_source
from nas_rnn.tasks.notices import SAID
from nas_rnn.tasks.shares import Shares

CHORALES = "Bach's chorales in music21"
FEWEST_FRAMES = 2
"""Of a piece: one that is read, and one that is predicted."""


def load_parts(source: Path | None, *, frame: Fraction, most: int, shares: Shares) -> TaskData:
    """Read pieces and, unless they have parts of their own, draw whole ones for each part.

    ``most`` is how many to use, of each part that there is; 0: all.

    Raises:
        UserError: when the data cannot be used.
    """
    found = Found(CHORALES, chorales(frame, most)) if source is None else read_source(source, frame)
    own = isinstance(found.pieces, dict)
    if own:
        shares.require_used(dict.fromkeys(PARTS, str(source)))
    listed: Parts = found.pieces if isinstance(found.pieces, dict) else {"train": found.pieces}
    cut: Parts = {part: pieces[: most or None] for part, pieces in listed.items()}
    long = {
        part: [piece for piece in pieces if len(piece.roll) >= FEWEST_FRAMES] for part, pieces in cut.items()
    }
    short = sum(map(len, cut.values())) - sum(map(len, long.values()))
    parts, again = (long, 0) if own else _drawn(long["train"], found.source, shares)
    _require(parts, found.source)
    arrays = {part: packed([piece.roll for piece in parts[part]]) for part in PARTS}
    told = [*_left_out(short, again, found.outside), *_known(parts)]
    meta: dict[str, Any] = {"source": found.source, "notices": told, "examples": kept(parts["valid"])}
    return TaskData(arrays, meta)


def _drawn(pieces: Sequence[Piece], source: str, shares: Shares) -> tuple[Parts, int]:
    """Return the parts, and how many pieces are left out since they are equal to another note by note."""
    first = dict[bytes, Piece]()
    for piece in pieces:
        first.setdefault(piece.roll.tobytes(), piece)
    different = list(first.values())
    count = len(different)
    if count < len(PARTS):
        raise UserError(
            f"{source} holds {count} different piece{'s' * (count != 1)} of {FEWEST_FRAMES} frames or more, "
            f"too few for a training, a validation and a test part; {WHAT_WORKS}, with three pieces at least"
        )
    tested, validated = (
        min(count - 2, max(1, round(count * share))) for share in (shares.test, shares.valid)
    )
    validated = min(validated, count - 1 - tested)
    order = np.random.default_rng(0).permutation(count).tolist()
    places: dict[Part, list[int]] = {
        "train": order[tested + validated :],
        "valid": order[tested : tested + validated],
        "test": order[:tested],
    }
    parts: Parts = {part: [different[place] for place in own] for part, own in places.items()}
    return parts, len(pieces) - count


def _require(parts: Parts, source: str) -> None:
    for part in PARTS:
        if not parts[part]:
            raise UserError(
                f"the {SAID[part]} part of {source} has no piece of {FEWEST_FRAMES} frames or more; give at least one"
            )
        if not any(piece.roll.any() for piece in parts[part]):
            raise UserError(f"no note sounds in the {SAID[part]} part of {source}; give pieces with notes")


def _left_out(short: int, again: int, outside: int) -> list[str]:
    told = {
        "of a single frame": short,
        "that are equal to another note by note": again,
    }
    sentences = [f"{count:,} pieces {what} are left out" for what, count in told.items() if count]
    if outside:
        sentences.append(
            f"{outside:,} notes for which a piano has no key, below A0 or above C8, are left out"
        )
    return sentences


def _known(parts: Parts) -> list[str]:
    """Say how many evaluated pieces the training part has too, as the data's own cut may have it."""
    trained = {piece.roll.tobytes() for piece in parts["train"]}
    told = list[str]()
    for part in PARTS[1:]:
        known = sum(piece.roll.tobytes() in trained for piece in parts[part])
        if known:
            told.append(
                f"{known:,} of {len(parts[part]):,} pieces of the {SAID[part]} part stand in the training part, too: a "
                "figure is better by them"
            )
    return told
