"""The two tests of a paired difference, and their p-values when there are several contenders.

Both rest on the interval's own parts (`nas_rnn.comparison.statistics`): with difference D, variance V and
degrees of freedom n, D / sqrt(V) is held against Student's t with n degrees of freedom.

- Is there a difference? Two-sided, the hypothesis is that it is zero.
- Is there none that matters? Two one-sided tests (TOST; Schuirmann, *J. Pharmacokinetics and
  Biopharmaceutics* 15, 1987, 657-680): the hypotheses are that it is -margin or less, and margin or more.
  Both must fall, so their larger p-value counts.

A test at ``alpha`` says "a difference" where the first p-value is below alpha, and "equivalent" where the
second is alpha / 2 or less: where the whole interval at level 1 - alpha lies within the margin. The usual
TOST takes alpha, and thereby the narrower interval at 1 - 2 alpha; here one interval serves both questions,
and equivalence that is not there is claimed half as often.

Several contenders are several chances to be wrong. Holm's step-down method (*Scand. J. Statistics* 6, 1979,
65-70) keeps the chance that any of them is called wrongly at alpha, whatever the dependence between them:
all share the baseline and the test items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import scipy

from nas_rnn.comparison.statistics import PairedInterval


@dataclass(frozen=True)
class PValues:
    """Of one contender: that there is no ``difference``, and that there is no ``equivalence``."""

    difference: float
    equivalence: float


def p_values(interval: PairedInterval, margin: float | tuple[float, float]) -> PValues | None:
    """Return the p-values of both tests, None where there is no interval.

    ``margin`` is not negative, in the units of the difference; two of them are how far below and how far above
    zero it reaches. Without any spread there is no chance left: the p-values are 0 where the difference itself
    shows the thing, else 1.

    Raises ValueError for a negative margin.
    """
    below, above = margin if isinstance(margin, tuple) else (margin, margin)
    if min(below, above) < 0:
        raise ValueError(f"a margin is not negative, got {margin}")
    if interval.ci95 is None:
        return None
    distance, error = abs(interval.difference), interval.variance**0.5
    room = min(above - interval.difference, below + interval.difference)
    if error == 0.0:
        return PValues(float(distance == 0.0), float(room < 0))
    freedom = interval.degrees_of_freedom
    return PValues(
        2 * float(scipy.special.stdtr(freedom, -distance / error)),
        float(scipy.special.stdtr(freedom, -room / error)),
    )


def holm(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return p-values adjusted for being several, by Holm's method; None stays None and does not count."""
    tested = [value for value in values if value is not None]
    if len(tested) > 1:
        from statsmodels.stats.multitest import multipletests  # takes a second to import

        tested = [float(value) for value in multipletests(tested, method="holm")[1]]
    adjusted = iter(tested)
    return tuple(None if value is None else next(adjusted) for value in values)
