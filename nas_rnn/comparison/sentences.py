"""The answer in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas_rnn.comparison.power import PROMISED
from nas_rnn.comparison.result import Against, Comparison, ContenderRow, Standing
from nas_rnn.comparison.verdict import verdict_of

MOST_READERS = 3
"""So many of the finals that read the same test part are named, the others counted."""

ENOUGH_SETTINGS = 8
"""The default of ``tune``: of a tuning with fewer settings a sentence says how many it had."""

_RELATION = {
    "better": "is better than",
    "equivalent": "is equivalent to",
    "worse": "is worse than",
}


def sentence(comparison: Comparison) -> str:
    """Return the answer, one sentence for each contender, with the figures it rests on.

    For example: "`gated-3f2a` is worse than the LSTM, both untuned: 2.310 against 2.250 UNIT, difference
    +0.060 [+0.030, +0.090] (95 %, over 5 seeds and the test blocks)."
    """
    return " ".join(sentences(comparison)) or "Nothing was compared."


def sentences(comparison: Comparison) -> list[str]:
    """Return the sentences of `sentence`: of a test part that was read before, then one for each contender."""
    rows = [_sentence(comparison, row) for row in comparison.contenders]
    return [*reading_again(comparison), *rows] if rows else []


def reading_again(comparison: Comparison) -> list[str]:
    """Return a sentence where the test part had been read before, and what to do about it; else none.

    For example: "The test part is read for the 3rd time (before: first, second), so ..."
    """
    before = comparison.read_before
    if not before:
        return []
    time = _ordinal(len(before) + 1)
    return [
        f"The test part is read for the {time} time (before: {readers(before)}), so what was learned from it may "
        "have gone into what is compared; `--fresh-test 0.1` begins anew with one that nothing has read."
    ]


def readers(names: Sequence[str]) -> str:
    """Return the names of the finals that read a test part, the first few of many."""
    more = f" and {len(names) - MOST_READERS} more" if len(names) > MOST_READERS else ""
    return f"{', '.join(names[:MOST_READERS])}{more}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def answer_lines(comparison: Comparison, answer: str) -> list[str]:
    """Return ``answer`` in lines: one for each of `sentences` where it is made of them, else as it is."""
    several = sentences(comparison)
    return several if answer == " ".join(several) else [answer]


def _sentence(comparison: Comparison, row: ContenderRow) -> str:
    """Return one row's sentence."""
    subject = f"`{row.standing.name}`"
    other = baseline_name(comparison.baseline)
    if row.verdict == "undecided":
        claim = f"It is undecided whether {subject} beats {other}"
    else:
        claim = f"{subject} {_RELATION[row.verdict]} {other}"
    both = [one for one in row.against if one.better_than_both]
    claim += "".join(f" and {cell_name(one.name)}" for one in both)
    within = next((one.within for one in both if one.within), "") if both else row.within
    claim += f" {within}" if within else ""
    claim += _few_settings(comparison, row, both)  # a part of the claim: of other settings it says nothing
    if row.weak_baseline:
        poor = any(floor.as_good for floor in comparison.floors if floor.name == row.weak_baseline)
        claim += f": {other} has not learned enough to be a baseline; it "
        claim += (
            f"{'is no better than' if poor else 'does not clearly beat'} a trivial one, {row.weak_baseline}"
        )
    if row.difference is None:
        reason = row.reason or "none of its runs has a test result"
        return f"{claim}: {reason}."
    remarks = [
        _cover(row),
        "negative is better" if comparison.direction == "maximize" else "",
        _margin(comparison, row),
        _correction(comparison, row),
        _seeds_wanted(row),
        *(_against(comparison, row, one) for one in row.against),
        row.reason,
    ]
    told = "; ".join(remark for remark in remarks if remark)
    return f"{claim}{'; ' if row.weak_baseline else ': '}{_figures(comparison, row)} ({told})."


def tuning_remark(standing: Standing) -> str:
    """Say where better settings might be found easily; "" after a tuning of some size."""
    if not standing.tuned:
        return "untuned"
    return f"tuned with {standing.tried} settings only" if 0 < standing.tried < ENOUGH_SETTINGS else ""


def _few_settings(comparison: Comparison, row: ContenderRow, beaten: Sequence[Against]) -> str:
    """Return, after a comma, which of those that a claim names were tuned little: "both untuned", "the LSTM ..."."""
    others = {one.standing.name: one.standing for one in (*comparison.references, *comparison.controls)}
    named = {f"`{row.standing.name}`": row.standing, baseline_name(comparison.baseline): comparison.baseline}
    named |= {cell_name(one.name): others[one.name] for one in beaten}
    found: dict[str, list[str]] = {}
    for name, standing in named.items():
        found.setdefault(tuning_remark(standing), []).append(name)
    found.pop("", None)
    everyone = "both" if len(named) == 2 else "all"
    whose = {
        remark: everyone if len(names) == len(named) else " and ".join(names)
        for remark, names in found.items()
    }
    return "".join(f", {names} {remark}" for remark, names in whose.items())


def _figures(comparison: Comparison, row: ContenderRow) -> str:
    """Return the two means, the difference and its interval."""
    digits = decimals(comparison, row)
    text = f"difference {signed(row.difference or 0.0, digits)}"
    if row.standing.mean is not None and row.difference is not None:
        # The baseline's mean over the same seeds: it may have more of them by now.
        sign = 1 if comparison.direction == "minimize" else -1
        other = row.standing.mean - sign * row.difference
        text = f"{row.standing.mean:.{digits}f} against {other:.{digits}f} {comparison.unit}, {text}"
    return (
        text if row.ci95 is None else f"{text} [{signed(row.ci95[0], digits)}, {signed(row.ci95[1], digits)}]"
    )


def _against(comparison: Comparison, row: ContenderRow, one: Against) -> str:
    """Return the figures against a reference; only of what is better than the baseline it is asked at all."""
    if row.verdict != "better":
        return ""
    if one.difference is None:
        return f"not compared with {cell_name(one.name)}, of which a run diverged or none has a result"
    digits = decimals(comparison, row)
    figures = signed(one.difference, digits)
    if one.ci95 is not None:
        figures += f" [{signed(one.ci95[0], digits)}, {signed(one.ci95[1], digits)}]"
    if one.better_than_both:
        return f"difference from {cell_name(one.name)} {figures}"
    near = one.p_equivalence is not None and one.p_equivalence <= (1 - row.level) / 2
    where = ", within the margin" if near else ""
    return f"not shown to be better than {cell_name(one.name)}, from which it differs by {figures}{where}"


def baseline_name(baseline: Standing) -> str:
    """Return how a sentence names the baseline."""
    return cell_name(baseline.name)


def cell_name(name: str) -> str:
    """Return how a sentence names a cell: the LSTM and the GRU as everybody knows them, others by their name."""
    if name.startswith("LSTM "):  # what a control has done to it, in words
        return f"the {name}"
    return f"the {name.upper()}" if name.lower() in ("lstm", "gru") else f"`{name}`"


def verdict_remark(row: ContenderRow) -> str:
    """Return what stands in brackets behind a verdict in tables: ``(control, within 4 epochs)``; "" for nothing."""
    remarks = [
        "control" if row.standing.control else "",
        "reference" if row.standing.reference else "",
        "diverged" if row.standing.diverged else "",
        row.within,
        "too weak a baseline" if row.weak_baseline else "",
    ]
    told = ", ".join(filter(None, remarks))
    return f" ({told})" if told else ""


def decimals(comparison: Comparison, row: ContenderRow) -> int:
    """Return the decimals, 2 to 6, that show two digits of the interval's half width, or the difference."""
    if row.ci95 is not None and row.ci95[1] > row.ci95[0]:
        scale = (row.ci95[1] - row.ci95[0]) / 2
    else:
        scale = abs(row.difference or 0.0) or comparison.margin or 1.0
    return min(6, max(2, 1 - math.floor(math.log10(scale))))


def four_digits(value: float) -> str:
    """Return a metric's value with four significant digits, from 10,000 on as a whole number."""
    return f"{value:,.0f}" if 9999.5 <= abs(value) < 1e15 else f"{value:#.4g}".rstrip(".")


def signed(value: float, digits: int) -> str:
    """Return a difference with its sign and so many decimals; what is huge, as an exploded loss is, in three digits."""
    return f"{value:+.{digits}f}" if abs(value) < 1e6 else f"{value:+.3g}"


def two_digits(value: float) -> str:
    """Return a spread with two significant digits, from 100 on as a whole number: no 1.2e+02."""
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.2g}"


def percent(level: float) -> str:
    """Return a level in per cent, with as many digits as tell it from 100 %."""
    return f"{100 * level:.3g} %"


def _cover(row: ContenderRow) -> str:
    """Say what the interval covers, and how surely."""
    if row.ci95 is None:
        refused = row.more_seeds_reason != ""  # `reason` says why
        return "" if refused else "no interval: one seed, and one test item or one group of items"
    seeds, level = f"{row.pairs} seeds", percent(row.level)
    if row.level > 0.95:
        level = f"95 % whenever the comparison ends, {level} at this look"
    if row.covers.startswith("seeds"):
        covers = row.covers.replace("seeds", seeds, 1).replace(" and test ", " and the test ")
        return f"{level}, over {covers}{', not the test items' if covers.endswith(' only') else ''}"
    return f"{level}, over the {row.covers}: one seed, so another seed may reverse it"


def _margin(comparison: Comparison, row: ContenderRow) -> str:
    """Say how wide equivalence is, where the word was used."""
    if row.verdict != "equivalent" or comparison.margin is None:
        return ""
    return f"within the margin of {comparison.margin:.{decimals(comparison, row)}f}"


def _correction(comparison: Comparison, row: ContenderRow) -> str:
    """Say where a contender by itself would have been called something else."""
    difference, p_value, p_equivalence = row.difference, row.p_value, row.p_equivalence
    if difference is None or p_value is None or p_equivalence is None:
        return ""
    alone = verdict_of(difference, p_value, p_equivalence, 1 - row.level)
    if alone == row.verdict or row.weak_baseline:
        return ""
    count = sum(other.p_value is not None for other in comparison.contenders)
    return f"{alone} on its own, but not after Holm's correction for {count} contenders"


def _seeds_wanted(row: ContenderRow) -> str:
    """Say what more seeds would do, where it is undecided."""
    if row.verdict != "undecided" or row.pairs < 2:
        return ""
    if row.more_seeds_reason:
        return f"more seeds cannot decide it: {row.more_seeds_reason}"
    if row.more_seeds is None:
        return "more seeds alone are unlikely to decide it at this difference"
    seeds = "1 more seed" if row.more_seeds == 1 else f"{row.more_seeds:,} more seeds"
    chance = f"with a chance of {percent(PROMISED)}"
    return f"{seeds} per cell would decide it {chance}, at this difference and spread"


def cost_sentence(comparison: Comparison) -> str:
    """Return what it took: runs by part, core time and targets learned from; empty where nothing was kept.

    For example: "Cost: 25 search, 6 selection and 10 final runs: 12.3 core-minutes, 41.2 million characters."
    """
    costs = [cost for cost in comparison.costs if cost.runs or cost.seconds]
    if not costs:
        return ""
    listed = [f"{cost.runs:,} {cost.part}" for cost in costs if cost.runs]
    runs = " and ".join(", ".join(part) for part in (listed[:-1], listed[-1:]) if part)
    if listed:
        runs += " run: " if listed == [f"1 {costs[-1].part}"] else " runs: "
    amounts = [_core_time(comparison.seconds)]
    units = sum(cost.units for cost in costs)
    if units:
        amounts.append(f"{_large(units)} {comparison.counted}")
    return f"Cost: {runs}{', '.join(amounts)}."


def _core_time(seconds: float) -> str:
    """Return core-seconds in the unit that keeps the figure readable."""
    for size, unit in ((3600, "core-hours"), (60, "core-minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} core-seconds"


def _large(count: int) -> str:
    """Return a count with a word for its thousands of thousands."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.3g} {word}"
    return f"{count:,}"
