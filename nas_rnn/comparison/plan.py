"""Which runs a fair comparison needs: fresh seeds for the best candidates, equal tuning, then paired final runs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nas_rnn.cells import parse_cell, with_gate_bias
from nas_rnn.comparison.seeds import derived_seed
from nas_rnn.errors import UserError
from nas_rnn.options import declared
from nas_rnn.tasks import Metric
from nas_rnn.training import RunResult, RunSpec, TrainingOptions
from nas_rnn.training.options import TUNED

Part = Literal["selection", "tuning", "final"]
"""The parts of an experiment for which this module plans runs: their roles, and whose seeds they have."""

MOST_ENTRIES = 254
_STREAMS = MOST_ENTRIES + 2  # of seeds in one round: data order, baseline, contenders


@dataclass(frozen=True, kw_only=True)
class Member:
    """One of the cells that stand for a kind of cells: its name, its text, and the size it is trained at."""

    name: str
    cell: str
    hidden_size: int


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One cell that takes part: what to train, at which size, and how.

    ``parameters`` counts the whole model and ``mismatch`` is its relative distance from the baseline's;
    ``training`` holds the full budget, and the tuned learning rate and so on where ``tuned``, when ``gate_bias``
    is where the biases start that do not start at zero (None: where the cell says). ``second`` are the settings that
    tuning found second best (None: there are none): every second final run has them. ``tried`` counts the settings
    of the tuning, ``tuned_over`` are the options that it sets besides. ``score`` is the validation metric of the search
    (None: it never got one).
    ``control`` says what the entry is a control for ("": it is none); with ``members`` its run p is member p's. A
    ``reference`` is a well-known cell beside the baseline, about which nobody asked.
    """

    name: str
    cell: str
    digest: str
    hidden_size: int
    parameters: int
    training: TrainingOptions
    mismatch: float = 0.0
    tuned: bool = False
    tried: int = 0
    gate_bias: float | None = None
    second: Mapping[str, float | str] | None = None
    tuned_over: tuple[str, ...] = TUNED
    score: float | None = None
    control: str = ""
    members: tuple[Member, ...] = ()
    reference: bool = False

    @property
    def asked(self) -> bool:
        """Whether somebody asked about it: it is a contender."""
        return not (self.control or self.reference)

    @property
    def settings(self) -> dict[str, float | str]:
        """What tuning may set, as it is: the options of ``tuned_over``, and ``gate_bias`` where there is one."""
        found: dict[str, float | str] = {name: getattr(self.training, name) for name in self.tuned_over}
        return found if self.gate_bias is None else {**found, "gate_bias": self.gate_bias}

    def setting_of(self, run: int) -> int:
        """Return which settings final run number ``run`` has: 0 the best, 1 the second best."""
        return 0 if self.second is None else run % 2

    @property
    def trained_cell(self) -> str:
        """The cell's text with its biases where they start."""
        if self.gate_bias is None:
            return self.cell
        return with_gate_bias(parse_cell(self.cell), self.gate_bias).to_text()

    def with_settings(self, settings: Mapping[str, float | str]) -> Entry:
        """Return the entry trained with ``settings``: those of `TrainingOptions`, and ``gate_bias``."""
        kinds = declared(TrainingOptions)
        own = {
            name: value if isinstance(value, str) else kinds[name].kind(value)
            for name, value in settings.items()
            if name != "gate_bias"
        }
        training = TrainingOptions.from_dict({**self.training.to_dict(), **own})
        bias = settings.get("gate_bias", self.gate_bias)
        return replace(self, training=training, gate_bias=None if bias is None else float(bias))


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
    candidates: Iterable[Entry],
    metric: Metric,
    *,
    task: TaskChoice,
    seed: int,
    top: int = 3,
    seeds: int = 2,
    control: str = "",
) -> tuple[Planned, ...]:
    """Return the ``top`` candidates by validation score, each with ``seeds`` runs on fresh seeds.

    The best score of a search is biased by luck, so the few best are trained again before one is picked.
    Candidates of one digest count once, with their best score; those without a finite score are left out.
    At equal scores the one with fewer parameters comes first, then the earlier one. The runs of a ``control`` have
    ids of their own. Raises UserError for top or seeds below 1.
    """
    _at_least_one("top", top)
    scored = [entry for entry in candidates if entry.score is not None and math.isfinite(entry.score)]
    sign = direction_sign(metric)
    ranked = sorted(scored, key=lambda entry: (sign * _score(entry), entry.parameters))
    best: dict[str, Entry] = {}
    for entry in ranked:
        best.setdefault(entry.digest, entry)
    chosen = list(best.values())[:top]
    verb = f"select-{file_safe(control)}" if control else "select"
    return _planned(chosen, part="selection", verb=verb, task=task, seed=seed, seeds=seeds)


def final_specs(
    baseline: Entry, contenders: Sequence[Entry], *, task: TaskChoice, seed: int, seeds: int = 5
) -> FinalPlan:
    """Return the paired final runs of the baseline and each contender: the only ones to read the test part.

    Where tuning found two settings for an entry, its runs have the one and the other in turn, so that the interval can
    cover which were found. Pair p of all entries shares one data order. Weights start from seeds of their own even
    within a pair: shared ones would mean something only for equal cells, whose comparison they would make a comparison
    of nothing. More seeds, or more contenders, leave the earlier runs as they were.
    """
    entries = [baseline, *contenders]
    planned = _planned(entries, part="final", verb="final", task=task, seed=seed, seeds=seeds)
    return FinalPlan(baseline=planned[0], contenders=planned[1:])


def tuning_spec(
    entries: Sequence[Entry],
    position: int,
    number: int,
    settings: Mapping[str, float | str],
    *,
    task: TaskChoice,
    seed: int,
) -> RunSpec:
    """Return the run that tries ``settings``, its ``number``-th, for the entry at ``position``.

    Run ``number`` of all entries shares one data order; weights start from seeds of their own.
    """
    stem = _distinct(f"tune-{file_safe(entry.name)}" for entry in entries)[position]
    return _spec(
        entries[position].with_settings(settings),
        f"{stem}-{number:03d}",
        part="tuning",
        task=task,
        seed=derived_seed(seed, "tuning", number * _STREAMS + 1 + position),
        data_seed=derived_seed(seed, "tuning", number * _STREAMS),
    )


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
    entries: Sequence[Entry], *, part: Part, verb: str, task: TaskChoice, seed: int, seeds: int
) -> tuple[Planned, ...]:
    """Return each entry with ``seeds`` runs; seeds are numbered by run, then data order and entries."""
    _at_least_one("seeds", seeds)
    if len(entries) > MOST_ENTRIES + 1:
        raise UserError(f"at most {MOST_ENTRIES} cells can be compared at once, got {len(entries)}")
    stems = _distinct(f"{verb}-{file_safe(entry.name)}" for entry in entries)
    plan = []
    for position, (entry, stem) in enumerate(zip(entries, stems, strict=True)):
        specs = tuple(
            _spec(
                _final(entry, run) if part == "final" else _member(entry, run),
                f"{stem}-s{run}",
                part=part,
                task=task,
                seed=derived_seed(seed, part, run * _STREAMS + 1 + position),
                data_seed=derived_seed(seed, part, run * _STREAMS),
            )
            for run in range(seeds)
        )
        plan.append(Planned(entry=entry, specs=specs))
    return tuple(plan)


def _final(entry: Entry, run: int) -> Entry:
    """Return what final run ``run`` of an entry trains."""
    member = _member(entry, run)
    return member.with_settings(entry.second) if entry.second and entry.setting_of(run) else member


def _member(entry: Entry, run: int) -> Entry:
    """Return what run ``run`` of an entry trains, with its best settings."""
    if not entry.members:
        return entry
    member = entry.members[run % len(entry.members)]
    return replace(entry, name=member.name, cell=member.cell, hidden_size=member.hidden_size)


def _spec(entry: Entry, id: str, *, part: Part, task: TaskChoice, seed: int, data_seed: int) -> RunSpec:
    return RunSpec(
        id=id,
        role=part,
        name=entry.name,
        cell=entry.trained_cell,
        hidden_size=entry.hidden_size,
        task=task.name,
        task_options=dict(task.options),
        training=entry.training if part == "final" else replace(entry.training, longer=1.0),
        seed=seed,
        data_seed=data_seed,
        read_test=part == "final",
    )


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
