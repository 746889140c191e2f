"""How it came to a final: what the rungs decided and whether they were right, and the winner's way to the test part.

A score that somebody was chosen by is flattered by the choice; so the winner's stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas_rnn.comparison.result import Comparison


@dataclass(frozen=True, kw_only=True)
class Rung:
    """How one rung of a halving decided: after how many ``epochs``, how many went on of how many.

    ``correlation`` is Spearman's, between the ranks there and at the end, of those that went on to their end: the mean
    over cells where each has a ranking of its own. None where these are too few to tell.
    """

    epochs: int
    went_on: int
    of: int
    correlation: float | None = None


@dataclass(frozen=True, kw_only=True)
class Way:
    """The validation values of a search's winner: the ``score`` in the search, the mean on ``fresh`` seeds."""

    name: str
    score: float | None
    fresh: float | None


@dataclass(frozen=True, kw_only=True)
class Course:
    """The rungs of a ``search`` and of ``tuning``, and the winner's ``way``; what there was not is empty or None.

    ``monitor`` is the unit of the values on validation data.
    """

    search: tuple[Rung, ...] = ()
    tuning: Rung | None = None
    way: Way | None = None
    monitor: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Course:
        """Return the course that `dataclasses.asdict` described, also after a trip through JSON."""
        tuning, way = values["tuning"], values["way"]
        return cls(
            search=tuple(Rung(**rung) for rung in values["search"]),
            tuning=None if tuning is None else Rung(**tuning),
            way=None if way is None else Way(**way),
            monitor=str(values["monitor"]),
        )


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
    line = f"After {rung.epochs} epochs {rung.went_on} of {rung.of} {what} went on"
    if rung.correlation is None:
        return f"{line}: too few to say whether their ranks there and at the end agree."
    return f"{line}; the rank correlation of their values there and at the end is {rung.correlation:.2f}."


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
    return f"The way of `{way.name}`: {', '.join(steps)}."


def _random_lines(comparison: Comparison) -> list[str]:
    """Say how many of the random cells in the final do as well as the winner, run by run."""
    rows = [row for row in comparison.controls if not row.standing.digest]
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
    return [f"{line}; {random.diverged} diverged." if random.diverged else f"{line}."]
