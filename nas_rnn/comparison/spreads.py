"""How far figures over seeds lie apart, in words: the standard deviation of one cell, the range of different ones."""

from __future__ import annotations

from nas_rnn.comparison.result import Reading, Standing
from nas_rnn.comparison.sentences import four_digits, two_digits


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
    known = [value for value in own.values if value is not None]
    return f" ({four_digits(min(known))} to {four_digits(max(known))})"
