"""What every probe is made of: series with what is to be answered at their end. Knows no torch.

Shapes: N series, T steps, F numbers a step, K answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import Arrays

Ints = NDArray[np.int64]

ROUNDS = 100
"""So often series that are known already are drawn again."""


@dataclass(frozen=True, eq=False)
class Series:
    """N series, 0 behind their ends.

    ``inputs`` are symbols (N, T), or numbers (N, T, F); of each series so many ``steps`` (N,) are real. ``answers``
    (N, K) belong to its last K real steps: classes, or a number. ``length`` (N,) is what it was asked to be, which
    counts the steps that make it hard.
    """

    inputs: NDArray[Any]
    steps: Ints
    answers: NDArray[Any]
    length: Ints

    def __len__(self) -> int:
        return len(self.steps)

    def at(self, places: Any) -> Series:
        """Return the series at these places."""
        return Series(self.inputs[places], self.steps[places], self.answers[places], self.length[places])

    def arrays(self) -> Arrays:
        """Return plain arrays by name."""
        return {"inputs": self.inputs, "steps": self.steps, "answers": self.answers, "length": self.length}

    @classmethod
    def of(cls, arrays: Arrays) -> Series:
        """Return what `arrays` gave."""
        return cls(*(arrays[name] for name in ("inputs", "steps", "answers", "length")))

    def keys(self) -> list[bytes]:
        """Return a text of bytes for each series, equal for equal ones."""
        rows = np.ascontiguousarray(self.inputs)
        return [row[:count].tobytes() for row, count in zip(rows, self.steps.tolist(), strict=True)]


Draw = Callable[[np.random.Generator, Ints], Series]
"""From lengths (N,) to a series of each."""


def unseen(
    draw: Draw, random: np.random.Generator, length_N: Ints, seen: set[bytes], *, once: bool
) -> Series:
    """Return a series of each length that is none of ``seen``; with ``once`` no two are alike, and all are seen then.

    Raises:
        UserError: where so many different ones are not found.
    """
    found = draw(random, length_N)
    for _ in range(ROUNDS):
        own, known = set[bytes](), list[int]()
        for place, key in enumerate(found.keys()):
            if key in seen or (once and key in own):
                known.append(place)
            own.add(key)
        if not known:
            if once:
                seen |= own
            return found
        again = draw(random, length_N[known])
        found.inputs[known, : again.inputs.shape[1]] = again.inputs
        found.steps[known], found.answers[known] = again.steps, again.answers
    raise UserError(
        f"{len(known):,} of {len(length_N):,} series of length {int(length_N[known].min())} or more stand among others "
        "already, since there are too few different ones; use larger lengths (options steps and lengths), or fewer "
        "series (items and tests)"
    )
