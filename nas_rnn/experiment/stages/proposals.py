"""A search as a source of runs: the baseline first, then unfinished trials, then what the strategy proposes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from nas_rnn import plugins
from nas_rnn.cells import parse_cell
from nas_rnn.comparison import Entry, derived_seed
from nas_rnn.engine import Next
from nas_rnn.errors import UserError
from nas_rnn.experiment.events import Notifier, RunEnded, RunEnding, epoch_done, run_ended, run_started
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.curves import CurvesSoFar
from nas_rnn.experiment.stages.dead_end import calmer
from nas_rnn.experiment.stages.earlier import Earlier
from nas_rnn.experiment.stages.filtering import Filter
from nas_rnn.experiment.stages.halving import rungs_of, share_of_first, stopped_at
from nas_rnn.experiment.stages.objectives import tell
from nas_rnn.experiment.stages.strategy import CONTROL, FIRST_CONTROL_SEED, ask_again, proposal_of, replayed
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import Identities
from nas_rnn.run_folder.provenance import identities, used_by
from nas_rnn.run_folder.trials import BASELINE_ID, Gap, gap_to_baseline, is_stopped, sign_of, trial_id
from nas_rnn.spaces import Candidate, Decisions, Infeasible
from nas_rnn.strategies import Ending, Exhausted, Strategy, Study, Trial
from nas_rnn.training import EpochRecord, RunResult, RunSpec
from nas_rnn.training.spec import Role

_BASELINE_SEED, _DATA_SEED = 0, 1
_FIRST_TRIAL_SEED = 2


@dataclass
class SearchSource:
    """Hands out a search's runs and keeps the study; after a resume it continues where the study ends.

    It ends after ``trials``. All are trained with the settings of ``standard``, the baseline; candidates to the first
    rung of the halving, which waits for the baseline's end where ``length``, its epochs to there, is not known.
    ``on_change`` hears of each run after it began, went on or ended, with its result once there is one. With
    ``control`` it is the random search beside a search, whose runs have ids and seeds of their own; it trains no
    baseline. The strategy knows the ``earlier`` trials of another search, whose best are tried again. What the
    ``filter`` drops is no trial: the strategy hears of it as of one that diverged.
    """

    config: SearchConfig
    models: Models
    filter: Filter
    folder: RunFolder
    notify: Notifier
    study: Study
    strategy: Strategy
    standard: Entry
    trials: int
    on_change: Callable[[RunSpec, RunResult | None], None]
    length: int | None = None
    control: bool = False
    earlier: Sequence[Earlier] = ()
    _queue: list[RunSpec] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _candidates: dict[int, Candidate] = field(default_factory=dict)
    _known: dict[str, int] = field(default_factory=dict)
    _ended: dict[int, Trial] = field(default_factory=dict)
    _copies: dict[int, list[int]] = field(default_factory=dict)
    _count: int = 0
    _plugins: dict[str, Identities] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    baseline_records: list[EpochRecord] = field(default_factory=list)
    baseline_result: RunResult | None = None

    def __post_init__(self) -> None:
        self._identities = identities(self.config)
        self._began = time.monotonic()
        self.role: Role = "control" if self.control else "candidate"
        self._curves = CurvesSoFar(
            self.strategy, self._strategy_plugin, sign_of(self.models.measures.monitor)
        )
        self._first = [one.candidate for one in self.earlier if one.again]
        self._begin_baseline()
        for one in self.earlier:
            if not one.hint:
                self._tell(self._replayed(one.candidate), one.loss)
        trials = self.study.trials()
        if len(trials) < self.trials:
            asked = [trial.digest for trial in trials[len(self._first) :]]
            without = {one.digest for one in self.filter.dropped}
            ask_again(self.strategy, self._strategy_plugin, self.config, asked, without)
        for dropped in self.filter.dropped:
            self._tell(self._replayed(dropped.candidate), None)
        for trial in trials:
            self._resume(trial)

    def _begin_baseline(self) -> None:
        store = self.folder.store(BASELINE_ID)
        self.baseline_result = store.read_result()
        if self.baseline_result is not None and self.baseline_result.status != "failed":
            self.baseline_records = list(self.baseline_result.epochs)
        elif not self.control:
            self._queue.append(
                self.models.spec(
                    BASELINE_ID,
                    "baseline",
                    parse_cell(self.standard.trained_cell),
                    self.standard.hidden_size,
                    self._seed(_BASELINE_SEED),
                    self._seed(_DATA_SEED),
                    self.standard.training,
                )
            )

    def _seed(self, index: int) -> int:
        return derived_seed(self.config.seed, "search", index)

    def _id(self, number: int) -> str:
        return trial_id(number, control=self.control)

    def _resume(self, trial: Trial) -> None:
        """Continue with a trial that the study knows: a finished one counts, an unfinished one is resumed."""
        self._count += 1
        self._candidates[trial.number] = trial.candidate
        self._numbers[self._id(trial.number)] = trial.number
        self._plugins[self._id(trial.number)] = trial.details.get("plugins", {})
        original = self._known.setdefault(trial.digest, trial.number)
        if trial.ending is not None:
            self._ended[trial.number] = trial
            loss = self._loss(trial.ending, trial.first_value)
            self._tell(self._replayed(trial.candidate), loss, original)
            return
        with plugins.running(self._strategy_plugin):
            self.strategy.expect(self._replayed(trial.candidate))
        if original != trial.number:
            self._copy(trial.number, original)
        elif trial.hidden_size is None:
            self._fail(
                trial.number, trial.candidate, "no hidden size fits the number of parameters asked for"
            )
        else:
            self._queue.append(self._spec(trial.number, trial.candidate, trial.hidden_size))

    def _replayed(self, candidate: Candidate) -> Candidate:
        return replayed(self.config, self.strategy, candidate)

    def next(self) -> RunSpec | Next:
        while True:
            if self._queue:
                spec = self._queue.pop(0)
                self.notify(run_started(spec))
                self.on_change(spec, None)
                return spec
            if self._count >= self.trials:
                return Next.END
            if self.rungs is None:
                return Next.WAIT
            if self._is_time_over():
                self._say("time limit reached: no further trials start")
                return Next.END
            try:
                candidate = self._ask()
            except (Exhausted, Infeasible) as error:
                self._say(f"{error}: the search ends after {self._count} trials")
                return Next.END
            self._propose(candidate)

    @property
    def rungs(self) -> tuple[int, ...] | None:
        """After how many epochs candidates are compared; None as long as nobody knows how long the baseline needs."""
        if self.config.scheduler == "none":
            return ()
        length = self._full_length
        return None if length is None else rungs_of(self.standard.training, length)

    @property
    def _full_length(self) -> int | None:
        """How many epochs a run to its end has: the baseline's; None as long as nobody knows."""
        if self.config.epochs != "auto":
            return self.config.epochs
        if self.length is None and self.baseline_result is not None:
            return len(self.baseline_result.epochs)
        return self.length

    def _is_time_over(self) -> bool:
        """Whether so much of the time is used that the best of those there are need the rest to be trained on."""
        if self.config.time is None or self.control:
            return False
        share = share_of_first(self.rungs or (), self._full_length or 1)
        return time.monotonic() - self._began > share * self.config.time

    def _ask(self) -> Candidate:
        """Return what the strategy proposes; `PluginError` where it or the space fails or hangs."""
        if self._count < len(self._first):
            return self._first[self._count]
        self.filter.require_some_kept()
        return proposal_of(self.strategy, self._strategy_plugin, self.config)

    @property
    def _strategy_plugin(self) -> plugins.Plugin:
        return plugins.registry().find("strategy", CONTROL if self.control else self.config.strategy)

    def result_of(self, number: int | None) -> RunResult | None:
        """Return what the run of trial ``number`` came to so far; None where there is none."""
        return None if number is None else self.folder.store(self._id(number)).read_result()

    def _tell(self, candidate: Candidate, loss: float | None, number: int | None = None) -> None:
        """Tell the strategy how ``candidate`` ended, which trial ``number`` trained; `PluginError` where it fails."""
        with plugins.running(self._strategy_plugin):
            tell(self.strategy, candidate, loss, self.config.objectives, partial(self.result_of, number))

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self.notify.warn(message)

    def _propose(self, candidate: Candidate) -> None:
        """Make a trial of ``candidate``: a run to come, or a copy of the one that had this cell before; or drop it."""
        original = self._known.get(candidate.digest)
        if original is not None:
            number = self._add(candidate, None)
            self._copy(number, original)
            return
        try:
            size = self.models.entry(candidate.cell, self.standard).hidden_size
        except UserError as error:
            number = self._add(candidate, None)
            self._fail(number, candidate, str(error))
            return
        if self._count >= len(self._first) and self.filter.drops(candidate, size):
            self._tell(candidate, None)
            return
        number = self._add(candidate, size)
        self._known[candidate.digest] = number
        spec = self._spec(number, candidate, size)
        self._numbers[spec.id] = number
        self._queue.append(spec)

    def _add(self, candidate: Candidate, hidden_size: int | None) -> int:
        """Make a trial of ``candidate`` in the study; return its number."""
        made_by = used_by(self._identities, candidate.cell)
        number = self.study.add(candidate, hidden_size=hidden_size, plugins=made_by)
        self._count += 1
        self._candidates[number] = candidate
        self._plugins[self._id(number)] = made_by
        return number

    def _spec(self, number: int, candidate: Candidate, hidden_size: int) -> RunSpec:
        return stopped_at(self._full(number, candidate, hidden_size), self.rungs[0] if self.rungs else None)

    def _full(self, number: int, candidate: Candidate, hidden_size: int) -> RunSpec:
        """Return a candidate's run to its own end."""
        first = FIRST_CONTROL_SEED if self.control else _FIRST_TRIAL_SEED
        return self.models.spec(
            self._id(number),
            self.role,
            candidate.cell,
            hidden_size,
            self._seed(first + number),
            self._seed(_DATA_SEED),
            self.standard.training,
        )

    def _fail(self, number: int, candidate: Candidate, reason: str) -> None:
        self.study.finish(number, "failed", None, reason)
        self._tell(candidate, None)
        self._skip(number, candidate.cell.name, "failed", None, reason)

    def _copy(self, number: int, original: int) -> None:
        """Let trial ``number`` end as ``original`` did, now or when that ends."""
        if original not in self._ended:
            self._copies.setdefault(original, []).append(number)
            return
        trial = self._ended[original]
        candidate = self._candidates[number]
        assert trial.ending is not None
        self.study.finish(number, trial.ending, trial.value, trial.reason, copy_of=original)
        self._tell(candidate, self._loss(trial.ending, trial.first_value), original)
        reason = f"the same cell as trial {self._id(original)}"
        self._skip(number, candidate.cell.name, "reused", trial.value, reason)

    def _skip(self, number: int, name: str, ending: RunEnding, value: float | None, reason: str) -> None:
        """Tell of a trial that ended without a run of its own."""
        self.notify(
            RunEnded(
                id=self._id(number),
                role=self.role,
                name=name,
                ending=ending,
                value=value,
                gap=None,
                reason=reason,
            )
        )

    def plugins_of(self, run: str) -> Identities:
        """Return which plugins a trial was made with; none for other runs."""
        return self._plugins.get(run, {})

    def decisions_of(self, run: str) -> Decisions:
        """Return the decisions behind a run; none for the baseline."""
        candidate = self._candidates.get(self._numbers.get(run, -1))
        return dict(candidate.decisions or {}) if candidate else {}

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        if spec.role == "baseline":
            self.baseline_records.append(record)
        else:
            self._curves.on_epoch(self._candidates[self._numbers[spec.id]], record)
        self.notify(epoch_done(spec, record))
        self.on_change(spec, None)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self.folder.keep_result(result)
        if spec.role == "baseline":
            self.baseline_result = result
            self.notify(run_ended(spec, result))
            if result.status == "diverged":
                self._say(
                    f"the baseline {spec.name} diverged with its best settings, so candidates have no gap to it at its "
                    f"end; where it does so in the final, nothing is decided: begin a new search with "
                    f"{calmer(self.standard.training)}"
                )
            self.on_change(spec, result)
            return
        number = self._numbers[spec.id]
        candidate = self._candidates[number]
        ending, reason = self._ending(result)
        self.study.finish(number, ending, result.best_metric, reason)
        self._ended[number] = Trial(
            number=number,
            candidate=candidate,
            digest=candidate.digest,
            ending=ending,
            value=result.best_metric,
            reason=reason,
            copy_of=None,
            details={},
            first_value=result.best_metric,
        )
        self._tell(candidate, self._loss(ending, result.best_metric), number)
        if ending != "stopped":
            self.folder.store(spec.id).drop_checkpoint()
        self._tell_end(spec, result, ending, reason)
        for copy in self._copies.pop(number, []):
            self._copy(copy, number)

    def on_taken_on(self, spec: RunSpec, result: RunResult) -> None:
        """Hear how a candidate that was stopped before did after it was trained on."""
        ending, reason = self._ending(result)
        self.study.revise(self._numbers[spec.id], ending, result.best_metric, reason)
        self._tell_end(spec, result, ending, reason)

    def settle(self) -> None:
        """Have the study know of all that was trained on, also by a process that was killed before it could tell it.

        Checkpoints go: what is taken on after this begins anew, and comes to the same.
        """
        for trial in self.study.trials():
            store = self.folder.store(self._id(trial.number))
            result = store.read_result() if trial.ending == "stopped" and trial.copy_of is None else None
            if result is not None:
                ending, reason = self._ending(result)
                if (ending, result.best_metric) != (trial.ending, trial.value):
                    self.study.revise(trial.number, ending, result.best_metric, reason)
            store.drop_checkpoint()

    def _ending(self, result: RunResult) -> tuple[Ending, str | None]:
        """Return how a run ended: one that came to a rung is stopped there, unless it is taken on."""
        if is_stopped(result, self.config.epochs):
            return "stopped", None
        return result.status, result.reason

    def _tell_end(self, spec: RunSpec, result: RunResult, ending: Ending, reason: str | None) -> None:
        event = run_ended(spec, result, self.gap(result))
        self.notify(replace(event, ending=ending, reason=reason))
        self.on_change(spec, result)

    def to_be_compared(self) -> dict[int, RunSpec]:
        """Return the run of every candidate that was trained, to its own end, by the trial's number."""
        return {
            trial.number: self._full(trial.number, trial.candidate, trial.hidden_size)
            for trial in self.study.trials()
            if trial.hidden_size is not None
        }

    def _loss(self, ending: str, value: float | None) -> float | None:
        """Return what a strategy minimises; None for a trial that diverged or failed."""
        if value is None or ending in ("diverged", "failed"):
            return None
        return sign_of(self.models.measures.monitor) * value

    def gap(self, result: RunResult) -> Gap | None:
        """Return the relative gap of a run that ended to the baseline; None before that is known."""
        return gap_to_baseline(
            self.models.measures.monitor, result.epochs, result, self.baseline_records, self.baseline_result
        )
