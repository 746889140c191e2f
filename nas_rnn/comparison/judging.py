"""From the results of the final runs to the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_rnn.comparison.costs import cost_of
from nas_rnn.comparison.outcomes import Outcome, common_weights, outcomes_of, standing, without_interval
from nas_rnn.comparison.plan import FinalPlan, Planned, direction_sign
from nas_rnn.comparison.power import Levels, items_too_few, more_seeds
from nas_rnn.comparison.result import Comparison, ContenderRow, Cost
from nas_rnn.comparison.statistics import PairedInterval, paired_interval, plural
from nas_rnn.comparison.stopping import ALPHA, is_decided
from nas_rnn.comparison.testing import holm, p_values
from nas_rnn.comparison.verdict import verdict_of
from nas_rnn.tasks import Metric
from nas_rnn.training import RunResult


@dataclass(frozen=True)
class _Draft:
    """A row before the others of its family are known; without an interval its verdict stands."""

    row: ContenderRow
    interval: PairedInterval | None = None
    margin: float = 0.0
    kept: bool = False


def judge(
    metric: Metric,
    plan: FinalPlan,
    results: Mapping[str, RunResult],
    *,
    item: str = "item",
    alpha: float = ALPHA,
    earlier: Comparison | None = None,
    costs: Sequence[Cost] = (),
    counted: str = "targets",
) -> Comparison:
    """Return the verdict on every contender of a final plan.

    ``results`` are by run id; ``item`` is the task's word for one test item, ``counted`` for one target.
    ``costs`` are those of earlier parts (search, selection, tuning), to which "final" is added.

    The chance that any contender is wrongly called better or worse is at most ``alpha``: Holm's method over
    all of them but the controls, each of which is judged by itself. For one look of several ``alpha`` is that
    look's (`nas_rnn.comparison.stopping`) and ``earlier`` the comparison of the look before: who was settled
    in it keeps the row it has.

    A contender that diverged on a final seed has an infinite loss: it is ``worse``, no test is needed, and
    the others are judged as if it were not there (which is what Holm's method does with p = 0). Where the
    baseline itself diverged, nothing was shown about anybody: ``undecided``. Pairs with a run that is missing
    or failed for other reasons are left out, and the reason says so.

    Raises NasRnnError when two runs were not measured on the same test items.
    """
    base = outcomes_of(metric, plan.baseline, results)
    asked = [planned for planned in plan.contenders if not planned.entry.control]
    controls = [planned for planned in plan.contenders if planned.entry.control]

    def drafts(group: Sequence[Planned], before: Sequence[ContenderRow]) -> list[_Draft]:
        rows = [*before, *[None] * (len(group) - len(before))]
        return [
            _Draft(row, kept=True)
            if row is not None and is_decided(row)
            else _draft(metric, planned, outcomes_of(metric, planned, results), base, item, alpha)
            for planned, row in zip(group, rows, strict=True)
        ]

    contenders = _judged(drafts(asked, earlier.contenders if earlier else ()), alpha, item)
    scales = [
        _judged([draft], alpha, item) for draft in drafts(controls, earlier.controls if earlier else ())
    ]
    baseline = standing(plan.baseline, base)
    return Comparison(
        metric=metric.name,
        unit=metric.unit,
        direction=metric.direction,
        margin=None if baseline.mean is None else metric.margin_at(baseline.mean),
        baseline=baseline,
        contenders=contenders,
        controls=tuple(row for rows in scales for row in rows),
        level=1 - alpha,
        costs=(*costs, cost_of("final", plan.specs, results)),
        counted=counted,
    )


def _draft(
    metric: Metric, planned: Planned, runs: list[Outcome], base: list[Outcome], item: str, alpha: float
) -> _Draft:
    """Compare one contender with the baseline over the pairs of which both runs finished."""
    pairs = [
        (run, other)
        for run, other in zip(runs, base, strict=True)
        if run.ending == other.ending == "finished"
    ]
    sign = direction_sign(metric)
    verdict, reason = without_interval(runs, base)
    row = ContenderRow(
        standing=standing(planned, runs),
        difference=None,
        ci95=None,
        relative_difference=None,
        seed_differences=_seed_differences(sign, runs, base),
        pairs=len(pairs),
        covers="nothing",
        verdict=verdict or "undecided",
        reason=reason,
        level=1 - alpha,
        more_seeds_reason="the baseline diverges" if verdict == "undecided" else "",
    )
    if verdict is not None or not pairs:
        return _Draft(row)
    weights_N = common_weights(pairs)
    candidate_SN = sign * np.stack([run.values_N for run, _ in pairs])
    baseline_SN = sign * np.stack([other.values_N for _, other in pairs])
    interval = paired_interval(candidate_SN, baseline_SN, weights_N, item=item, alpha=alpha)
    level = float(np.mean([other.mean for _, other in pairs]))
    gap = metric.gap(level + sign * interval.difference, level)
    margin = metric.margin_at(level)
    tests = p_values(interval, margin)
    row = replace(
        row,
        difference=interval.difference,
        ci95=interval.ci95,
        relative_difference=gap if math.isfinite(gap) else None,
        covers=interval.covers,
        p_value=tests.difference if tests else None,
        p_equivalence=tests.equivalence if tests else None,
    )
    return _Draft(row, interval, margin)


def _judged(family: Sequence[_Draft], alpha: float, item: str) -> tuple[ContenderRow, ...]:
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
                verdict=verdict_of(row.difference or 0.0, difference, equivalence, alpha),
            )
        rows.append(row)
    tested = [row for draft, row in zip(family, rows, strict=True) if draft.kept or row.p_value is not None]
    different = sum(row.verdict in ("better", "worse") for row in tested)
    equivalent = sum(row.verdict == "equivalent" for row in tested)
    # What Holm's method has left for the next one, with those settled out of its way.
    share = alpha / max(1, len(tested) - different), alpha / max(1, len(tested) - equivalent)
    return tuple(
        _with_more_seeds(
            row, draft.interval, Levels(difference=share[0], equivalence=share[1], margin=draft.margin), item
        )
        for draft, row in zip(family, rows, strict=True)
    )


def _counts(draft: _Draft, p_value: float | None, called: tuple[str, ...]) -> float | None:
    """Return the p-value with which a draft takes part in Holm's method."""
    return float(draft.row.verdict not in called) if draft.kept else p_value


def _with_more_seeds(
    row: ContenderRow, interval: PairedInterval | None, levels: Levels, item: str
) -> ContenderRow:
    """Return an undecided row with what more seeds would do."""
    if interval is None or row.verdict != "undecided":
        return row
    if items_too_few(interval, levels):
        return replace(row, more_seeds_reason=f"the test part has too few {plural(item)}")
    return replace(row, more_seeds=more_seeds(interval, levels))


def _seed_differences(sign: int, runs: list[Outcome], base: list[Outcome]) -> tuple[float | None, ...]:
    """Return the signed difference of each pair's means, None where one is missing."""
    means = [(run.mean, other.mean) for run, other in zip(runs, base, strict=True)]
    return tuple(None if a is None or b is None else sign * (a - b) for a, b in means)
