"""What a verdict speaks of: cells at the end of their training, or within the epochs that somebody allowed.

A cell that learns fast and ends where another one ends is better only within a budget. So a word that rests on runs
which were cut off while they still improved says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas_rnn.comparison.result import ContenderRow, Floor, Standing
from nas_rnn.comparison.verdict import Verdict


def scoped(row: ContenderRow, baseline: Standing, floors: Sequence[Floor]) -> ContenderRow:
    """Return a row that says what its verdict speaks of.

    Nothing is ``better`` than a baseline that does not clearly beat a trivial one: it has not learned enough. Of one
    that is no better than a trivial one, every word says so, and more seeds are no remedy.
    """
    unbeaten = max(
        (floor for floor in floors if floor.beaten is False),
        key=lambda floor: floor.difference or 0.0,
        default=None,
    )
    if unbeaten is not None and (row.verdict == "better" or unbeaten.as_good):
        verdict: Verdict = "undecided" if row.verdict == "better" else row.verdict
        row = replace(
            row,
            verdict=verdict,
            weak_baseline=unbeaten.name,
            more_seeds=None,
            more_seeds_reason=(
                "the baseline has to be trained better first, longer or with other settings"
                if unbeaten.as_good and verdict == "undecided"
                else ""
            ),
        )
    if row.verdict == "worse" and row.standing.diverged:
        return row  # no more training would change that
    concerned = {"better": (baseline,), "worse": (row.standing,)}.get(row.verdict, (baseline, row.standing))
    return replace(row, within=within(*concerned))


def ends(standings: Sequence[Standing]) -> str:
    """Say in a few words how many of all final runs had stopped improving; "" where that is not known of any."""
    found = [
        converged
        for standing in standings
        for value, converged in zip(standing.values, standing.converged, strict=False)
        if value is not None
    ]
    if all(converged is None for converged in found):
        return ""
    stopped = sum(converged is True for converged in found)
    diverged = sum(standing.diverged for standing in standings)
    told = f"{'all' if stopped == len(found) else f'{stopped} of {len(found)}'} stopped improving"
    return f"{told}; {diverged} diverged" if diverged else told


def within(*concerned: Standing) -> str:
    """Return the limit that holds for what rests on these runs, "" where they have all stopped improving.

    Of runs with a decaying learning rate, of earlier versions, and of those that had not improved for a while without
    having converged, it is not known whether they would have improved.
    """
    cut = [
        (epochs, converged)
        for standing in concerned
        for value, epochs, converged in zip(
            standing.values, standing.epochs, standing.converged, strict=False
        )
        if value is not None and epochs and not converged
    ]
    if not cut:
        return ""
    most = max(epochs for epochs, _ in cut)
    limit = "within 1 epoch" if most == 1 else f"within {most} epochs"
    return f"{limit}, still improving" if any(converged is False for _, converged in cut) else limit
