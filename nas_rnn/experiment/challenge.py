"""The runs of a study that is driven from outside: a challenger's and the incumbent's, pair by pair."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry, derived_seed
from nas_rnn.comparison.plan import file_safe
from nas_rnn.comparison.racing import Race, first_pairs, race
from nas_rnn.comparison.sentences import four_digits
from nas_rnn.engine.in_process import run_in_process
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.feedback import (
    Feedback,
    FeedbackStatus,
    Gap,
    Reach,
    TrainingCost,
    cost_of_runs,
    curve_of,
    divergence_of,
    reach_of,
)
from nas_rnn.experiment.feedback_words import words_of
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.dead_end import calmer
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.tasks import Metric
from nas_rnn.training import RunResult, RunSpec

TIME_OVER = "the time is over"


class RunFailed(NasRnnError):
    """A run ended with an error, and not by diverging."""


@dataclass(frozen=True)
class Challenger:
    """A cell as it takes part: at its size, with the study's training."""

    cell: Cell
    entry: Entry

    @classmethod
    def of(cls, models: Models, cell: Cell, first: Challenger | None) -> Challenger:
        """Return ``cell`` at the size that matches the first incumbent, or as that itself.

        Raises UserError where no size fits, or no model can be made of the cell.
        """
        entry = models.baseline_entry(cell) if first is None else models.entry(cell, first.entry)
        return cls(cell, entry)

    @classmethod
    def again(cls, models: Models, cell: Cell, hidden_size: int, first: Challenger | None) -> Challenger:
        """Return ``cell`` at a size that was found before."""
        return cls(cell, models.entry_of_size(cell, hidden_size, None if first is None else first.entry))


@dataclass
class Runs:
    """Trains cells on the seeds of a study, in this process; what has its result is not trained again.

    Pair p of all cells shares its seeds, for weights and for the order of the data, whatever was evaluated before: so
    the same study gives a cell the same figures in whichever order cells come. After ``deadline`` (of
    `time.monotonic`) nothing is trained on.
    """

    folder: RunFolder
    models: Models
    say: Callable[[str], None]
    deadline: float | None = None
    _results: dict[str, RunResult] = field(default_factory=dict)

    def spec(self, one: Challenger, pair: int) -> RunSpec:
        """Return the run of a cell on the seeds of ``pair``, from 0 on."""
        seed = self.models.config.seed
        return self.models.spec(
            f"{file_safe(one.cell.digest)}-s{pair}",
            "candidate",
            one.cell,
            one.entry.hidden_size,
            seed=derived_seed(seed, "search", 2 * pair),
            data_seed=derived_seed(seed, "search", 2 * pair + 1),
        )

    def kept(self, one: Challenger) -> list[RunResult]:
        """Return the results that a cell has, pair by pair up to the first that is missing."""
        found: list[RunResult] = []
        while (result := self._kept(self.spec(one, len(found)))) is not None:
            found.append(result)
        return found

    def _kept(self, spec: RunSpec) -> RunResult | None:
        known = self._results.get(spec.id)
        if known is None or known.status == "failed":
            result = self.folder.earlier_result(spec)
            if result is None:
                return None
            self._results[spec.id] = result
        return self._results[spec.id]

    def train(self, one: Challenger, pairs: int) -> list[RunResult] | None:
        """Return at least the first ``pairs`` results of a cell, after training what is missing; None: no time.

        After a run that diverged no further ones are trained.

        Raises RunFailed where a run fails otherwise than by diverging.
        """
        while len(results := self.kept(one)) < pairs and divergence_of(results) is None:
            if not self._train(one, len(results)):
                return None
        return results

    def _train(self, one: Challenger, pair: int) -> bool:
        """Train one run to its end; return whether there was time for it."""
        spec, data = self.spec(one, pair), self.models.measured_data
        result = run_in_process(
            spec,
            data,
            self.folder.trials,
            sign=sign_of(self.monitor),
            should_stop=lambda: self.is_time_over,
        )
        if result is None:
            return False
        self.folder.keep_result(result)
        self._results[spec.id] = result
        if result.status == "failed":
            raise RunFailed(f"{one.cell.name}: {result.reason}")
        if pair:  # of the first the gradient flow is measured before
            self.folder.store(spec.id).drop_checkpoint()
        value = (
            "" if result.best_metric is None else f" {four_digits(result.best_metric)} {self.monitor.unit},"
        )
        self.say(
            f"{one.cell.name}, seed {pair + 1}: {result.status},{value} {len(result.epochs)} epochs, "
            f"{result.seconds:.1f} s"
        )
        return True

    def reach(self, one: Challenger) -> Reach | None:
        """Return how far a cell's gradient reaches in its first run, None where that is not known."""
        spec = self.spec(one, 0)
        store = self.folder.store(spec.id)
        if store.read_flow() is None and store.read_checkpoint() is not None:
            self._keep_flow(spec)
            store.drop_checkpoint()
        return reach_of(store.read_flow())

    def _keep_flow(self, spec: RunSpec) -> None:
        """Measure the gradient flow of a run that ended, from its checkpoint."""
        from nas_rnn.training.trainer import Trainer

        task = plugins.registry().find("task", spec.task).value(**spec.task_options)
        store = self.folder.store(spec.id)
        store.write_flow(Trainer(spec, task, self.models.data.without("test"), store).gradient_flow())

    @property
    def monitor(self) -> Metric:
        """What decides, on validation data."""
        return self.models.measures.monitor

    @property
    def is_time_over(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


def first_incumbent(runs: Runs, first: Challenger) -> Feedback:
    """Return what is known of the first incumbent itself, after training it on the first look's seeds."""
    results = _first_results(runs, first)
    if results is None:
        return _open(runs, first, "unfinished", TIME_OVER)
    found = _feedback(runs, first, "measured", results)
    found = replace(found, verdict="baseline", cost=_cost(first, results, results))
    return replace(found, words=words_of(found, results[0], None, None))


def measured(runs: Runs, own: Challenger, incumbent: Challenger, first: Challenger) -> Feedback:
    """Train a challenger against the incumbent until it is clear which is better, or there is nothing left to spend.

    Raises UserError where the first incumbent diverges, RunFailed where a run of an incumbent fails.
    """
    most = runs.models.config.most_seeds
    if _first_results(runs, first) is None or runs.train(incumbent, first_pairs(most)) is None:
        return _open(runs, own, "unfinished", f"{TIME_OVER}, and the incumbent came first")
    while True:
        results, others = runs.kept(own), runs.kept(incumbent)
        found = race(_values(results), _values(others), runs.monitor, most=most)
        if found.verdict is not None:
            return _judged(runs, own, incumbent, first, found)
        beside = runs.train(incumbent, found.wanted)
        try:
            if beside is None or runs.train(own, min(found.wanted, len(beside))) is None:
                done = len(runs.kept(own))
                return _open(
                    runs, own, "unfinished", f"{TIME_OVER} after {done} of the next {found.wanted} seeds"
                )
        except RunFailed as error:
            return _open(runs, own, "failed", str(error))


def _first_results(runs: Runs, first: Challenger) -> list[RunResult] | None:
    results = runs.train(first, first_pairs(runs.models.config.most_seeds))
    if results is not None and (place := divergence_of(results)) is not None:
        raise UserError(
            f"the first incumbent {first.cell.name} diverged on seed {place.seed}, so nothing can be held against it; "
            f"begin another study with {calmer(runs.models.config)}"
        )
    return results


def _judged(runs: Runs, own: Challenger, incumbent: Challenger, first: Challenger, found: Race) -> Feedback:
    """Return the feedback of a race that has ended."""
    results, base = runs.kept(own)[: found.pairs], runs.kept(first)
    status: FeedbackStatus = "diverged" if divergence_of(results) else "measured"
    told = _feedback(runs, own, status, results, reason=found.reason)
    told = replace(
        told,
        verdict=found.verdict,
        against_incumbent=_gap(runs, results, incumbent, found),
        against_baseline=_gap(runs, results, first, found if incumbent is first else None),
        cost=_cost(own, results, base),
    )
    return replace(told, words=words_of(told, results[0], base[0], runs.reach(first)))


def _feedback(
    runs: Runs, own: Challenger, status: FeedbackStatus, results: Sequence[RunResult], reason: str = ""
) -> Feedback:
    """Return what a cell's own runs say."""
    values = _values(results)
    known = [value for value in values if value is not None]
    return Feedback(
        source="",
        status=status,
        name=own.cell.name,
        digest=own.cell.digest,
        value=sum(known) / len(known) if known and len(known) == len(values) else None,
        values=tuple(values),
        unit=runs.monitor.unit,
        direction=runs.monitor.direction,
        curve=curve_of(results[0].epochs) if results else (),
        diverged=divergence_of(results),
        gradient=runs.reach(own) if results else None,
        reason=reason,
    )


def _open(runs: Runs, own: Challenger, status: FeedbackStatus, reason: str) -> Feedback:
    """Return the feedback of a cell that has no verdict."""
    found = _feedback(runs, own, status, runs.kept(own), reason)
    return replace(found, words=words_of(found, None, None, None))


def _gap(runs: Runs, results: Sequence[RunResult], other: Challenger, found: Race | None) -> Gap | None:
    """Return how far a cell is from ``other`` on the seeds that both have; None where the cell diverged."""
    own, others = _values(results), _values(runs.kept(other))
    pairs = [(a, b) for a, b in zip(own, others, strict=False) if a is not None and b is not None]
    if not pairs or None in own:
        return None
    sign = sign_of(runs.monitor)
    value = sum(b for _, b in pairs) / len(pairs)
    difference = sign * (sum(a for a, _ in pairs) / len(pairs) - value)
    return Gap(
        name=other.cell.name,
        digest=other.cell.digest,
        value=value,
        seeds=len(pairs),
        difference=difference,
        relative=difference / abs(value) if value else None,
        interval=None if found is None else found.interval,
        level=None if found is None else found.level,
    )


def _cost(own: Challenger, results: Sequence[RunResult], base: Sequence[RunResult]) -> TrainingCost:
    return cost_of_runs(own.entry.hidden_size, own.entry.parameters, results, base)


def _values(results: Sequence[RunResult]) -> list[float | None]:
    """Return what decides, by pair; None for a run that diverged."""
    return [None if result.status == "diverged" else result.best_metric for result in results]
