"""What told labels are worth: how many of a recording's must be changed, left out or put in (edit distance)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.metric import Mean, Statistics
from nas_rnn.tasks.speech.sound import INSTALL

ERRORS = Mean("label error rate", "% of labels", "minimize", 0.5, "absolute", of="errors", per="labels")
"""100 (changed + left out + put in) / labels, as a word error rate; above 100 where more is told than was said."""
WHOLE = Mean("exact match", "% of recordings", "maximize", 0.5, "absolute", of="exact")


def levenshtein() -> Any:
    """Return rapidfuzz's module of this distance (Levenshtein 1966).

    Raises:
        UserError: where the package is missing.
    """
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        raise UserError(f"labels are compared by rapidfuzz; install it with: {INSTALL}") from None
    return Levenshtein


def told_statistics(answers: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> Statistics:
    """Return ``errors`` (N,), a hundred for each edit, ``labels`` (N,), and ``exact`` (N,), 0 or 100."""
    distance = levenshtein().distance
    edits_N = np.array([distance(one, other) for one, other in zip(answers, wanted, strict=True)])
    return {
        "errors": 100.0 * edits_N,
        "labels": np.array([float(len(one)) for one in wanted]),
        "exact": 100.0 * (edits_N == 0),
    }


def aligned(answer: Sequence[int], wanted: Sequence[int], missed: int) -> list[tuple[int, int]]:
    """Return each wanted label with what was answered for it, ``missed`` for nothing; what was put in is left out."""
    found = list[tuple[int, int]]()
    for kind, begin, end, other, _ in levenshtein().opcodes(list(wanted), list(answer)):
        for place in range(begin, end):
            found.append((wanted[place], missed if kind == "delete" else answer[other + place - begin]))
    return found
