"""What is told of data before anything is trained. Knows no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.data import PARTS, Part, occurrences

SAID: Mapping[Part, str] = {"train": "training", "valid": "validation", "test": "test"}

MOST_NAMED = 8
"""So many of a part are named, the most frequent first; the others are counted."""

MOST_COUNTED = 1 << 20
"""Symbols of a part, its last, that are counted for `parts_differ`: a long text shall not keep its user waiting."""

UNLIKE = 0.05
"""By this share validation and test may differ in what a table of pairs makes of them. They did by 1 to 3 % where
models were best on both after about the same epochs, and by 7 to 10 % where they were not (docs/statistics.md)."""

CHANCE = 3.0
"""Standard errors that are chance, of symbols as if they were independent."""

Floats = NDArray[np.float64]


def unlearnable(
    names: Sequence[str], parts: Mapping[Part, NDArray[Any]], *, what: str, items: str
) -> tuple[str, ...]:
    """Say in one sentence what occurs in an evaluated part and never in the training part; nothing if all is known.

    ``parts`` has the numbers that occur in each part, any shape, places in ``names``. ``what`` is what they stand for
    ("characters", "classes"), ``items`` what one occurrence is ("characters", "pictures"), both in the plural. Names
    may be data: they are shown as Python writes them, with all that is not seen written out.
    """
    trained_V = occurrences(parts["train"], len(names)) > 0
    told = list[str]()
    for part in PARTS[1:]:
        counts_V = occurrences(parts[part], len(names))
        unknown_V = np.where(trained_V, 0, counts_V)
        if unknown_V.any():
            share = unknown_V.sum() / counts_V.sum()
            told.append(
                f"{per_cent(share)} of the {items} of the {SAID[part]} part are {_listed(names, unknown_V)}"
            )
    if not told:
        return ()
    return (
        f"some {what} are not in the training part, so no model can have learned them: {'; '.join(told)}. They count "
        "against every cell, and the figure is worse by them",
    )


def parts_differ(table: str, unit: str, valid_N: Floats, test_N: Floats, *, places: int) -> tuple[str, ...]:
    """Say in one sentence that validation and test are unlike, if a table of training counts finds them so.

    ``valid_N`` and ``test_N`` are what the ``table`` ("pairs of words") says of each symbol, in ``unit``, less is
    better. A difference within three standard errors is none. ``places`` is from how many places of the text both could
    come instead; 0: that is no way out.
    """
    valid, test = float(valid_N.mean()), float(test_N.mean())
    chance = CHANCE * math.hypot(*(float(own.std()) / len(own) ** 0.5 for own in (valid_N, test_N)))
    if abs(valid - test) <= max(UNLIKE * min(valid, test), chance):
        return ()
    advice = f"; --task-option places={places} takes both from as many places of the text" if places else ""
    return (
        f"the validation and the test part are different kinds of text: counts of {table} from the training part come "
        f"to {valid:.2f} {unit} on one and {test:.2f} on the other. Settings and ends of training that are best on one "
        f"may not be on the other{advice}",
    )


def per_cent(share: float) -> str:
    """Return a share, of 1, in per cent with two digits and without a power of ten: 100 % is no 1e+02 %."""
    return f"{np.format_float_positional(float(f'{100 * share:.2g}'), trim='-')} %"


def _listed(names: Sequence[str], counts_V: NDArray[np.int64]) -> str:
    places = sorted(np.flatnonzero(counts_V).tolist(), key=lambda place: (-counts_V[place], place))
    shown = [f"{names[place]!r} ({counts_V[place]:,})" for place in places[:MOST_NAMED]]
    more = len(places) - len(shown)
    return ", ".join(shown) + (f" and {more:,} others" if more else "")
