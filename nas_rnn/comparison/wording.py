"""The answer in plain words."""

from __future__ import annotations

import math

from nas_rnn.comparison.result import Comparison, ContenderRow, Standing

_RELATION = {
    "better": "is better than",
    "equivalent": "is equivalent to",
    "worse": "is worse than",
}


def sentence(comparison: Comparison) -> str:
    """Return the answer, one sentence for each contender, with the figures it rests on.

    For example: "`gated-3f2a` is worse than the LSTM: 2.310 against 2.250 UNIT, difference
    +0.060 [+0.030, +0.090] (95 %, over 5 seeds and the test blocks; untuned)."
    """
    return " ".join(_sentence(comparison, row) for row in comparison.contenders) or "Nothing was compared."


def _sentence(comparison: Comparison, row: ContenderRow) -> str:
    """Return one contender's sentence."""
    subject = f"`{row.standing.name}`"
    other = baseline_name(comparison.baseline)
    notes = "" if row.standing.tuned else "untuned"
    if row.verdict == "undecided":
        claim = f"It is undecided whether {subject} beats {other}"
    else:
        claim = f"{subject} {_RELATION[row.verdict]} {other}"
    if row.difference is None:
        reason = row.reason or "no run of it has a test result"
        return f"{claim}: {reason}{'; untuned' if notes else ''}."
    digits = decimals(comparison, row)
    figures = f"difference {row.difference:+.{digits}f}"
    if row.standing.mean is not None and comparison.baseline.mean is not None:
        means = (
            f"{row.standing.mean:.{digits}f} against {comparison.baseline.mean:.{digits}f} {comparison.unit}"
        )
        figures = f"{means}, {figures}"
    if row.ci95 is not None:
        figures += f" [{row.ci95[0]:+.{digits}f}, {row.ci95[1]:+.{digits}f}]"
    remarks = [_cover(row), *(text for text in (_margin(comparison, row, digits), notes, row.reason) if text)]
    if comparison.direction == "maximize":
        remarks.insert(1, "negative is better")
    return f"{claim}: {figures} ({'; '.join(remarks)})."


def baseline_name(baseline: Standing) -> str:
    """Return how a sentence names the baseline: the LSTM as everybody knows it, others by their name."""
    return "the LSTM" if baseline.name.lower() == "lstm" else f"`{baseline.name}`"


def decimals(comparison: Comparison, row: ContenderRow) -> int:
    """Return the decimals, 2 to 6, that show two digits of the interval's half width, or the difference."""
    if row.ci95 is not None and row.ci95[1] > row.ci95[0]:
        scale = (row.ci95[1] - row.ci95[0]) / 2
    else:
        scale = abs(row.difference or 0.0) or comparison.margin or 1.0
    return min(6, max(2, 1 - math.floor(math.log10(scale))))


def _cover(row: ContenderRow) -> str:
    """Say what the interval covers."""
    if row.ci95 is None:
        return "one seed and one test item: no interval"
    seeds = f"{row.pairs} seeds"
    if row.covers.startswith("seeds and "):
        return f"95 %, over {seeds} and the {row.covers.removeprefix('seeds and ')}"
    if row.covers == "seeds only":
        return f"95 %, over {seeds} only, not the test items"
    return f"95 %, over the {row.covers}: one seed, so another may turn it round"


def _margin(comparison: Comparison, row: ContenderRow, digits: int) -> str:
    """Say how wide equivalence is, where the word was used."""
    if row.verdict != "equivalent" or comparison.margin is None:
        return ""
    return f"within the margin of {comparison.margin:.{digits}f}"
