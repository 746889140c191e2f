"""Halving: all are trained to a rung, and the best third goes on from there to the next one, or to its own end.

It is synchronous (Jamieson & Talwalkar 2016): who goes on depends on the curves up to the rung, at equal training
targets, and never on who came there first. A run that goes on is the one that it would have been without a stop
(`nas_rnn.training.schedule`), so that one which was left behind can be taken on later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import scipy

from nas_rnn.comparison import Rung
from nas_rnn.engine import RunList, RunSource
from nas_rnn.experiment.events import Phase, PhaseStarted
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.training import RunResult, RunSpec, TrainingOptions

REDUCTION = 3
"""One of so many goes on."""
TRUSTED = 0.7
"""Where the ranks at a rung and at the end agree less than this (Spearman), the next third goes on as well."""
FEWEST_RANKED = 5
"""A rank correlation of fewer runs is an accident."""
FEWEST = 3
"""So many candidates go on at least: the best few are trained again with fresh seeds."""
LEAST_RUNG = 8
"""Fewer epochs say too little of runs that end by themselves."""
LEAST_FIXED_RUNG = 2
"""Of a fixed number of epochs the first one says nothing."""

OnEnd = Callable[[RunSpec, RunResult], None]
Choose = Callable[[Mapping[int, float | None], int], list[int]]
"""Chooses so many of losses by number."""


def rungs_of(training: TrainingOptions, length: int, *, most: int = 2) -> tuple[int, ...]:
    """Return after how many epochs runs are compared, where the baseline needs ``length`` of them to its end.

    These are a ninth and a third of it, as far as so few say anything; with a rate that falls over a number of
    epochs nothing is compared before the end.
    """
    if training.decay != "none":
        return ()
    least = LEAST_RUNG if training.epochs == "auto" else LEAST_FIXED_RUNG
    last = max(least, math.ceil(length / REDUCTION))
    first = math.ceil(length / REDUCTION**2)
    rungs = (first, last) if most > 1 and first >= least else (last,)
    return tuple(rung for rung in rungs if rung < training.cap)


def tuning_epochs(training: TrainingOptions, length: int) -> float:
    """Return how many epochs a trial of tuning has on average, where a run to its end has ``length`` of them."""
    rungs = rungs_of(training, length, most=1) if training.epochs == "auto" else ()
    rung = min(length, rungs[0]) if rungs else length
    return rung + (length - rung) / REDUCTION


def share_of_first(rungs: Sequence[int], length: int) -> float:
    """Return which share of a halving's epochs is spent before its first decision; 1 where there is none."""
    spent, going = 0.0, 1.0
    ends = [*rungs, max(length, *rungs, 1)] if rungs else [1]
    for begin, end in zip([0, *ends], ends, strict=False):
        spent += going * (end - begin)
        going /= REDUCTION
    return ends[0] / spent


def stopped_at(spec: RunSpec, epochs: int | None) -> RunSpec:
    """Return the run stopped after so many epochs; None: at its own end."""
    return spec if epochs is None else replace(spec, training=replace(spec.training, epochs=epochs))


def loss_at(result: RunResult, sign: int, rung: int | None = None) -> float | None:
    """Return the best of the first ``rung`` epochs, or of all; None for a run that diverged or failed before."""
    got_there = rung is not None and len(result.epochs) >= rung
    if result.best_metric is None or (result.status in ("diverged", "failed") and not got_there):
        return None
    return min(sign * record.metric for record in result.epochs[:rung])


def best_of(losses: Mapping[int, float | None], count: int) -> list[int]:
    """Return the numbers of the ``count`` least losses, in the order of their numbers."""
    ranked = sorted((loss, number) for number, loss in losses.items() if loss is not None)
    return sorted(number for _, number in ranked[:count])


def third_of(count: int) -> int:
    """Return how many of so many go on."""
    return math.ceil(count / REDUCTION)


def at_rung_and_end(results: Iterable[RunResult], sign: int, rung: int) -> list[tuple[float, float]]:
    """Return the losses at a rung and at the end of those that came to both."""
    return [
        (at_rung, at_end)
        for result in results
        if (at_rung := loss_at(result, sign, rung)) is not None
        and (at_end := loss_at(result, sign)) is not None
    ]


def mean_rank_correlation(groups: Sequence[Sequence[tuple[float, float]]]) -> float | None:
    """Return Spearman's rank correlation of pairs, weighted over groups that have a ranking each; None of too few.

    A group of n pairs has the weight n - 1, which is how much it says.
    """
    ranked = [group for group in groups if all(len({pair[side] for pair in group}) > 1 for side in (0, 1))]
    if sum(map(len, ranked)) < FEWEST_RANKED:
        return None
    values = [scipy.stats.spearmanr(*zip(*group, strict=True)).statistic for group in ranked]
    return float(np.average(values, weights=[len(group) - 1 for group in ranked]))


def earlier_ends(listener: RunListener, specs: Sequence[RunSpec]) -> dict[str, RunResult]:
    """Return the results of those of ``specs`` that an earlier process trained as far as they ask."""
    found = {}
    for spec in specs:
        store = listener.folder.store(spec.id)
        result, earlier = store.read_result(), store.read_spec()
        if result is None or earlier is None:
            continue
        same = stopped_at(earlier, 1) == stopped_at(spec, 1)
        if same and (result.ended_because != "budget" or spec.training.epochs in _reached(result)):
            found[spec.id] = result
    return found


def _reached(result: RunResult) -> range:
    return range(1, len(result.epochs) + 1)


def trained_on(
    listener: RunListener, phase: Phase, specs: Sequence[RunSpec], on_end: OnEnd
) -> Generator[RunSource, None, dict[str, RunResult]]:
    """Train runs on that were stopped before, and return all their results by id; ``on_end`` hears of each new one."""
    found = earlier_ends(listener, specs)
    if specs:
        listener.notify(PhaseStarted(phase=phase, runs=len(specs), before=len(found)))

    def end(spec: RunSpec, result: RunResult) -> None:
        store = listener.folder.store(spec.id)
        kept = store.read_result()
        if kept is not None and len(kept.epochs) < len(result.epochs):
            store.write_result(result)  # its worker could not
        on_end(spec, result)

    runs = RunList(specs, results=found, on_start=listener.on_start, on_epoch=listener.on_epoch, on_done=end)
    yield runs
    return runs.results


def halve(
    listener: RunListener,
    phase: Phase,
    runs: Mapping[int, RunSpec],
    rungs: Sequence[int],
    sign: int,
    on_end: OnEnd,
    choose: Choose = best_of,
) -> Generator[RunSource, None, list[Rung]]:
    """Take the best of ``runs``, all trained to the first of ``rungs``, to the next ones and to their ends.

    ``choose`` says which are the best: by their losses alone, or by more than these.
    Returns how the rungs decided. Where the ranks at a rung turn out to say too little of those at the end, the next
    third of what was left behind there goes on as well, once.
    """
    told = []
    going = list(runs)
    results = _stored(listener, runs)
    for place, rung in enumerate(rungs):
        further = rungs[place + 1] if place + 1 < len(rungs) else None
        losses = {
            number: None if number not in results else loss_at(results[number], sign, rung)
            for number in going
        }
        count = min(len(going), max(FEWEST, third_of(len(going))))
        chosen = choose(losses, count)
        yield from trained_on(listener, phase, [stopped_at(runs[n], further) for n in chosen], on_end)
        results = _stored(listener, runs)
        found = Rung(epochs=rung, went_on=len(chosen), of=len(going))
        if further is None:
            found = replace(found, correlation=_agreement(results, chosen, rung, sign))
            if found.correlation is not None and found.correlation < TRUSTED:
                chosen = choose(losses, 2 * count)
                yield from trained_on(listener, phase, [runs[n] for n in chosen], on_end)
                results = _stored(listener, runs)
                found = replace(
                    found, went_on=len(chosen), correlation=_agreement(results, chosen, rung, sign)
                )
        told.append(found)
        going = chosen
    # Of the earlier rungs the ends are known only now.
    return [replace(rung, correlation=_agreement(results, going, rung.epochs, sign)) for rung in told]


def _stored(listener: RunListener, runs: Mapping[int, RunSpec]) -> dict[int, RunResult]:
    stored = {number: listener.folder.store(spec.id).read_result() for number, spec in runs.items()}
    return {number: result for number, result in stored.items() if result is not None}


def _agreement(
    results: Mapping[int, RunResult], numbers: Sequence[int], rung: int, sign: int
) -> float | None:
    """Return the rank correlation of a rung and the end among runs that went to their end."""
    ended = [results[number] for number in numbers if number in results]
    return mean_rank_correlation([at_rung_and_end(ended, sign, rung)])
