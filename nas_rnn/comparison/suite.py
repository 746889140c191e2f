"""The same cells on several tasks: one family of tests, and each cell's mean gap over these tasks.

Every cell on every task is a chance to be wrong, so Holm's method runs over all of them together: the chance that any
cell is wrongly called better or worse on any task is at most alpha.

Metrics of different tasks have no unit in common, so a gap is given in margins: how many times the smallest difference
that matters on its task. The mean of a cell's gaps is over these tasks and no others. Its interval covers seeds and
test items: tasks share neither, so the variances add up, and the degrees of freedom are Satterthwaite's. Nothing is
said of tasks that are not in the suite: these were not drawn from any population.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import scipy

from nas_rnn.comparison.result import Comparison, ContenderRow, Interval
from nas_rnn.comparison.scope import scoped
from nas_rnn.comparison.sentences import baseline_name, tuning_remark
from nas_rnn.comparison.statistics import satterthwaite
from nas_rnn.comparison.stopping import ALPHA
from nas_rnn.comparison.testing import holm
from nas_rnn.comparison.verdict import Verdict, verdict_of

WORDS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, kw_only=True)
class MeanGap:
    """One cell over all tasks of a suite; negative is better than the baseline.

    ``counts`` says on how many tasks it was given each of the four words. ``mean`` is that of its gaps in margins, with
    a 95 % interval; both are None where a gap is missing, which ``reason`` explains: a run that diverged has an
    infinite loss, and a mean of the others would be kinder than the truth.
    """

    name: str
    digest: str
    counts: dict[str, int]
    mean: float | None = None
    ci95: Interval | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SuiteComparison:
    """Cells against one baseline on several tasks: the comparison on each by its name, and every cell's mean gap."""

    comparisons: dict[str, Comparison]
    gaps: tuple[MeanGap, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values (no infinities, no NaN)."""
        return {
            "comparisons": {name: comparison.to_dict() for name, comparison in self.comparisons.items()},
            "gaps": [asdict(gap) for gap in self.gaps],
        }


def judge_suite(comparisons: Mapping[str, Comparison]) -> SuiteComparison:
    """Return the comparisons of the same contenders, with verdicts that hold for all of them together.

    Each is one of a fixed number of seeds. Rows that no test decided (a cell diverged, or the baseline did) keep their
    word; references and controls stay as they were. How many more seeds would decide a row is not told: that depends
    on all the others.
    """
    rows = [row for comparison in comparisons.values() for row in comparison.contenders]
    differences = iter(holm([row.p_value for row in rows]))
    equivalences = iter(holm([row.p_equivalence for row in rows]))
    judged = {
        name: replace(
            comparison,
            contenders=tuple(
                _judged(row, comparison, next(differences), next(equivalences))
                for row in comparison.contenders
            ),
        )
        for name, comparison in comparisons.items()
    }
    digests = dict.fromkeys(row.standing.digest for row in rows)
    return SuiteComparison(
        comparisons=judged,
        gaps=tuple(
            _mean_gap(
                {
                    name: row
                    for name, comparison in judged.items()
                    for row in comparison.contenders
                    if row.standing.digest == digest
                }
            )
            for digest in digests
        ),
    )


def _judged(
    row: ContenderRow, comparison: Comparison, difference: float | None, equivalence: float | None
) -> ContenderRow:
    row = replace(row, more_seeds=None, more_seeds_reason="")
    if difference is None or equivalence is None:
        return row
    row = replace(
        row,
        p_adjusted=difference,
        p_equivalence_adjusted=equivalence,
        verdict=verdict_of(row.difference or 0.0, difference, equivalence, ALPHA),
        within="",
        weak_baseline="",
    )
    return replace(scoped(row, comparison.baseline, comparison.floors), more_seeds_reason="")


def _mean_gap(rows: Mapping[str, ContenderRow]) -> MeanGap:
    """Return one cell's mean over its rows by task."""
    standing = next(iter(rows.values())).standing
    counts: dict[str, int] = {word: sum(row.verdict == word for row in rows.values()) for word in WORDS}
    found = MeanGap(name=standing.name, digest=standing.digest, counts=counts)
    missing = [name for name, row in rows.items() if row.in_margins is None]
    if missing:
        return replace(found, reason=f"no mean: there is no interval on {' and '.join(missing)}")
    gaps = [row.in_margins for row in rows.values() if row.in_margins is not None]
    mean, half = mean_of_gaps([(gap.difference, gap.error, gap.degrees_of_freedom) for gap in gaps])
    return replace(found, mean=mean, ci95=(mean - half, mean + half))


def mean_of_gaps(gaps: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Return the mean of independent differences, and half of its interval.

    Each has its standard error and degrees of freedom beside it.
    """
    count = len(gaps)
    mean = math.fsum(difference for difference, _, _ in gaps) / count
    parts = [((error / count) ** 2, freedom) for _, error, freedom in gaps]
    variance = math.fsum(part for part, _ in parts)
    if variance == 0.0:
        return mean, 0.0
    return mean, float(scipy.special.stdtrit(float(satterthwaite(parts)), 1 - ALPHA / 2)) * variance**0.5


def suite_lines(found: SuiteComparison) -> list[str]:
    """Return the answer in words, a line for each cell, and what it does not say."""
    tasks, tests = len(found.comparisons), sum(len(one.contenders) for one in found.comparisons.values())
    baseline = baseline_name(next(iter(found.comparisons.values())).baseline)
    lines = []
    for gap in found.gaps:
        counts = ", ".join(f"{word} on {gap.counts[word]}" for word in WORDS)
        mean = gap.reason
        if gap.mean is not None and gap.ci95 is not None:
            low, high = gap.ci95
            mean = f"mean gap {gap.mean:+.2f} [{low:+.2f}, {high:+.2f}] margins (95 %, over seeds and test items)"
        told = "; ".join([counts, mean, *_limits(found, gap.digest)])
        lines.append(f"`{gap.name}` against {baseline}, on {tasks} tasks: {told}.")
    together = f" The words are those of Holm's method over all {tests} comparisons, at {ALPHA * 100:.0f} % together."
    lines.append(f"A negative gap is better.{together if tests > 1 else ''} Nothing is said of other tasks.")
    return lines


def _limits(found: SuiteComparison, digest: str) -> list[str]:
    """Return what holds for a cell's words: how little was tuned, and where runs were cut off while they improved."""
    rows = [
        (part, comparison, row)
        for part, comparison in found.comparisons.items()
        for row in comparison.contenders
        if row.standing.digest == digest
    ]
    standings = [one for _, comparison, row in rows for one in (row.standing, comparison.baseline)]
    tuning = dict.fromkeys(filter(None, map(tuning_remark, standings)))
    cut = [f"{row.within} on {part}" for part, _, row in rows if row.within]
    return [*tuning, *cut]
