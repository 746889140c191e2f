"""A comparison of a cell with what remains of it without one part each: which parts carry what it can."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nas_rnn.comparison.result import Comparison, ContenderRow
from nas_rnn.comparison.sentences import decimals, reading_again, signed


def ranked_rows(comparison: Comparison) -> tuple[ContenderRow, ...]:
    """Return the contenders, the one that loses most first; diverged ones lose everything, unknown ones come last."""

    def key(row: ContenderRow) -> tuple[bool, float]:
        loss = row.difference
        if loss is None:
            loss = math.inf if row.standing.diverged and row.verdict == "worse" else None
        return loss is None, -(loss or 0.0)

    return tuple(sorted(comparison.contenders, key=key))


def ranking_sentence(comparison: Comparison, changes: Mapping[str, str]) -> str:
    """Return which parts carry the gain, in sentences; ``changes`` says what was changed, by contender's name."""
    rows = ranked_rows(comparison)
    told = reading_again(comparison)
    for verdict, words in (("worse", "Worse"), ("better", "Better"), ("equivalent", "No difference")):
        found = [row for row in rows if row.verdict == verdict]
        if found:
            told.append(f"{words}: {'; '.join(_change(comparison, row, changes) for row in found)}.")
    open_ones = sum(row.verdict == "undecided" for row in rows)
    if open_ones:
        told.append(f"Undecided: {open_ones} of {len(rows)}.")
    untuned = [row.standing.name for row in rows if not row.standing.tuned]
    if len(untuned) == len(rows) and not comparison.baseline.tuned:
        told.append("Nothing was tuned.")
    elif untuned or not comparison.baseline.tuned:
        names = [*([] if comparison.baseline.tuned else [comparison.baseline.name]), *untuned]
        told.append(f"Not tuned: {', '.join(f'`{name}`' for name in names)}.")
    weak = next((row.weak_baseline for row in rows if row.weak_baseline), "")
    if weak:
        told.append(f"The whole cell does not clearly beat the {weak}, so nothing is called better than it.")
    return " ".join(told)


def _change(comparison: Comparison, row: ContenderRow, changes: Mapping[str, str]) -> str:
    what = changes.get(row.standing.name, row.standing.name)
    if row.difference is None:
        return f"{what} (diverged)" if row.standing.diverged else what
    limit = f"; {row.within}" if row.within else ""
    digits = decimals(comparison, row)
    interval = "" if row.ci95 is None else f" [{signed(row.ci95[0], digits)}, {signed(row.ci95[1], digits)}]"
    return f"{what} ({signed(row.difference, digits)}{interval}{limit})"
