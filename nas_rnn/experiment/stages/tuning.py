"""Equal tuning: every cell of a comparison gets as many trials of training settings, over the same ranges.

Where runs end by themselves it is a halving (`nas_rnn.experiment.stages.halving`) with one rung: all settings are
trained for a third of what the baseline needs to its end, and the best third of each cell's goes on to its own end,
with the settings that were given.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nas_rnn.comparison import Entry, Rung, derived_seed, tuning_spec
from nas_rnn.engine import Next, RunList, RunSource
from nas_rnn.experiment.events import Phase, PhaseStarted
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.halving import (
    TRUSTED,
    at_rung_and_end,
    best_of,
    earlier_ends,
    loss_at,
    mean_rank_correlation,
    rungs_of,
    stopped_at,
    third_of,
    trained_on,
)
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.ranges import edge_words, fits_in, given_settings, ranges
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.strategies.settings import Setting, Settings, SettingsStudy
from nas_rnn.training import EpochRecord, RunResult, RunSpec

FINALISTS = 2
"""Settings of each cell that go to the final."""
_SAMPLER_INDEX = (1 << 18) - 1  # beyond those of the runs


@dataclass(frozen=True)
class Tuning:
    """The entries with the settings that were best, and how many epochs the baseline needed with its own.

    ``length`` is None where nothing was tuned, and nobody knows. ``rung`` is how the halving decided, where there was
    one.
    """

    entries: list[Entry]
    length: int | None = None
    rung: Rung | None = None


def tune(
    models: Models,
    listener: RunListener,
    costs: Costs,
    entries: Sequence[Entry],
    phase: Phase = "tuning",
    trials: int | None = None,
) -> Generator[RunSource, None, Tuning]:
    """Return ``entries``, the baseline first, with the settings that were best on validation data.

    Entries that stand for several cells get the first contender's. Nothing is trained where no tuning is wanted, nor
    what was trained before: the baseline's tuning is the same with contenders and without. ``trials`` are settings of
    each cell, by default as many as are configured.
    """
    trials = models.config.tune if trials is None else trials
    if not trials:
        return Tuning(list(entries))
    own = [entry for entry in entries if not entry.members]
    rung, decided = None, None
    if models.config.epochs == "auto":
        rung = yield from _rung(models, listener, own)
    source = TuneSource(models, listener, own, trials, rung)
    done = sum(listener.folder.store(id).read_result() is not None for id in source.ids())
    listener.notify(PhaseStarted(phase=phase, runs=source.runs, before=done))
    yield source
    if rung is not None:
        decided = yield from _to_the_end(listener, source, rung)
    costs.add("control" if phase == "lstm-all" else "tuning", source.results)
    tuned = source.best()
    in_order, leader = iter(tuned), tuned[min(1, len(tuned) - 1)]
    return Tuning(
        [
            replace(
                entry,
                training=leader.training,
                tuned=leader.tuned,
                tried=leader.tried,
                second=_without_bias(leader.second),
            )
            if entry.members
            else next(in_order)
            for entry in entries
        ],
        source.length,
        decided,
    )


def _without_bias(settings: Mapping[str, Setting] | None) -> Settings | None:
    """Return the settings of training alone: each of several cells has a gate bias of its own."""
    if settings is None:
        return None
    return {name: value for name, value in settings.items() if name != "gate_bias"}


def _to_the_end(listener: RunListener, source: TuneSource, rung: int) -> Generator[RunSource, None, Rung]:
    """Train the best third of each cell's settings on, and the given ones; two thirds where ranks say too little."""
    promoted: list[RunSpec] = []
    for share in (1, 2):
        before, promoted = promoted, source.promoted(share)
        if promoted == before:
            break
        ends = yield from trained_on(listener, "promotion", promoted, source.on_end)
        source.take_ends(ends)
        correlation = source.agreement()
        if correlation is None or correlation >= TRUSTED:
            break
    source.drop_checkpoints()
    return Rung(epochs=rung, went_on=len(promoted), of=source.runs, correlation=correlation)


def _rung(
    models: Models, listener: RunListener, entries: Sequence[Entry]
) -> Generator[RunSource, None, int | None]:
    """Return for how many epochs all settings are tried; the baseline is trained to its end first, as it was given.

    None where nothing would be left to go on to.
    """
    seed = models.config.seed
    spec = tuning_spec(entries, 0, 0, given_settings(entries[0]), task=models.choice, seed=seed)
    results = earlier_ends(listener, [spec])
    if not results:
        listener.notify(PhaseStarted(phase="length", runs=1))
        runs = RunList(
            [spec],
            on_start=listener.on_start,
            on_epoch=listener.on_epoch,
            on_done=lambda spec, result: listener.on_done(spec, result, keep_checkpoint=True),
        )
        yield runs
        results = runs.results
    rungs = rungs_of(models.config.training(), len(results[spec.id].epochs), most=1)
    return rungs[0] if rungs else None


@dataclass
class _Tuned:
    """One cell's tuning: its study, and the settings and results of its runs by number."""

    entry: Entry
    study: SettingsStudy
    settings: list[Settings] = field(default_factory=list)
    results: dict[int, RunResult] = field(default_factory=dict)
    promoted: list[int] = field(default_factory=list)

    def told(self, sign: int, rung: int | None) -> list[tuple[Settings, float | None]]:
        """Return settings and losses as far as they are known without a gap; at the rung, where there is one."""
        known: list[tuple[Settings, float | None]] = []
        for number, settings in enumerate(self.settings):
            if number not in self.results:
                break
            known.append((settings, loss_at(self.results[number], sign, rung)))
        return known


class TuneSource:
    """The runs that tune ``entries``, ``trials`` each; those that have a result already are not run again.

    With a ``rung`` they are trained for so many epochs, and compared by their best within them; those of `promoted` are
    to be trained on, and decide.
    """

    def __init__(
        self,
        models: Models,
        listener: RunListener,
        entries: Sequence[Entry],
        trials: int,
        rung: int | None = None,
    ) -> None:
        self._models, self._listener = models, listener
        self._entries, self._trials, self._rung = entries, trials, rung
        self._sign = sign_of(models.measures.monitor)
        seed = derived_seed(models.config.seed, "tuning", _SAMPLER_INDEX)
        self._ranges = ranges(entries, fits_in(models))
        self._tuned = [_Tuned(e, SettingsStudy(self._ranges, given_settings(e), seed=seed)) for e in entries]
        self._running: dict[str, tuple[_Tuned, int]] = {}

    @property
    def results(self) -> list[RunResult]:
        """The results of all runs so far."""
        return [result for tuned in self._tuned for result in tuned.results.values()]

    @property
    def runs(self) -> int:
        """How many runs there are in all."""
        return self._trials * len(self._entries)

    def ids(self) -> list[str]:
        """Return the ids of all runs, which do not depend on what is proposed."""
        return [
            self._spec(position, number, given_settings(entry)).id
            for position, entry in enumerate(self._entries)
            for number in range(self._trials)
        ]

    def next(self) -> RunSpec | Next:
        while True:
            # The cell that has begun least comes first, so that none waits for another's round.
            order = sorted(range(len(self._tuned)), key=lambda p: len(self._tuned[p].settings))
            unfinished = [p for p in order if len(self._tuned[p].settings) < self._trials]
            spec = next(filter(None, map(self._propose, unfinished)), None)
            if spec is None:
                return Next.WAIT if unfinished else Next.END
            result = self._earlier(spec)
            if result is None:
                self._listener.on_start(spec)
                return spec
            self._keep(result)

    def _earlier(self, spec: RunSpec) -> RunResult | None:
        """Return what an earlier process measured of this run, also where it was trained further than asked here."""
        folder = self._listener.folder
        if self._rung is not None:
            store = folder.store(spec.id)
            earlier = store.read_spec()
            if earlier is not None and stopped_at(earlier, self._rung) == spec:
                return store.read_result()
        # Not even a failed one is tried again: later proposals have learned of its failure.
        return folder.earlier_result(spec, retry=False)

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        self._listener.on_epoch(spec, record)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self._keep(result)
        self._listener.on_done(spec, result, keep_checkpoint=self._rung is not None)

    def on_end(self, spec: RunSpec, result: RunResult) -> None:
        """Hear that a run which was trained on has ended."""
        self._listener.on_done(spec, result, keep_checkpoint=True)

    def promoted(self, thirds: int = 1) -> list[RunSpec]:
        """Return the runs to be trained to their end: so many thirds of each cell's settings, the best at the rung.

        At least two of each go on, since the final has the two best.
        The settings that were given go on as well, so that no cell is worse off for a rung that takes fast starters.
        """
        chosen = []
        for position, tuned in enumerate(self._tuned):
            losses = {number: loss for number, (_, loss) in enumerate(self._told(tuned))}
            given = {0} if losses.get(0) is not None else set[int]()
            tuned.promoted = sorted(
                given.union(best_of(losses, max(FINALISTS, thirds * third_of(self._trials))))
            )
            chosen += [
                self._spec(position, number, tuned.settings[number], to_the_end=True)
                for number in tuned.promoted
            ]
        return chosen

    def take_ends(self, ends: Mapping[str, RunResult]) -> None:
        """Take the results of those that were trained on, by id."""
        for position, tuned in enumerate(self._tuned):
            for number in tuned.promoted:
                spec = self._spec(position, number, tuned.settings[number])
                tuned.results[number] = ends.get(spec.id, tuned.results[number])

    def agreement(self) -> float | None:
        """Return how far ranks at the rung and at the end agree: Spearman's, the mean over cells; None of too few."""
        rung = self._rung
        if rung is None:
            return None
        return mean_rank_correlation(
            [
                at_rung_and_end((tuned.results[number] for number in tuned.promoted), self._sign, rung)
                for tuned in self._tuned
            ]
        )

    def drop_checkpoints(self) -> None:
        """Let nobody be trained on from here."""
        for position, tuned in enumerate(self._tuned):
            for number, settings in enumerate(tuned.settings):
                self._listener.folder.store(self._spec(position, number, settings).id).drop_checkpoint()

    def _keep(self, result: RunResult) -> None:
        tuned, number = self._running.pop(result.id)
        tuned.results[number] = result

    @property
    def length(self) -> int | None:
        """How many epochs the baseline needed with its best settings, once all have run; None if it never got there."""
        best = self._ranked(self._tuned[0])
        return len(self._tuned[0].results[best[0]].epochs) if best else None

    def best(self) -> list[Entry]:
        """Return the entries with the settings that were best and second best on validation data, once all have run.

        Where every run of a cell diverged it keeps the settings that were given, and is not tuned.
        """
        return [self._best(tuned) for tuned in self._tuned]

    def _best(self, tuned: _Tuned) -> Entry:
        best = self._ranked(tuned)
        if not best:
            which = (
                "every run of its tuning"
                if self._rung is None
                else "every setting that was trained to the end"
            )
            self._listener.notify.warn_once([f"{tuned.entry.name}: {which} diverged or failed"])
        settings = tuned.settings[best[0] if best else 0]
        if best:
            self._tell_edge(tuned, settings)
        second = tuned.settings[best[1]] if len(best) > 1 else None
        return replace(
            tuned.entry.with_settings(settings),
            tuned=bool(best) and self._trials > 1,
            tried=len(tuned.settings),
            second=second,
        )

    def _ranked(self, tuned: _Tuned) -> list[int]:
        """Return the numbers of the settings that were best and second best at the end, of those that did not diverge.

        Those that an earlier stage trained to their end count as well: what is known of the baseline is not left aside
        because its rank at the rung was low among others this time.
        """
        everyone = range(len(tuned.settings))
        ended = [n for n in everyone if n in tuned.promoted or self._is_at_end(tuned.results[n])]
        losses = ((loss_at(tuned.results[number], self._sign), number) for number in ended)
        known = sorted((loss, number) for loss, number in losses if loss is not None)
        return [number for _, number in known[:FINALISTS]]

    def _is_at_end(self, result: RunResult) -> bool:
        """Whether a run came to its own end, and not only to the rung."""
        return self._rung is None or result.ended_because != "budget"

    def _propose(self, position: int) -> RunSpec | None:
        """Return the next run of one cell; None where runs before it must end first."""
        tuned, number = self._tuned[position], len(self._tuned[position].settings)
        told = self._told(tuned)
        if len(told) < tuned.study.needs(number):
            return None
        settings = tuned.study.propose(number, told)
        tuned.settings.append(settings)
        spec = self._spec(position, number, settings)
        self._running[spec.id] = (tuned, number)
        return spec

    def _spec(self, position: int, number: int, settings: Settings, *, to_the_end: bool = False) -> RunSpec:
        choice, seed = self._models.choice, self._models.config.seed
        spec = tuning_spec(self._entries, position, number, settings, task=choice, seed=seed)
        return stopped_at(spec, None if to_the_end else self._rung)

    def _told(self, tuned: _Tuned) -> list[tuple[Settings, float | None]]:
        return tuned.told(self._sign, self._rung)

    def _tell_edge(self, tuned: _Tuned, settings: Settings) -> None:
        """Say which of the best settings have none beyond them, where better ones may lie."""
        words = (edge_words(name, settings, tuned.settings, self._ranges[name]) for name in settings)
        self._listener.notify.warn_once(f"{tuned.entry.name}: {told}" for told in words if told is not None)
