"""From the results of the final runs to the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nas_rnn.comparison.contrast import contrast, seed_differences
from nas_rnn.comparison.costs import cost_of
from nas_rnn.comparison.floors import floors_of
from nas_rnn.comparison.outcomes import Outcome, outcomes_of, standing, without_interval
from nas_rnn.comparison.plan import FinalPlan, Planned
from nas_rnn.comparison.power import Levels, hopeless, more_seeds
from nas_rnn.comparison.result import (
    Against,
    Comparison,
    ContenderRow,
    Cost,
    InMargins,
    Measure,
    Standing,
)
from nas_rnn.comparison.scope import scoped, within
from nas_rnn.comparison.statistics import Labels, PairedInterval, plural
from nas_rnn.comparison.stopping import ALPHA, is_decided
from nas_rnn.comparison.testing import holm, p_values
from nas_rnn.comparison.verdict import verdict_of
from nas_rnn.tasks import Metric, Statistics
from nas_rnn.training import RunResult

SETTINGS_APART = "the difference at the best settings and that at the second best lie too far apart"


@dataclass(frozen=True)
class _Test:
    """How contenders are tested: the task's ``item`` and the ``groups`` of its items, at which ``alpha``."""

    metrics: Sequence[Metric]
    item: str
    alpha: float
    groups: Labels | None

    @property
    def scarce(self) -> str:
        """What a test part may have too few of."""
        return plural(self.item) if self.groups is None else f"groups of {plural(self.item)}"


@dataclass(frozen=True)
class _Draft:
    """A row before the others of its family are known; without an interval its verdict stands."""

    row: ContenderRow
    interval: PairedInterval | None = None
    margin: float = 0.0
    kept: bool = False


def judge(
    metrics: Sequence[Metric],
    plan: FinalPlan,
    results: Mapping[str, RunResult],
    *,
    item: str = "item",
    groups: Labels | None = None,
    floors: Mapping[str, Statistics] | None = None,
    alpha: float = ALPHA,
    earlier: Comparison | None = None,
    costs: Sequence[Cost] = (),
    counted: str = "targets",
) -> Comparison:
    """Return the verdict on every contender of a final plan.

    The first of ``metrics`` decides; the others are reported for every cell. ``results`` are by run id; ``item``
    is the task's word for one test item, ``counted`` for one target. ``groups`` (N,) are labels, equal for items
    that belong together (of one speaker, say): another test part would have other groups. ``floors`` are trivial
    baselines' statistics of the test items. ``costs`` are those of earlier parts (search, selection, tuning), to
    which "final" is added.

    The chance that any contender is wrongly called better or worse is at most ``alpha``: Holm's method over
    all of them but the references and controls, each of which is judged by itself. For one look of several
    ``alpha`` is that look's (`nas_rnn.comparison.stopping`) and ``earlier`` the comparison of the look before: who
    was decided in it keeps the row it has.

    A contender that diverged on a final seed has an infinite loss: it is ``worse``, no test is needed, and the
    others are judged as if it were not there (which is what Holm's method does with p = 0). Where the baseline
    itself diverged, nothing was shown about anybody: ``undecided``. Pairs with a run that is missing or failed for
    other reasons are left out, and the reason says so. Where the metric cannot be compared on so few items
    (`nas_rnn.comparison.corpus`) it is ``undecided``, and counts as p = 1 in Holm's method. Each row says what its
    word speaks of (`nas_rnn.comparison.scope`).

    Raises NasRnnError when two runs were not measured on the same test items.
    """
    test, metric = _Test(metrics, item, alpha, groups), metrics[0]
    base = outcomes_of(metric, plan.baseline, results)
    asked = [planned for planned in plan.contenders if planned.entry.asked]
    references = [planned for planned in plan.contenders if planned.entry.reference]
    controls = [planned for planned in plan.contenders if planned.entry.control]

    def drafts(group: Sequence[Planned], before: Sequence[ContenderRow]) -> list[_Draft]:
        rows = [*before, *[None] * (len(group) - len(before))]
        return [
            _Draft(row, kept=True)
            if row is not None and is_decided(row)
            else _draft(test, planned, outcomes_of(metric, planned, results), base)
            for planned, row in zip(group, rows, strict=True)
        ]

    contenders = _judged(drafts(asked, earlier.contenders if earlier else ()), test)
    alone = [_judged([draft], test) for draft in drafts(references, ())]
    scales = [_judged([draft], test) for draft in drafts(controls, earlier.controls if earlier else ())]
    baseline = standing(metrics, plan.baseline, base)
    trivial = floors_of(metrics, floors or {}, base, item=item, alpha=alpha, groups=groups)

    known = () if earlier is None else earlier.rows
    margin = None if baseline.mean is None else metric.margin_at(baseline.mean)

    def told(rows: Sequence[ContenderRow]) -> tuple[ContenderRow, ...]:
        return tuple(
            row if any(row is kept for kept in known) else scoped(row, baseline, trivial) for row in rows
        )

    # The baseline's own cell, where a control trained it in another way: better tuned, it may be as good.
    own = plan.baseline.entry.digest
    tuned_more = [planned for planned in controls if own and planned.entry.digest == own]
    judged = against(metric, told(contenders), asked, [*references, *tuned_more], results, test, baseline)
    return Comparison(
        metric=metric.name,
        unit=metric.unit,
        direction=metric.direction,
        margin=margin,
        baseline=baseline,
        contenders=judged,
        references=told([row for rows in alone for row in rows]),
        controls=told([row for rows in scales for row in rows]),
        level=1 - alpha,
        costs=(*costs, cost_of("final", plan.specs, results)),
        counted=counted,
        others=tuple(Measure(name=m.name, unit=m.unit, direction=m.direction) for m in metrics[1:]),
        floors=trivial,
    )


def _draft(test: _Test, planned: Planned, runs: list[Outcome], base: list[Outcome]) -> _Draft:
    """Compare one contender with the baseline over the pairs of which both runs finished."""
    pairs = [
        (run, other)
        for run, other in zip(runs, base, strict=True)
        if run.ending == other.ending == "finished"
    ]
    verdict, reason = without_interval(runs, base)
    row = ContenderRow(
        standing=standing(test.metrics, planned, runs),
        difference=None,
        ci95=None,
        relative_difference=None,
        seed_differences=seed_differences(test.metrics[0], runs, base),
        pairs=len(pairs),
        covers="nothing",
        verdict=verdict or "undecided",
        reason=reason,
        level=1 - test.alpha,
        more_seeds_reason="runs diverge" if verdict == "undecided" else "",
    )
    if verdict is not None or not pairs:
        return _Draft(row)
    found = contrast(test.metrics[0], pairs, item=test.item, alpha=test.alpha, groups=test.groups)
    row = replace(
        row,
        difference=found.difference if math.isfinite(found.difference) else None,
        ci95=found.ci95,
        relative_difference=found.relative,
    )
    if found.interval is None:
        return _Draft(_refused(row, found.refusal, test))
    tests = p_values(found.interval, found.margin)
    row = replace(
        row,
        covers=found.interval.covers,
        p_value=tests.difference if tests else None,
        p_equivalence=tests.equivalence if tests else None,
    )
    margin = min(found.margin)
    return _Draft(replace(row, in_margins=_in_margins(found.interval, margin)), found.interval, margin)


def _in_margins(interval: PairedInterval, margin: float) -> InMargins | None:
    """Return an interval in margins; None where there is none, or no margin that one could divide by."""
    if interval.ci95 is None or not 0 < margin < math.inf:
        return None
    return InMargins(
        difference=interval.difference / margin,
        error=interval.variance**0.5 / margin,
        degrees_of_freedom=interval.degrees_of_freedom,
    )


def against(
    metric: Metric,
    rows: Sequence[ContenderRow],
    contenders: Sequence[Planned],
    references: Sequence[Planned],
    results: Mapping[str, RunResult],
    test: _Test,
    baseline: Standing,
) -> tuple[ContenderRow, ...]:
    """Return the contenders' ``rows`` with what they come to against each of ``references``.

    "Better than both", the baseline and a reference, is an intersection-union test (Berger, *Technometrics* 24, 1982,
    295-300): it takes both tests, so the larger of the two p-values counts, with Holm's method over the contenders. It
    is said only of what is called better than the baseline.
    """
    found: list[list[Against]] = [[] for _ in rows]
    for reference in references:
        others = outcomes_of(metric, reference, results)
        column = [
            _held_against(metric, reference, outcomes_of(metric, planned, results), others, test)
            for planned in contenders
        ]
        both = [
            None if row.p_value is None or one.p_value is None else max(row.p_value, one.p_value)
            for row, one in zip(rows, column, strict=True)
        ]
        other = standing([metric], reference, others)
        for place, (row, one, p_both) in enumerate(zip(rows, column, holm(both), strict=True)):
            if row.verdict == "better" and p_both is not None and p_both < test.alpha:
                # The same word as alone: what is equivalent to the reference is not better than it.
                word = verdict_of(one.difference or 0.0, p_both, one.p_equivalence or 0.0, test.alpha)
                one = replace(one, better_than_both=word == "better", within=within(baseline, other))
            found[place].append(one)
    return tuple(
        row if row.against else replace(row, against=tuple(one)) for row, one in zip(rows, found, strict=True)
    )


def _held_against(
    metric: Metric, reference: Planned, runs: list[Outcome], others: list[Outcome], test: _Test
) -> Against:
    name = reference.entry.name
    pairs = [
        (run, other)
        for run, other in zip(runs, others, strict=True)
        if run.ending == other.ending == "finished"
    ]
    if not pairs or any(run.ending == "diverged" for run in (*runs, *others)):
        return Against(name=name)
    seen = contrast(metric, pairs, item=test.item, alpha=test.alpha, groups=test.groups)
    tests = None if seen.interval is None else p_values(seen.interval, seen.margin)
    return Against(
        name=name,
        difference=seen.difference if math.isfinite(seen.difference) else None,
        ci95=seen.ci95,
        p_value=None if tests is None else tests.difference,
        p_equivalence=None if tests is None else tests.equivalence,
    )


def _refused(row: ContenderRow, refusal: str, test: _Test) -> ContenderRow:
    """Return a row that the metric cannot decide: nothing was shown, whatever the number of seeds."""
    return replace(
        row,
        p_value=1.0,
        p_equivalence=1.0,
        reason="; ".join(filter(None, (refusal, row.reason))),
        more_seeds_reason=f"the test part has too few {test.scarce}",
    )


def _judged(family: Sequence[_Draft], test: _Test) -> tuple[ContenderRow, ...]:
    """Return the rows of one family with their verdicts; rows that are kept count as what they were called."""
    differences = holm([_counts(draft, draft.row.p_value, ("better", "worse")) for draft in family])
    equivalences = holm([_counts(draft, draft.row.p_equivalence, ("equivalent",)) for draft in family])
    rows = []
    for draft, difference, equivalence in zip(family, differences, equivalences, strict=True):
        row = draft.row
        if not draft.kept and difference is not None and equivalence is not None:
            row = replace(
                row,
                p_adjusted=difference,
                p_equivalence_adjusted=equivalence,
                verdict=verdict_of(row.difference or 0.0, difference, equivalence, test.alpha),
            )
        rows.append(row)
    tested = [row for draft, row in zip(family, rows, strict=True) if draft.kept or row.p_value is not None]
    different = sum(row.verdict in ("better", "worse") for row in tested)
    equivalent = sum(row.verdict == "equivalent" for row in tested)
    # What Holm's method has left for the next one, with those decided out of its way.
    share = tuple(test.alpha / max(1, len(tested) - called) for called in (different, equivalent))
    return tuple(
        _with_more_seeds(
            row, draft.interval, Levels(difference=share[0], equivalence=share[1], margin=draft.margin), test
        )
        for draft, row in zip(family, rows, strict=True)
    )


def _counts(draft: _Draft, p_value: float | None, called: tuple[str, ...]) -> float | None:
    """Return the p-value with which a draft takes part in Holm's method."""
    return float(draft.row.verdict not in called) if draft.kept else p_value


def _with_more_seeds(
    row: ContenderRow, interval: PairedInterval | None, levels: Levels, test: _Test
) -> ContenderRow:
    """Return an undecided row with what more seeds would do."""
    if interval is None or row.verdict != "undecided":
        return row
    why = hopeless(interval, levels)
    if why:
        reason = SETTINGS_APART if why == "settings" else f"the test part has too few {test.scarce}"
        return replace(row, more_seeds_reason=reason)
    return replace(row, more_seeds=more_seeds(interval, levels))
