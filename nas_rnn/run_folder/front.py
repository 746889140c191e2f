"""The front of a search with several objectives: the candidates that no other one beats in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.objectives import PARAMETERS, QUALITY, STEP_TIME
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import ranked, sign_of, trial_id
from nas_rnn.strategies import Trial
from nas_rnn.tasks.metric import Quantity
from nas_rnn.training import EpochRecord, RunResult

Losses = tuple[float, ...]
"""One loss for each objective, smaller is better."""


def step_seconds(records: Sequence[EpochRecord]) -> list[float]:
    """Return the seconds of a training step, a figure an epoch; none of epochs whose steps were not counted.

    Validation is left out. Other runs that shared the machine are within.
    """
    return [
        record.targets / record.units_per_second / record.steps
        for record in records
        if record.steps and record.units_per_second > 0
    ]


def step_quartiles(records: Sequence[EpochRecord]) -> tuple[float, float, float] | None:
    """Return the quartiles over epochs of the seconds of a training step; None where none was measured."""
    seconds = step_seconds(records)
    if not seconds:
        return None
    low, middle, high = np.percentile(seconds, (25, 50, 75))
    return float(low), float(middle), float(high)


def costs_of(result: RunResult, objectives: Sequence[str]) -> Losses | None:
    """Return what a candidate costs, in the order of ``objectives`` without quality; None where that is not known.

    The time of a step is the median over the run's own epochs.
    """
    quartiles = step_quartiles(result.epochs) if STEP_TIME in objectives else None
    if STEP_TIME in objectives and quartiles is None:
        return None
    known = {PARAMETERS: float(result.parameters), STEP_TIME: quartiles[1] if quartiles else 0.0}
    return tuple(known[name] for name in objectives if name != QUALITY)


def dominates(one: Losses, other: Losses) -> bool:
    """Return whether ``one`` is nowhere worse than ``other``, and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def fronts(losses: Mapping[int, Losses]) -> list[list[int]]:
    """Return the numbers in fronts: those that none dominates, those that only these dominate, and so on."""
    left, found = dict(losses), list[list[int]]()
    while left:
        front = [
            number
            for number, own in left.items()
            if not any(dominates(theirs, own) for theirs in left.values())
        ]
        found.append(front)
        left = {number: own for number, own in left.items() if number not in front}
    return found


def crowding(losses: Mapping[int, Losses]) -> dict[int, float]:
    """Return how far the neighbours of each lie apart, summed over objectives; infinite at the ends (Deb et al.)."""
    found = dict.fromkeys(losses, 0.0)
    for values in zip(*losses.values(), strict=True):
        of_number = dict(zip(losses, values, strict=True))
        order = sorted(losses, key=of_number.__getitem__)
        span = of_number[order[-1]] - of_number[order[0]]
        found[order[0]] = found[order[-1]] = float("inf")
        for below, here, above in zip(order, order[1:], order[2:], strict=False):
            found[here] += (of_number[above] - of_number[below]) / span if span else 0.0
    return found


def best_spread(losses: Mapping[int, Losses], count: int) -> list[int]:
    """Return the numbers of ``count``, as NSGA-II keeps them: front after front, of the last the least crowded."""
    chosen = list[int]()
    for front in fronts(losses):
        room = count - len(chosen)
        distance = crowding({number: losses[number] for number in front})
        chosen += sorted(front, key=lambda number: (-distance[number], losses[number]))[:room]
    return sorted(chosen)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One candidate that was trained to its end: its trial, what it came to, and whether no other one beats it.

    ``quality`` is the best validation metric of its one run, ``step_seconds`` the quartiles over its epochs of the
    seconds of a training step.
    """

    trial: int
    name: str
    quality: float
    parameters: int
    step_seconds: tuple[float, float, float] | None
    on_front: bool

    def cost(self, objective: str) -> float | None:
        """Return what it costs, in parameters or in seconds a step."""
        seconds = None if self.step_seconds is None else self.step_seconds[1]
        return {PARAMETERS: float(self.parameters), STEP_TIME: seconds}[objective]


@dataclass(frozen=True)
class Front:
    """The candidates of a search that can be compared in all its ``objectives``, the best quality first."""

    objectives: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def best(self) -> tuple[Member, ...]:
        """Those that no other one beats, the best quality first."""
        return tuple(member for member in self.members if member.on_front)

    @property
    def costs(self) -> tuple[str, ...]:
        """The objectives besides quality."""
        return tuple(name for name in self.objectives if name != QUALITY)

    def to_dict(self) -> dict[str, object]:
        """Return the front alone as plain values of JSON."""
        return {"objectives": list(self.objectives), "cells": [dict(vars(member)) for member in self.best]}


def front_of(
    folder: RunFolder,
    trials: Sequence[Trial],
    metric: Quantity,
    objectives: Sequence[str],
    *,
    control: bool = False,
) -> Front | None:
    """Return the front of ``trials``; None for a search by quality alone.

    As where there is quality alone, those that were trained to their end are compared, or all where none was.
    ``control``: they are those of the random search beside the search.
    """
    if len(objectives) < 2:
        return None
    found, losses = {}, dict[int, Losses]()
    for trial in ranked(trials, metric):
        result = folder.store(trial_id(trial.number, control=control)).read_result()
        costs = None if result is None else costs_of(result, objectives)
        if result is not None and costs is not None and trial.value is not None:
            found[trial.number] = trial, result
            losses[trial.number] = (sign_of(metric) * trial.value, *costs)
    first = set(next(iter(fronts(losses)), []))
    members = [
        Member(
            trial=number,
            name=trial.candidate.cell.name,
            quality=trial.value or 0.0,
            parameters=result.parameters,
            step_seconds=step_quartiles(result.epochs),
            on_front=number in first,
        )
        for number, (trial, result) in found.items()
    ]
    return Front(tuple(objectives), tuple(members))


def stored_front(reader: RunReader, metric: Quantity) -> Front | None:
    """Return the front of what a search left in its folder so far; None for a search by quality alone."""
    objectives = reader.settings().get("objectives", ())
    return front_of(reader.folder, reader.trials(), metric, objectives) if len(objectives) > 1 else None


def cost_words(objective: str, cost: float) -> str:
    """Return what a candidate costs in words: ``12,345 parameters``, ``0.912 ms a step``."""
    return f"{cost:,.0f} parameters" if objective == PARAMETERS else f"{1000 * cost:.3g} ms a step"
