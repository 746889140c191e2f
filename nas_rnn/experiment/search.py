"""The main job: search for a cell, with the LSTM beside it, and say which is better."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from nas_rnn import plugins
from nas_rnn.comparison import Comparison, Entry, sentence
from nas_rnn.engine import RunSource
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.session import Bench, Interrupted
from nas_rnn.publishing.mlflow_sync import Chronicle
from nas_rnn.run_folder.config import SearchConfig, load_toml
from nas_rnn.experiment.stages.random_cells import mean_of_random
from nas_rnn.experiment.events import Observer, PhaseStarted, Started, silent
from nas_rnn.experiment.stages.final import TOP, Final
from nas_rnn.experiment.opening import begun, given, prepared, resumable, taken_up
from nas_rnn.run_folder.provenance import STUDY, Identities, require_unchanged
from nas_rnn.experiment.results import BestCell, Result
from nas_rnn.experiment.stages.proposals import (
    CONSTRAINED_SECONDS,
    CONTROL,
    SearchSource,
    make_strategy,
)
from nas_rnn.experiment.stages.sizes import matched
from nas_rnn.run_folder.holdout import require_unread
from nas_rnn.run_folder.trials import BASELINE_ID, count_endings, ranked, trial_id
from nas_rnn.run_folder.layout import Workspace
from nas_rnn.spaces import Decisions, Infeasible
from nas_rnn.strategies import Strategy, Study, Trial
from nas_rnn.training import RunResult

_MAY_CHANGE = {"address", "gpus_per_trial", "plugins", "time", "trials", "workers"}
CONTROL_JOURNAL = "control.journal"


def search(
    *,
    resume: str | None = None,
    changed_plugins: bool = False,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Any,
) -> Result:
    """Search for a recurrent cell and compare the best one found with the LSTM.

    ``options`` are the fields of `SearchConfig` (task, data, space, strategy, trials, epochs, params, ...); they take
    precedence over the TOML file ``config``, and that over the defaults. ``resume`` names a search under ``runs`` to go
    on with, by its own configuration; ``changed_plugins`` lets it go on with plugins whose files are not the same any
    more. ``observer(event, progress)`` hears of everything.

    Returns how it ended; after Ctrl-C ``status`` is "interrupted" and what is done is kept. Raises UserError for a
    mistake in what was given, NasRnnError where the search could not go on.
    """
    runs = Path(runs)
    if resume is not None:
        return _resume(runs, resume, config, options, observer, changed_plugins)
    if changed_plugins:
        raise UserError("--changed-plugins is for a search that goes on: give its name with --resume")
    return _begin(runs, config, options, observer)


def _begin(runs: Path, config: Path | None, options: dict[str, Any], observer: Observer) -> Result:
    models = prepared(SearchConfig, {**(load_toml(config) if config else {}), **given(options)}, runs)
    settings = cast(SearchConfig, models.config)
    _require_candidates(make_strategy(settings, 0), settings)
    models.match(plugins.load_cell("lstm"), settings.params)  # too few parameters show here

    def keep(workspace: Workspace) -> None:
        workspace.study_path.unlink(missing_ok=True)
        Study.create(workspace.study_path, STUDY, models.measures.monitor.direction)

    with begun("search", models, runs, settings.space, observer, keep) as bench:
        return _Search(bench).run()


def _require_candidates(strategy: Strategy, settings: SearchConfig) -> None:
    """Raise `Infeasible` where hardly anything in the space keeps the constraints."""
    if settings.constraints:
        space = plugins.registry().find("space", settings.space)
        with plugins.running(space, seconds=CONSTRAINED_SECONDS, passing=(Infeasible,)):
            strategy.space.sample(settings.seed)


def _resume(
    runs: Path,
    name: str,
    config: Path | None,
    options: dict[str, Any],
    observer: Observer,
    changed_plugins: bool,
) -> Result:
    changed = given(options) | ({} if config is None else {"config": config})
    workspace = resumable(runs, name, "search", changed, _MAY_CHANGE)
    for option in sorted({"time", "trials"} & set(changed)):
        require_unread(workspace, f"--{option}")

    def check(settings: SearchConfig) -> None:
        require_unchanged(workspace, settings, allowed=changed_plugins)

    with taken_up(SearchConfig, workspace, changed, observer, check) as bench:
        return _Search(bench).run()


class _Search:
    """One search, from its first trial to the verdict; every part skips what is done already."""

    def __init__(self, bench: Bench) -> None:
        assert isinstance(bench.config, SearchConfig)
        self.bench = bench
        self.settings = settings = bench.config
        self.began = time.monotonic()
        self.study = Study.take_up(bench.workspace.study_path, STUDY)
        self.chronicle = Chronicle(bench.workspace, bench.task, settings, bench.warn)
        self._sources: list[SearchSource] = []

    def run(self) -> Result:
        status = "complete"
        before = sum(trial.ending is not None for trial in self.study.trials())
        self._tell_start(before)
        kept = self.bench.workspace.read_json("comparison.json")
        if kept is not None:
            return self._result(status, Comparison.from_dict(kept))
        settings = self.settings
        deadline = None if settings.time is None else time.monotonic() + settings.time
        final = Final(self.bench, self.chronicle.run_changed)
        with self.chronicle:
            try:
                self.bench.run(
                    self._stages(before, deadline, final),
                    scheduler=settings.scheduler,
                    epochs=settings.epochs,
                    deadline=deadline,
                )
            except Interrupted:
                status = "interrupted"
            finally:
                self.chronicle.end(status, final.comparison, self.study.trials())
        self.bench.tell_all(self.chronicle.problems)
        return self._result(status, final.comparison)

    def _stages(self, before: int, deadline: float | None, final: Final) -> Iterator[RunSource]:
        """Search, pick from the best few, tune, compare; each stage skips what is done already."""
        source = self._source(before, deadline)
        yield source
        final.spend("search", self._results([BASELINE_ID, *self._trial_ids(self.study)]))
        baseline = self.bench.models.baseline_entry(source.baseline)
        winner = yield from final.select(self._best(self.study, baseline))
        if winner is not None:
            controls = yield from self._controls(final, baseline)
            yield from final.contest(baseline, [winner, *controls], None)

    def _best(self, study: Study, baseline: Entry) -> list[Entry]:
        """Return the best few trials as entries."""
        return [
            matched(self.bench, trial.candidate.cell, baseline, score=trial.value)
            for trial in ranked(study.trials(), self.bench.measures.monitor)[:TOP]
        ]

    def _controls(self, final: Final, baseline: Entry) -> Generator[RunSource, None, list[Entry]]:
        """Return what random choice comes to: the best of a random search of equal cost, and the mean of the space."""
        controls = []
        if self.settings.controls == "all" and self.settings.strategy != CONTROL:
            best = yield from self._random_search(final, baseline)
            if best is not None:
                name = f"random search: {best.name}"
                controls.append(replace(best, name=name, control=f"random search, {self._trained()} trials"))
        if self.settings.controls != "none":
            try:
                controls.append(mean_of_random(self.bench, self.settings, baseline))
            except NasRnnError as error:  # what was found is worth more than what stands beside it
                self.bench.warn(f"the mean of random cells is left out: {error}")
        return controls

    def _random_search(self, final: Final, baseline: Entry) -> Generator[RunSource, None, Entry | None]:
        path = self.bench.workspace.folder / CONTROL_JOURNAL
        if not path.is_file() or b"\n" not in path.read_bytes():  # a kill may leave an empty one
            path.unlink(missing_ok=True)
            Study.create(path, STUDY, self.bench.measures.monitor.direction)
        study = Study.take_up(path, STUDY)
        trials = self._trained()
        before = sum(trial.ending is not None for trial in study.trials())
        self.bench.tell(PhaseStarted(phase="control", runs=trials, before=before))
        source = SearchSource(
            bench=self.bench,
            study=study,
            strategy=make_strategy(self.settings, len(study.trials()), control=True),
            baseline=plugins.load_cell("lstm"),
            trials=trials,
            deadline=None,
            on_change=self.chronicle.run_changed,
            control=True,
        )
        self._sources.append(source)
        yield source
        final.spend("control", self._results(self._trial_ids(study, control=True)))
        return (yield from final.select(self._best(study, baseline), control="random search"))

    def _trained(self) -> int:
        """Return how many candidates the search has trained: as many get the random search beside it."""
        return sum(
            trial.copy_of is None and trial.details["hidden_size"] is not None
            for trial in self.study.trials()
        )

    def _trial_ids(self, study: Study, *, control: bool = False) -> list[str]:
        return [trial_id(trial.number, control=control) for trial in study.trials()]

    def _tell_start(self, before: int) -> None:
        bench = self.bench
        bench.tell(
            Started(
                kind="search",
                name=bench.workspace.name,
                folder=str(bench.workspace.folder),
                task=bench.task.name,
                measures=bench.measures,
                space=self.settings.space,
                constraints=self.settings.constraints,
                trials=self.settings.trials,
                workers=self.settings.workers,
                parameters=self.settings.params,
                finished_before=before,
            )
        )

    def _source(self, before: int, deadline: float | None) -> SearchSource:
        """Return the search part; on a resume, what is left of it."""
        self.bench.tell(PhaseStarted(phase="search", runs=self.settings.trials, before=before))
        source = SearchSource(
            bench=self.bench,
            study=self.study,
            strategy=make_strategy(self.settings, len(self.study.trials())),
            baseline=plugins.load_cell("lstm"),
            trials=self.settings.trials,
            deadline=deadline,
            on_change=self.chronicle.run_changed,
        )
        self.chronicle.baseline_records = source.baseline_records
        self._sources.append(source)
        self.chronicle.decisions_of = self._decisions_of
        self.chronicle.plugins_of = self._plugins_of
        # Whatever ended before, in any stage: MLflow may have missed it.
        for run in self.bench.workspace.ended():
            self.chronicle.stored_run_changed(run)
        return source

    def _decisions_of(self, run: str) -> Decisions:
        return next(filter(None, (source.decisions_of(run) for source in self._sources)), {})

    def _plugins_of(self, run: str) -> Identities:
        return next(filter(None, (source.plugins_of(run) for source in self._sources)), {})

    def _results(self, runs: Iterable[str]) -> list[RunResult]:
        results = [self.bench.workspace.store(run).read_result() for run in runs]
        return [result for result in results if result is not None]

    def _result(self, status: str, comparison: Comparison | None) -> Result:
        trials = self.study.trials()
        bench = self.bench
        baseline = bench.workspace.store(BASELINE_ID).read_result()
        return Result(
            kind="search",
            name=bench.workspace.name,
            folder=str(bench.workspace.folder),
            status=status,
            measures=bench.measures,
            trials=count_endings(trials),
            best=best_cell(bench, trials, comparison),
            baseline=None if baseline is None else baseline.best_metric,
            comparison=comparison,
            verdict=None if comparison is None else sentence(comparison),
            notices=tuple(dict.fromkeys(bench.notices)),
            seconds=time.monotonic() - self.began,
            dashboard=self.chronicle.uri,
        )


def best_cell(bench: Bench, trials: list[Trial], comparison: Comparison | None) -> BestCell | None:
    """Return the comparison's contender, or else the trial with the best validation metric."""
    found = ranked(trials, bench.measures.monitor)
    if comparison is not None:
        digest = comparison.contenders[0].standing.digest
        found = [trial for trial in found if trial.digest == digest]
    if not found:
        return None
    best = found[0]
    spec = bench.workspace.store(trial_id(best.number)).read_spec()
    result = bench.workspace.store(trial_id(best.number)).read_result()
    cell = best.candidate.cell
    return BestCell(
        name=cell.name,
        digest=cell.digest,
        cell=cell.to_text(),
        equations=str(cell),
        hidden_size=spec.hidden_size if spec else 0,
        parameters=result.parameters if result else 0,
        trial=best.number,
        value=best.value,
    )
