"""How far figures over seeds lie apart, in words: the standard deviation of one cell, the range of different ones."""

from __future__ import annotations

from statistics import median

from nas_rnn.comparison.result import Comparison, Reading, Standing
from nas_rnn.comparison.sentences import four_digits, two_digits


def median_text(standing: Standing) -> str:
    """Return the median of random cells that ended: one at an absurd value moves the mean, and not the median."""
    return four_digits(median(_known(standing)))


def random_text(comparison: Comparison, random: Standing) -> str:
    """Return the median and the range of random cells beside the baseline's mean; "" where none of them ended."""
    baseline = comparison.baseline
    if not _known(random) or baseline.mean is None:
        return ""
    return (
        f"{median_text(random)}{spread_text(random)}, the mean of {baseline.name} {four_digits(baseline.mean)} "
        f"{comparison.unit}"
    )


def _known(own: Standing | Reading) -> list[float]:
    return [value for value in own.values if value is not None]


def spread_text(standing: Standing, reading: Reading | None = None) -> str:
    """Return what stands behind a standing's mean, or that of another metric's ``reading``; "" for a single seed.

    Of one cell it is " ± 0.018". Of random cells it is the range, " (1.980 to 150.0)": one of them that ended at an
    absurd value takes the mean with it, which a deviation hides and a range shows.
    """
    own = standing if reading is None else reading
    if own.std is None:
        return ""
    if not standing.several_cells:
        return f" ± {two_digits(own.std)}"
    known = _known(own)
    return f" ({four_digits(min(known))} to {four_digits(max(known))})"
