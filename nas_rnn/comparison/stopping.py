"""`--seeds auto`: seeds are added until a comparison is decided, and it is still wrong no more often.

Looking again and again with the same test is wrong more and more often: each look is one more chance. So the
looks are few and fixed beforehand, and each may spend only a share of alpha = 0.05; the shares sum to alpha.
Whatever the looks have in common (every seed of the look before, and all test items), the chance that any of
them is wrong is at most the sum of theirs (Bonferroni; group-sequential tests with alpha spending are Lan &
DeMets, *Biometrika* 70, 1983, 659-663). Methods that use the looks' dependence spend less, but need its
size, and here the test items, which stay, make up an unknown part of it.

The stopping rule may therefore look at anything: a decided contender gets no more seeds and keeps its
word. In Holm's method a decided contender counts as p = 0 where it was called better or worse, which is the
step it took, and else as p = 1: it is not tested again.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas_rnn.comparison.result import ContenderRow
from nas_rnn.errors import UserError

ALPHA = 0.05
FIRST_LOOK = 4
SHARE = 1.5
"""How much more of alpha each look gets than the one before. Equal shares stop earlier by a twentieth but find
less of a small effect (28 % instead of 32 % of one, simulated), doubled ones find 36 % and stop later."""


@dataclass(frozen=True)
class Look:
    """One look at the results: after how many pairs of seeds in all, and the alpha of its tests."""

    seeds: int
    alpha: float


def interim_analyses(most: int) -> tuple[Look, ...]:
    """Return the looks of a comparison that may use at most ``most`` seeds: at 4, 8, 16, ... and ``most``.

    Each look's share of alpha is in proportion to SHARE ** its number. Raises UserError for ``most`` below 2:
    one pair of seeds shows no spread.
    """
    if most < 2:
        raise UserError(f"--seeds auto needs at least 2 seeds per cell, got a limit of {most}")
    counts = [FIRST_LOOK]
    while 2 * counts[-1] < most:
        counts.append(2 * counts[-1])
    counts = [count for count in counts if count < most] + [most]
    weights = [SHARE**number for number in range(len(counts))]
    return tuple(
        Look(count, ALPHA * weight / sum(weights)) for count, weight in zip(counts, weights, strict=True)
    )


def is_decided(row: ContenderRow) -> bool:
    """Return whether more seeds have nothing to add: it is decided, or they cannot decide it."""
    return row.verdict != "undecided" or bool(row.more_seeds_reason)
