"""How it came to a final, in sentences; and how many random cells do as well as the winner."""

from __future__ import annotations

from nas_rnn.comparison.course import Course, Rung, Way
from nas_rnn.comparison.result import Comparison
from nas_rnn.comparison.spreads import median_text


def course_lines(comparison: Comparison) -> list[str]:
    """Return the course in sentences, and how many random cells do as well as the winner; if that is known."""
    course = comparison.course or Course()
    lines = [_rung_line(rung, "candidates") for rung in course.search]
    if course.tuning is not None:
        lines.append(_rung_line(course.tuning, "settings"))
    if course.way is not None:
        lines.append(_way_line(course.way, course.monitor, comparison))
    return [*lines, *_random_lines(comparison)]


def _rung_line(rung: Rung, what: str) -> str:
    line = f"After {rung.epochs} epoch{'s' * (rung.epochs != 1)} {rung.went_on} of {rung.of} {what} went on"
    if rung.correlation is None:
        return f"{line}; too few came to their end to say whether the ranks then and at the end agree."
    return (
        f"{line}; of those that came to their end, the ranks then and at the end correlate by "
        f"{rung.correlation:.2f}."
    )


def _way_line(way: Way, monitor: str, comparison: Comparison) -> str:
    test = comparison.contenders[0].standing.mean
    steps = [
        f"{value:.4g} {where}"
        for value, where in (
            (way.score, "in the search"),
            (way.fresh, f"on fresh seeds ({monitor}, validation data)"),
            (test, f"on the test data ({comparison.unit})"),
        )
        if value is not None
    ]
    return f"From the search to the test, `{way.name}`: {', '.join(steps)}."


def _random_lines(comparison: Comparison) -> list[str]:
    """Say how many of the random cells in the final do as well as the winner, run by run."""
    rows = [row for row in comparison.controls if row.standing.several_cells]
    if not rows or not comparison.contenders or comparison.margin is None:
        return []
    random, winner = rows[0].standing, comparison.contenders[0].standing
    sign = 1 if comparison.direction == "minimize" else -1
    pairs = [
        (theirs, ours)
        for theirs, ours in zip(random.values, winner.values, strict=False)
        if theirs is not None and ours is not None
    ]
    if not pairs:
        return []
    as_good = sum(sign * (theirs - ours) <= comparison.margin for theirs, ours in pairs)
    line = (
        f"{as_good} of {len(pairs)} random cells did as well as `{winner.name}` or better, within the margin"
    )
    if random.diverged:
        return [f"{line}; {random.diverged} diverged."]
    return [f"{line}; their median is {median_text(random)}." if len(pairs) > 2 else f"{line}."]
