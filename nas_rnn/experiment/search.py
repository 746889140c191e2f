"""The main job: search for a cell, with the LSTM beside it, and say which is better."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Unpack

from nas_rnn import plugins
from nas_rnn.catalogue.cells import reference_texts
from nas_rnn.comparison import Course, Way
from nas_rnn.engine import RunSource
from nas_rnn.errors import UserError
from nas_rnn.experiment.events import Observer, silent, started
from nas_rnn.experiment.keywords import SearchOptions
from nas_rnn.experiment.results import Result, search_result
from nas_rnn.experiment.session import Session, new_session, prepare, resumed_session
from nas_rnn.experiment.stages.candidates import Candidates
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.dead_end import forget_dead_end, keep_dead_end
from nas_rnn.experiment.stages.earlier import (
    given_cells,
    keep_earlier,
    kept_earlier,
    notice_of,
    starting_points,
)
from nas_rnn.experiment.stages.final import Final
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.lstm_control import RUNS, lstm_with_all
from nas_rnn.experiment.stages.objectives import with_objectives
from nas_rnn.experiment.stages.random_control import RandomControl
from nas_rnn.experiment.stages.selection import select
from nas_rnn.experiment.stages.sizes import best_entries, reference_entries, warn_of_mismatch
from nas_rnn.experiment.stages.strategy import has_random_search, make_strategy, require_candidates
from nas_rnn.experiment.stages.supernet import one_shot, passes, train_supernet, worth
from nas_rnn.experiment.stages.tuning import tune
from nas_rnn.experiment.workload import Workload, tell_expected
from nas_rnn.publishing.mlflow_sync import MlflowSync
from nas_rnn.run_folder.config import SMOKE_WARNING, SearchConfig
from nas_rnn.run_folder.holdout import require_unread
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.lifecycle import CHANGEABLE, merged, resumable, without_none
from nas_rnn.run_folder.provenance import require_unchanged
from nas_rnn.run_folder.reader import REFERENCES, STUDY
from nas_rnn.strategies import Study


def search(
    *,
    resume: str | None = None,
    changed_plugins: bool = False,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Unpack[SearchOptions],
) -> Result:
    """Search for a recurrent cell and compare the best one found with the LSTM.

    ``options`` (docs/options.md has them all) take precedence over the TOML file ``config``, and that over the
    defaults. ``resume`` names a search under ``runs`` to resume, by its own configuration; ``changed_plugins`` lets it
    be resumed with plugins whose files are not the same any more. ``observer(event, progress)`` hears of everything.

    Returns how it ended; after Ctrl-C ``status`` is "interrupted" and what is done is kept. Raises UserError for a
    mistake in what was given, NasRnnError where the search could not continue.
    """
    runs = Path(runs)
    if resume is not None:
        return _resume(runs, resume, config, options, observer, changed_plugins)
    if changed_plugins:
        raise UserError("--changed-plugins is for a search that is resumed: give its name with --resume")
    settings, models = prepared = with_objectives(*prepare(SearchConfig, merged(config, options), runs))
    one_shot(settings)
    models.match(plugins.load_cell("lstm"), settings.params)  # too few parameters show here
    references = reference_texts(settings.reference, runs)
    earlier = starting_points(settings.start_from, runs, settings, models)
    require_candidates(make_strategy(settings, 0, starts=given_cells(earlier)), settings)

    def keep(folder: RunFolder) -> None:
        folder.write_json(REFERENCES, references)
        keep_earlier(folder, earlier)
        folder.study_path.unlink(missing_ok=True)
        Study.create(folder.study_path, STUDY, models.measures.monitor.direction)

    with new_session("search", prepared, runs, settings.space, observer, keep) as session:
        return _run(session)


def _resume(
    runs: Path,
    name: str,
    config: Path | None,
    options: Mapping[str, object],
    observer: Observer,
    changed_plugins: bool,
) -> Result:
    changed = without_none(options) | ({} if config is None else {"config": config})
    folder = resumable(runs, name, "search", changed, CHANGEABLE)
    for option in sorted({"time", "trials"} & set(changed)):
        require_unread(folder, f"--{option}")

    def check(settings: SearchConfig) -> None:
        require_unchanged(folder, settings, allowed=changed_plugins)

    with resumed_session("search", SearchConfig, folder, changed, observer, check) as session:
        return _run(session)


def _run(session: Session[SearchConfig]) -> Result:
    """Run a search from its first trial to the verdict; every stage skips what is done already."""
    config, folder, models, notify = session.config, session.folder, session.models, session.notify
    began = time.monotonic()
    forget_dead_end(folder)
    study = Study.resume(folder.study_path, STUDY)
    before = sum(trial.ending is not None for trial in study.trials())
    notify(started("search", config, folder, models, finished_before=before))
    earlier = kept_earlier(folder)
    said = [SMOKE_WARNING if config.smoke else "", models.few_seeds, notice_of(earlier)]
    notify.warn_once(filter(None, said))
    lstm = plugins.load_cell("lstm")
    random_search = has_random_search(config)
    workload = Workload(
        config,
        cells=2 + random_search + (config.reference != "none"),
        controls=(config.controls != "none") + (config.controls == "lstm-all"),
        random_search=random_search,
        supernet=passes(one_shot(config)),
    )
    notify.expect(workload)
    if not before:
        tell_expected(models, notify, workload, lstm)
    sync = MlflowSync(folder, models.task, config, notify.warn)
    costs, listener = Costs(folder), RunListener(folder, notify, sync.run_changed)
    final = Final(models, listener, costs)

    def stages() -> Iterator[RunSource]:
        given = models.baseline_entry(lstm)
        tuned = yield from tune(models, listener, costs, [given], "baseline")
        baseline = tuned.entries[0]
        ranked = yield from train_supernet(config, models, listener, costs, baseline)
        candidates = Candidates(
            config=config,
            models=models,
            listener=listener,
            costs=costs,
            study=study,
            standard=baseline,
            on_source=sync.follow,
            length=tuned.length,
            earlier=earlier,
            starts=given_cells(earlier),
            best=ranked,
        )
        rungs = yield from candidates.run(config.trials)
        best = best_entries(models, folder, notify, study, baseline)
        selected = yield from select(models, listener, costs, best)
        if selected is None:
            keep_dead_end(folder, config, study.trials())
            return
        winner = selected.entry
        control = RandomControl(config, models, listener, costs, sync.follow, given_cells(earlier))
        instead = worth(folder, candidates.runs()[1:])
        beside = yield from control.run(baseline, candidates.trained() + instead, tuned.length)
        entries = [given, *map(models.as_given, [winner, *beside])]
        entries += reference_entries(models, folder, notify, entries[:2])
        for entry in entries[1:]:
            warn_of_mismatch(config.match, notify, entry)
        tuned = yield from tune(models, listener, costs, entries)
        costs.add_unchosen("tuning", "tune-", but=RUNS)
        course = Course(
            search=tuple(rungs),
            tuning=tuned.rung,
            way=Way(name=winner.name, score=winner.score, fresh=selected.fresh),
            monitor=models.measures.monitor.unit,
        )
        entries = tuned.entries
        if config.controls == "lstm-all":
            entries.append((yield from lstm_with_all(models, listener, costs, given, tuned)))
        yield from final.run(entries, course)

    status, comparison = session.conduct(sync, stages, lambda: final.comparison, trials=study.trials)
    seconds = time.monotonic() - began
    return search_result(
        folder, models.measures, status, comparison, study.trials(), notify.notices, sync.uri, seconds
    )
