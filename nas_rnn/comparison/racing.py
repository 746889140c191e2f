"""A challenger against an incumbent, one pair of seeds after another, until it is clear which is better.

Both are measured on the same validation part, which stays; so seeds are what another measurement would change, and the
interval covers them alone. The paired differences are tested at the looks of `nas_rnn.comparison.stopping`, each at its
share of alpha, so that a challenger that is as good as the incumbent is called better in at most alpha / 2 of all
cases, whatever ends the race.

What ends it *against* the challenger costs nothing of this, so it may be cheap (a stop for futility; Lan, Simon &
Halperin, *Communications in Statistics - Sequential Analysis* 1, 1982, 207-219):

- Before the first look it is given up where its mean lies behind by more than seeds explain: by more than the margin,
  and than the 97.5 % point of Student's t with the incumbent's own spread over seeds.
- At a look it is given up where it is not decided and its mean is no better than the incumbent's.

Races of many candidates against the one that has won so far are Maron & Moore's (*Advances in Neural Information
Processing Systems* 6, 1994) and Birattari et al.'s (F-race, *GECCO* 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.special

from nas_rnn.comparison.statistics import paired_interval
from nas_rnn.comparison.stopping import Look, interim_analyses
from nas_rnn.comparison.testing import p_values
from nas_rnn.comparison.verdict import verdict_of
from nas_rnn.tasks.metric import Quantity

RaceVerdict = Literal["better", "equivalent", "worse", "behind", "undecided"]
"""A comparison's words, and "behind" for a challenger that was given up: not shown to be worse, and not better."""

CHANCE = 0.025
"""How often a challenger that is as good as the incumbent is given up after its first pair."""


@dataclass(frozen=True, kw_only=True)
class Race:
    """Where a race stands.

    ``verdict`` is None as long as more pairs are needed: ``wanted`` in all. ``difference`` is the mean over ``pairs``,
    challenger minus incumbent, signed so that negative is better, ``interval`` that at ``level`` (None: of one pair
    there is none, and of a challenger that diverged no difference either). ``reason`` says why it ended, where the
    figures do not.
    """

    verdict: RaceVerdict | None
    pairs: int
    wanted: int
    difference: float | None = None
    interval: tuple[float, float] | None = None
    level: float | None = None
    reason: str = ""


def first_pairs(most: int) -> int:
    """Return on how many seeds an incumbent is known before anybody challenges it."""
    return interim_analyses(most)[0].seeds


def race(
    challenger: Sequence[float | None], incumbent: Sequence[float | None], metric: Quantity, *, most: int
) -> Race:
    """Return how the challenger stands after the pairs that there are.

    Values are the metric's on validation data, by pair; None: the run diverged. The incumbent has at least
    `first_pairs` of them, and as many as the challenger. At most ``most`` pairs are asked for. The answer depends on
    the values in their order alone, so a race that was interrupted goes on as if it never had been.

    Raises ValueError where the incumbent has too few values, UserError for ``most`` below 2.
    """
    looks = interim_analyses(most)
    first = looks[0].seeds
    if len(incumbent) < max(first, len(challenger)):
        raise ValueError(
            f"an incumbent of {len(incumbent)} values cannot be raced over {len(challenger)} pairs"
        )
    at = {look.seeds: look for look in looks}
    for pairs in range(1, len(challenger) + 1):
        if challenger[pairs - 1] is None:
            return Race(verdict="worse", pairs=pairs, wanted=pairs, reason=f"it diverged on seed {pairs}")
        if incumbent[pairs - 1] is None:
            return Race(
                verdict="undecided",
                pairs=pairs,
                wanted=pairs,
                reason=f"the incumbent diverged on seed {pairs}",
            )
        found = _Pairs(challenger[:pairs], incumbent, metric)
        if pairs < first and found.is_hopeless:
            return found.ended(
                "behind", f"it lies further behind than the {first} seeds of the incumbent lie apart"
            )
        if pairs in at:
            ended = found.tested(at[pairs], last=pairs == most)
            if ended is not None:
                return ended
    done = len(challenger)
    wanted = done + 1 if done < first else min(look.seeds for look in looks if look.seeds > done)
    return Race(verdict=None, pairs=done, wanted=wanted)


class _Pairs:
    """The values of both over some pairs, none of which diverged, signed so that smaller is better."""

    def __init__(
        self, challenger: Sequence[float | None], incumbent: Sequence[float | None], metric: Quantity
    ) -> None:
        sign = 1.0 if metric.direction == "minimize" else -1.0
        self._own = sign * np.asarray(challenger, dtype=np.float64)
        known = sign * np.asarray([value for value in incumbent if value is not None], dtype=np.float64)
        self._other = known[: len(self._own)]
        self._spread = float(known.std(ddof=1))
        self._freedom = len(known) - 1
        self._margin = metric.margin_at(float(known.mean()))
        self.difference = float((self._own - self._other).mean())

    @property
    def is_hopeless(self) -> bool:
        """Whether the mean lies so far behind as hardly any challenger's does that is as good as the incumbent."""
        usual = float(scipy.special.stdtrit(self._freedom, 1 - CHANCE)) * self._spread
        return self.difference > max(self._margin, float(usual * (2 / len(self._own)) ** 0.5))

    def tested(self, look: Look, *, last: bool) -> Race | None:
        """Return the end that a look brings, None where the race goes on."""
        interval = paired_interval(self._own[:, None], self._other[:, None], [1.0], alpha=look.alpha)
        tests = p_values(interval, self._margin)
        assert tests is not None  # two pairs at least
        word = verdict_of(self.difference, tests.difference, tests.equivalence, look.alpha)
        ended = self.ended(word, "", interval.ci95, 1 - look.alpha)
        if word != "undecided":
            return ended
        if self.difference >= 0:
            return self.ended("behind", "its mean is no better", interval.ci95, 1 - look.alpha)
        return ended if last else None

    def ended(
        self,
        verdict: RaceVerdict,
        reason: str,
        interval: tuple[float, float] | None = None,
        level: float | None = None,
    ) -> Race:
        pairs = len(self._own)
        return Race(
            verdict=verdict,
            pairs=pairs,
            wanted=pairs,
            difference=self.difference,
            interval=interval,
            level=level,
            reason=reason,
        )
