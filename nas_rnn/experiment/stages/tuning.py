"""Equal tuning: every cell of a comparison gets as many trials of training settings, over the same ranges."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from nas_rnn.cells import gate_bias, parse_cell
from nas_rnn.comparison import Entry, derived_seed, tuning_spec
from nas_rnn.engine import Next, RunSource
from nas_rnn.experiment.events import PhaseStarted
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.strategies.settings import Range, Settings, SettingsStudy
from nas_rnn.training import EpochRecord, RunResult, RunSpec

_SAMPLER_INDEX = (1 << 18) - 1  # beyond those of the runs

LEAST_LEARNING_RATE, MOST_LEARNING_RATE = 1 / 10, 3.0
"""The learning rates to try, as multiples of the one that was given."""


def tune(
    models: Models, listener: RunListener, costs: Costs, entries: Sequence[Entry]
) -> Generator[RunSource, None, list[Entry]]:
    """Return ``entries``, the baseline first, with the settings that were best on validation data.

    Entries that stand for several cells get the first contender's. Nothing is trained where no tuning is wanted.
    """
    if not models.config.tune:
        return list(entries)
    source = TuneSource(
        models, listener, [entry for entry in entries if not entry.members], models.config.tune
    )
    store = listener.folder.store
    done = sum(store(path.name).read_result() is not None for path in listener.folder.trials.glob("tune-*"))
    listener.notify(PhaseStarted(phase="tuning", runs=source.runs, before=done))
    yield source
    costs.add("tuning", source.results)
    tuned = source.best()
    in_order, leader = iter(tuned), tuned[1]
    return [
        replace(entry, training=leader.training, tuned=leader.tuned) if entry.members else next(in_order)
        for entry in entries
    ]


def ranges(entries: Sequence[Entry]) -> dict[str, Range]:
    """Return over which ranges settings are tuned, the same for all ``entries``; the settings given lie within.

    The gradient is clipped to a norm from 0.1 to 10 where it was to be clipped at all. ``gate_bias`` concerns cells
    with biases that do not start at zero.
    """
    firsts = [_first(entry) for entry in entries]
    given = firsts[0]
    rate, clip = given["learning_rate"], given["clip"]
    found = {
        "learning_rate": Range(low=rate * LEAST_LEARNING_RATE, high=rate * MOST_LEARNING_RATE, log=True),
        "dropout": Range(low=0.0, high=max(0.5, given["dropout"])),
        "clip": Range(low=min(0.1, clip or 0.1), high=max(10.0, clip), log=True),
        "gate_bias": Range(low=0.0, high=max(2.0, *(first.get("gate_bias", 0.0) for first in firsts))),
    }
    return found if clip else {name: range for name, range in found.items() if name != "clip"}


@dataclass
class _Tuned:
    """One cell's tuning: its study, and the settings and results of its runs by number."""

    entry: Entry
    study: SettingsStudy
    settings: list[Settings] = field(default_factory=list)
    results: dict[int, RunResult] = field(default_factory=dict)

    def told(self, sign: int) -> list[tuple[Settings, float | None]]:
        """Return settings and losses as far as they are known without a gap."""
        known: list[tuple[Settings, float | None]] = []
        for number, settings in enumerate(self.settings):
            if number not in self.results:
                break
            known.append((settings, _loss(self.results[number], sign)))
        return known


class TuneSource:
    """The runs that tune ``entries``, ``trials`` each; those that have a result already are not run again."""

    def __init__(self, models: Models, listener: RunListener, entries: Sequence[Entry], trials: int) -> None:
        self._models, self._listener = models, listener
        self._entries, self._trials = entries, trials
        self._sign = sign_of(models.measures.monitor)
        seed = derived_seed(models.config.seed, "tuning", _SAMPLER_INDEX)
        where = ranges(entries)
        self._tuned = [_Tuned(e, SettingsStudy(where, _first(e), seed=seed)) for e in entries]
        self._running: dict[str, tuple[_Tuned, int]] = {}

    @property
    def results(self) -> list[RunResult]:
        """The results of all runs so far."""
        return [result for tuned in self._tuned for result in tuned.results.values()]

    @property
    def runs(self) -> int:
        """How many runs there are in all."""
        return self._trials * len(self._entries)

    def next(self) -> RunSpec | Next:
        while True:
            # The cell that has begun least comes first, so that none waits for another's round.
            order = sorted(range(len(self._tuned)), key=lambda p: len(self._tuned[p].settings))
            unfinished = [p for p in order if len(self._tuned[p].settings) < self._trials]
            spec = next(filter(None, map(self._propose, unfinished)), None)
            if spec is None:
                return Next.WAIT if unfinished else Next.END
            # Not even a failed one is tried again: later proposals have learned of its failure.
            result = self._listener.folder.earlier_result(spec, retry=False)
            if result is None:
                self._listener.on_start(spec)
                return spec
            self._keep(result)

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        self._listener.on_epoch(spec, record)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self._keep(result)
        self._listener.on_done(spec, result)

    def _keep(self, result: RunResult) -> None:
        tuned, number = self._running.pop(result.id)
        tuned.results[number] = result

    def best(self) -> list[Entry]:
        """Return the entries with the settings that were best on validation data, once all have run.

        Where every run of a cell diverged it keeps the settings that were given, and is not tuned.
        """
        return [self._best(tuned) for tuned in self._tuned]

    def _best(self, tuned: _Tuned) -> Entry:
        losses = [
            (loss, number) for number, (_, loss) in enumerate(tuned.told(self._sign)) if loss is not None
        ]
        if not losses:
            self._listener.notify.warn(f"{tuned.entry.name}: every run of its tuning diverged or failed")
        settings = tuned.settings[min(losses)[1] if losses else 0]
        return replace(tuned.entry.with_settings(settings), tuned=bool(losses) and self._trials > 1)

    def _propose(self, position: int) -> RunSpec | None:
        """Return the next run of one cell; None where runs before it must end first."""
        tuned, number = self._tuned[position], len(self._tuned[position].settings)
        told = tuned.told(self._sign)
        if len(told) < tuned.study.needs(number):
            return None
        settings = tuned.study.propose(number, told)
        tuned.settings.append(settings)
        choice, seed = self._models.choice, self._models.config.seed
        spec = tuning_spec(self._entries, position, number, settings, task=choice, seed=seed)
        self._running[spec.id] = (tuned, number)
        return spec


def _first(entry: Entry) -> Settings:
    """Return the settings that a cell has before it is tuned."""
    bias = gate_bias(parse_cell(entry.cell))
    return entry.settings if bias is None else {**entry.settings, "gate_bias": bias}


def _loss(result: RunResult, sign: int) -> float | None:
    """Return what tuning minimises; None for a run that diverged or failed."""
    if result.best_metric is None or result.status in ("diverged", "failed"):
        return None
    return sign * result.best_metric
