"""Random seeds for each part of an experiment, all from the search's one seed, no two of them equal."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nas_rnn.errors import UserError

ENOUGH_SEEDS = 3
"""From so many seeds on, an interval has two degrees of freedom for their spread."""

Part = Literal["search", "tuning", "selection", "final"]

_PARTS: dict[Part, int] = {"search": 0, "tuning": 1, "selection": 2, "final": 3}
_INDEX_BITS, _RANDOM_BITS = 18, 12


def derived_seed(seed: int, part: Part, index: int) -> int:
    """Return a seed below 2**32 for the ``index``-th use in one part of the experiment that ``seed`` started.

    The part and the index stand in its highest bits, so two uses in one experiment never share a seed, by
    construction rather than by luck; the other bits are drawn from ``numpy.random.SeedSequence``. It
    depends on nothing else, so asking for more seeds later leaves the earlier ones as they were.

    Raises UserError for a negative seed, and for an index that is negative or 2**18 or more.
    """
    if seed < 0:
        raise UserError(f"a seed is not negative, got {seed}")
    if not 0 <= index < 1 << _INDEX_BITS:
        raise UserError(
            f"at most {1 << _INDEX_BITS} seeds can be drawn for one part of an experiment, got index {index}"
        )
    sequence = np.random.SeedSequence(seed, spawn_key=(_PARTS[part], index))
    random = int(sequence.generate_state(1)[0]) >> (32 - _RANDOM_BITS)
    return (_PARTS[part] << (_INDEX_BITS + _RANDOM_BITS)) | (index << _RANDOM_BITS) | random


def few_seeds(seeds: int) -> str:
    """Return what so few ``seeds`` per cell cannot say, and what to give instead; "" where they are enough."""
    if seeds >= ENOUGH_SEEDS:
        return ""
    more = "give --seeds 5 (the default) or --seeds auto"
    if seeds == 1:
        return (
            "1 seed per cell: the verdict covers the test items alone and speaks of these trained models, so another "
            f"seed may reverse it; {more}"
        )
    return (
        f"{seeds} seeds per cell: their spread is known from two differences alone, so intervals are wide, and most "
        f"comparisons stay undecided; {more}"
    )
