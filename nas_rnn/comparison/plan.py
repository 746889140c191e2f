"""Which runs a fair comparison needs: fresh seeds for the best candidates, then paired final runs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nas_rnn.comparison.seeds import Part, derived_seed
from nas_rnn.errors import UserError
from nas_rnn.tasks import Metric
from nas_rnn.training import RunResult, RunSpec, TrainingOptions

MOST_ENTRIES = 254
_STREAMS = MOST_ENTRIES + 2  # of seeds in one round: data order, baseline, contenders


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One cell that takes part: what to train, at which size, and how.

    ``parameters`` counts the whole model and ``mismatch`` is its relative distance from the baseline's;
    ``training`` holds the full budget, and the tuned learning rate and so on where ``tuned``; ``score`` is
    the validation metric of the search (None: it never got one).
    """

    name: str
    cell: str
    digest: str
    hidden_size: int
    parameters: int
    training: TrainingOptions
    mismatch: float = 0.0
    tuned: bool = False
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An entry with the runs that it needs; run p of every entry of one plan shares its data order."""

    entry: Entry
    specs: tuple[RunSpec, ...]


@dataclass(frozen=True, kw_only=True)
class FinalPlan:
    """The final runs: the baseline's and each contender's, paired by position."""

    baseline: Planned
    contenders: tuple[Planned, ...]

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """All runs, pair by pair, so that a comparison cut short still has whole pairs."""
        everyone = (self.baseline, *self.contenders)
        return tuple(
            spec for pair in zip(*(planned.specs for planned in everyone), strict=True) for spec in pair
        )


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The entry picked for the final, or None with a ``reason``; ``means`` by entry (None: diverged)."""

    entry: Entry | None
    reason: str | None
    means: tuple[float | None, ...]


@dataclass(frozen=True)
class TaskChoice:
    """A task by name, with its options."""

    name: str
    options: Mapping[str, int | float | str | bool]


def selection_specs(
    candidates: Iterable[Entry], metric: Metric, *, task: TaskChoice, seed: int, top: int = 3, seeds: int = 2
) -> tuple[Planned, ...]:
    """Return the ``top`` candidates by validation score, each with ``seeds`` runs on fresh seeds.

    The best score of a search is flattered by luck, so the few best are trained anew before one is picked.
    Candidates of one digest count once, with their best score; those without a finite score are left out.
    At equal scores the one with fewer parameters comes first, then the earlier one. Raises UserError for
    top or seeds below 1.
    """
    _at_least_one("top", top)
    scored = [entry for entry in candidates if entry.score is not None and math.isfinite(entry.score)]
    sign = direction_sign(metric)
    ranked = sorted(scored, key=lambda entry: (sign * _score(entry), entry.parameters))
    best: dict[str, Entry] = {}
    for entry in ranked:
        best.setdefault(entry.digest, entry)
    chosen = list(best.values())[:top]
    return _planned(chosen, part="selection", task=task, seed=seed, seeds=seeds, read_test=False)


def final_specs(
    baseline: Entry, contenders: Sequence[Entry], *, task: TaskChoice, seed: int, seeds: int = 5
) -> FinalPlan:
    """Return the paired final runs of the baseline and each contender: the only ones to read the test part.

    Pair p of all entries shares one data order. Weights start from seeds of their own even within a pair:
    shared ones would mean something only for equal cells, whose comparison they would make a comparison of
    nothing. More seeds, or more contenders, leave the earlier runs as they were.
    """
    planned = _planned(
        [baseline, *contenders], part="final", task=task, seed=seed, seeds=seeds, read_test=True
    )
    return FinalPlan(baseline=planned[0], contenders=planned[1:])


def pick_winner(plan: Sequence[Planned], results: Mapping[str, RunResult], metric: Metric) -> Winner:
    """Return the entry with the best mean validation metric over its fresh seeds.

    ``results`` are by run id. A run that diverged counts as infinitely bad: fewer of those come first, then
    the mean of the others, then fewer parameters, then the earlier entry. Runs that are missing or failed
    for other reasons are left out of the mean.
    """
    sign = direction_sign(metric)
    ranked: list[tuple[int, float, int, int]] = []
    means: list[float | None] = []
    for position, planned in enumerate(plan):
        values, diverged = _validation(planned, results)
        mean = sum(values) / len(values) if values else None
        means.append(None if diverged else mean)
        if mean is not None:
            ranked.append((diverged, sign * mean, planned.entry.parameters, position))
    if ranked:
        return Winner(entry=plan[min(ranked)[-1]].entry, reason=None, means=tuple(means))
    names = ", ".join(planned.entry.name for planned in plan)
    reason = (
        f"every run diverged or failed on fresh seeds: {names}"
        if plan
        else "no candidate has a validation score"
    )
    return Winner(entry=None, reason=reason, means=tuple(means))


def direction_sign(metric: Metric) -> int:
    """Return 1 where less is better and -1 where more is: sign * value is then smaller for the better."""
    return -1 if metric.direction == "maximize" else 1


def file_safe(name: str) -> str:
    """Return ``name`` as a part of a file name: letters, digits, ``_``, ``.``, ``-``; 1 to 48 of them."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:48].strip("-.") or "cell"


def _planned(
    entries: Sequence[Entry], *, part: Part, task: TaskChoice, seed: int, seeds: int, read_test: bool
) -> tuple[Planned, ...]:
    """Return each entry with ``seeds`` runs; seeds are numbered by run, then data order and entries."""
    _at_least_one("seeds", seeds)
    if len(entries) > MOST_ENTRIES + 1:
        raise UserError(f"at most {MOST_ENTRIES} cells can be compared at once, got {len(entries)}")
    verb = "select" if part == "selection" else "final"
    stems = _distinct(f"{verb}-{file_safe(entry.name)}" for entry in entries)
    plan = []
    for position, (entry, stem) in enumerate(zip(entries, stems, strict=True)):
        specs = tuple(
            RunSpec(
                id=f"{stem}-s{run}",
                role="selection" if part == "selection" else "final",
                name=entry.name,
                cell=entry.cell,
                hidden_size=entry.hidden_size,
                task=task.name,
                task_options=dict(task.options),
                training=entry.training,
                seed=derived_seed(seed, part, run * _STREAMS + 1 + position),
                data_seed=derived_seed(seed, part, run * _STREAMS),
                read_test=read_test,
            )
            for run in range(seeds)
        )
        plan.append(Planned(entry=entry, specs=specs))
    return tuple(plan)


def _distinct(stems: Iterable[str]) -> list[str]:
    """Number stems that occur before, so that no two are one even where a file system ignores case."""
    taken: set[str] = set()
    result = []
    for stem in stems:
        number, unique = 1, stem
        while unique.lower() in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique.lower())
        result.append(unique)
    return result


def _validation(planned: Planned, results: Mapping[str, RunResult]) -> tuple[list[float], int]:
    """Return the finite best validation metrics of an entry's runs, and how many diverged."""
    values, diverged = [], 0
    for spec in planned.specs:
        result = results.get(spec.id)
        if result is None or result.status == "failed":
            continue
        if result.status == "diverged" or (
            result.best_metric is not None and not math.isfinite(result.best_metric)
        ):
            diverged += 1
        elif result.best_metric is not None:
            values.append(result.best_metric)
    return values, diverged


def _score(entry: Entry) -> float:
    """Return the score of an entry that is known to have one."""
    return math.inf if entry.score is None else entry.score


def _at_least_one(what: str, value: int) -> None:
    """Raise UserError for a count below one."""
    if value < 1:
        raise UserError(f"{what} must be at least 1, got {value}")
