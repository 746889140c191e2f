"""What differs between two records, entry by entry; what only bears another name is told apart."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from unchanged.reading import VERDICT, Entries, Value

Record = Mapping[str, Entries]
"""The entries of each run, by its name."""

_FIRST_LOSS = re.compile(r"curves/.*/1/[^/]*loss[^/]*")
_MISSING = "(none)"


@dataclass(frozen=True)
class Difference:
    """One entry of one run that has another value in the second record, or is in one of them alone."""

    run: str
    field: str
    old: Value
    new: Value

    @property
    def relative(self) -> float | None:
        """How far the new number is from the old, over the larger of the two; None where one is no number."""
        return relative(self.old, self.new)

    def __str__(self) -> str:
        far = "" if self.relative is None else f"  ({self.relative:.2g} relative)"
        return f"{self.run}  {self.field}  {_shown(self.old)} -> {_shown(self.new)}{far}"


@dataclass
class Outcome:
    """All differences, the entries (run, old name, new name) that kept their value under another name, how many
    are equal, and of the losses after the first epoch the largest relative difference (None: there are none)."""

    differences: list[Difference] = field(default_factory=list)
    renamed: list[tuple[str, str, str]] = field(default_factory=list)
    equal: int = 0
    first_losses: float | None = None

    @property
    def verdicts_agree(self) -> bool:
        return not any(difference.field.endswith(f"/{VERDICT}") for difference in self.differences)

    def is_within(self, tolerance: float | None) -> bool:
        """Whether nothing differs, or with a tolerance nothing that matters.

        With one, weights and later epochs may differ (rounding grows while a model learns): the losses after the first
        epoch must be as near as that, every verdict the same, and nothing missing or new.
        """
        if tolerance is None:
            return not self.differences
        one_sided = any(_MISSING in (d.old, d.new) for d in self.differences)
        return not one_sided and self.verdicts_agree and (self.first_losses or 0.0) <= tolerance


def compare(old: Record, new: Record) -> Outcome:
    """Return what differs in ``new`` from ``old``."""
    outcome = Outcome()
    for run in dict.fromkeys([*old, *new]):
        _compare_run(run, old.get(run, {}), new.get(run, {}), outcome)
    return outcome


def _compare_run(run: str, old: Entries, new: Entries, outcome: Outcome) -> None:
    for name in old.keys() & new.keys():
        if _FIRST_LOSS.fullmatch(name):
            distance = relative(old[name], new[name])
            outcome.first_losses = max(
                outcome.first_losses or 0.0, math.inf if distance is None else distance
            )
    gone = {name: value for name, value in old.items() if name not in new}
    added = {name: value for name, value in new.items() if name not in old}
    renamed = dict(_renamed(gone, added))
    outcome.renamed += [(run, *names) for names in renamed.items()]
    added = {name: value for name, value in added.items() if name not in set(renamed.values())}
    for name, value in old.items():
        if name in renamed:
            outcome.equal += 1
        elif name not in new:
            outcome.differences.append(Difference(run, name, value, _MISSING))
        elif _same(value, new[name]):
            outcome.equal += 1
        else:
            outcome.differences.append(Difference(run, name, value, new[name]))
    outcome.differences += [Difference(run, name, _MISSING, value) for name, value in added.items()]


def _renamed(gone: Entries, added: Entries) -> Iterator[tuple[str, str]]:
    """Yield pairs of names of equal value, in the order that both records have them."""
    waiting: dict[tuple[str, Value], list[str]] = defaultdict(list)
    for name, value in reversed(added.items()):
        waiting[_kind(name), value].append(name)
    for name, value in gone.items():
        if waiting[_kind(name), value]:
            yield name, waiting[_kind(name), value].pop()


def _kind(name: str) -> str:
    """Return which part of a record an entry is of: curves, weights or answer."""
    return name.partition("/")[0]


def _same(old: Value, new: Value) -> bool:
    return old == new or (old != old and new != new)


def relative(old: Value, new: Value) -> float | None:
    """Return the difference of two numbers over the larger of them; None where one is no number."""
    if not (isinstance(old, int | float) and isinstance(new, int | float)):
        return None
    if _same(old, new):
        return 0.0
    return abs(new - old) / max(abs(old), abs(new)) if math.isfinite(old + new) else math.inf


def _shown(value: Value) -> str:
    return value[:16] if isinstance(value, str) else repr(value)


def report(outcome: Outcome, tolerance: float | None = None, most: int | None = None) -> Iterator[str]:
    """Yield the lines that say what differs, at most so many differences."""
    shown = outcome.differences[:most]
    yield from map(str, shown)
    if len(outcome.differences) > len(shown):
        yield f"and {len(outcome.differences) - len(shown)} more"
    if outcome.renamed:
        run, old, new = outcome.renamed[0]
        yield f"{len(outcome.renamed)} renamed, of equal value, such as {run}  {old} -> {new}"
    yield f"{outcome.equal} equal, {len(outcome.differences)} different"
    if tolerance is not None:
        far = "none to compare" if outcome.first_losses is None else f"{outcome.first_losses:.3g}"
        words = "the same" if outcome.verdicts_agree else "not the same"
        yield f"losses after the first epoch: largest relative difference {far}; verdicts: {words}"
