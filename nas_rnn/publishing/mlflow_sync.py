"""Keeps MLflow's picture of a search up to date, from what lies in the search's folder."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from nas_rnn.comparison import Comparison, sentence
from nas_rnn.publishing.champion import champion_view
from nas_rnn.publishing.experiments import experiment_for
from nas_rnn.publishing.overview import data_note
from nas_rnn.publishing.tables import TrialRow
from nas_rnn.publishing.views import COLUMNS, About, parent_view, run_view
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, plain
from nas_rnn.run_folder.dataset import stored_measures
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import Identities
from nas_rnn.run_folder.provenance import tags
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import BASELINE_ID, Gap, count_endings, gap_to_baseline, targets_of, trial_id
from nas_rnn.spaces import Decisions
from nas_rnn.strategies import Trial
from nas_rnn.tasks import Task
from nas_rnn.tracking import ModelView, Tracker, default_uri
from nas_rnn.training import EpochRecord, RunResult, RunSpec

CLOSE_SECONDS = 60.0


class TrialSource(Protocol):
    """What knows the decisions and the plugins behind a trial, by the id of its run."""

    baseline_records: list[EpochRecord]

    def decisions_of(self, run: str) -> Decisions: ...

    def plugins_of(self, run: str) -> Identities: ...


class MlflowSync:
    """The one writer of a search's runs in MLflow; to be used as a context manager.

    Views are made on a thread of their own: drawing a cell takes a second, for which no worker should wait.
    """

    def __init__(
        self,
        folder: RunFolder,
        task: Task,
        config: SearchConfig | CompareConfig,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.folder = folder
        self.task = task
        self.uri = tracking_uri(folder.runs)
        self.problems: list[str] = []
        self.baseline_records: list[EpochRecord] = []
        self._sources: list[TrialSource] = []
        self.incomplete = False
        self._warn, self._warned, self._outage = warn, False, ""
        self._waiting: set[str] = set()
        self._provisional: set[str] = set()
        self._latest: dict[str, tuple[RunSpec, RunResult | None]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nas-rnn-mlflow")
        reader = RunReader(folder)
        manifest = reader.manifest()
        self._plugins = manifest.plugins
        own = type(task).__module__.startswith("nas_rnn.")
        self._plugin_folders = [] if own else [str(Path(folder).resolve()) for folder in config.plugins]
        self._about = About(
            id=manifest.id,
            folder=folder,
            measures=stored_measures(task, reader.data()),
            unit=task.unit,
            settings=_settings(config),
            began_ms=manifest.began_ms or now_ms(),
            data=reader.data(),
        )

    def __enter__(self) -> MlflowSync:
        runs = self.folder.runs
        self._tracker = Tracker(
            self.uri,
            experiment_for(self.task.name, self._about.id, self._about.data),
            runs / "artifacts",
            note=data_note(runs, self.task.name, self._about.data),
            columns=COLUMNS,
        )
        self._tracker.put(parent_view(self._about, "running", None, {}, (), None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=error is not None)
        self._tracker.close(CLOSE_SECONDS)
        self.problems += [*self._tracker.notices, *self._tracker.problems]
        self.incomplete = bool(self._tracker.pending)
        if self.incomplete:
            self.problems.append(
                "nothing is lost: write what MLflow lacks with "
                f"`nas-rnn ui --rebuild {shlex.quote(self.folder.name)}`"
            )

    def _warn_of_outage(self) -> None:
        """Tell at once, and once, that MLflow takes nothing: it may be repaired during the search."""
        if self._outage and not self._warned:
            self._warned = True
            self._warn(f"{self._outage}; training continues, and MLflow will be tried again")

    def follow(self, source: TrialSource) -> None:
        """Ask ``source`` from now on what is behind its trials; the first one also for the baseline's curve."""
        if not self._sources:
            self.baseline_records = source.baseline_records
        self._sources.append(source)

    def _first_of(self, ask: Callable[[TrialSource], dict[str, Any]]) -> dict[str, Any]:
        return next(filter(None, map(ask, self._sources)), {})

    def run_changed(self, spec: RunSpec, result: RunResult | None) -> None:
        """Have a run shown as it is now, soon; ``result`` once it has ended."""
        self._warn_of_outage()
        self._latest[spec.id] = (spec, result)
        self._thread.submit(self._guarded, self._show_latest, spec.id)

    def stored_run_changed(self, id: str) -> None:
        """Have a run shown as its folder has it."""
        self._thread.submit(self._guarded, self._show_stored, id)

    def _guarded(self, call: Callable[[str], None], id: str) -> None:
        """Keep a failure for the report: a picture that cannot be made must not end a search."""
        try:
            call(id)
        except Exception as error:
            self.problems.append(f"run {id} is not shown in MLflow: {type(error).__name__}: {error}")

    def _show_latest(self, id: str) -> None:
        self._outage = next(iter(self._tracker.problems), "")
        latest = self._latest.pop(id, None)
        if latest is not None:
            self._show(*latest)

    def _show_stored(self, id: str) -> None:
        store = self.folder.store(id)
        spec = store.read_spec()
        if spec is not None:
            self._show(spec, store.read_result())

    def _show(self, spec: RunSpec, result: RunResult | None) -> None:
        records = result.epochs if result is not None else self.folder.store(spec.id).read_records()
        gap = None
        if spec.role in ("candidate", "baseline"):
            gap = self._gap(records, result)
        if result is not None and spec.role == "candidate":
            if gap is None:
                self._waiting.add(spec.id)
            elif result.status == "finished" and not gap.at_end:
                self._provisional.add(spec.id)
        view = run_view(
            self._about,
            spec,
            records,
            self.folder.store(spec.id).read_samples(),
            result,
            gap,
            self._first_of(lambda source: source.decisions_of(spec.id)),
            self.folder.changed_ms(spec.id, "spec.json") or now_ms(),
            self.folder.changed_ms(spec.id, "result.json") or now_ms(),
        )
        more = tags(self._first_of(lambda source: source.plugins_of(spec.id)) or self._plugins) | self._where(
            spec.id
        )
        self._tracker.put(replace(view, tags={**view.tags, **more}))
        if spec.id == BASELINE_ID:
            self._catch_up()

    def _where(self, id: str) -> dict[str, str]:
        """Return the tag that says on which machine, and which node of Ray, a run was trained last."""
        places = self.folder.store(id).read_workers()
        return {"node": f"{places[-1]['host']} ({places[-1]['node'][:8]})"} if places else {}

    @property
    def _baseline(self) -> RunResult | None:
        return self.folder.store(BASELINE_ID).read_result()

    def _gap(self, records: Sequence[EpochRecord], result: RunResult | None) -> Gap | None:
        monitor = self._about.measures.monitor
        return gap_to_baseline(monitor, records, result, self.baseline_records, self._baseline)

    def _catch_up(self) -> None:
        """Give the gap that is due to trials that ended before the baseline was as far, or had finished itself."""
        ended = self._baseline is not None
        for id in sorted(self._waiting | self._provisional if ended else self._waiting):
            result = self.folder.store(id).read_result()
            as_far = result is not None and targets_of(result.epochs) <= targets_of(self.baseline_records)
            if as_far or ended:
                self._waiting.discard(id)
                self._provisional.discard(id)
                self._show_stored(id)

    def end(self, status: str, comparison: Comparison | None, trials: list[Trial]) -> None:
        """Show how the search as a whole ended, once all its runs are shown."""
        self._thread.shutdown(wait=True)
        counts = {name: count for name, count in count_endings(trials).items() if count}
        rows = [row for trial in trials if (row := self._trial_row(trial)) is not None]
        model = None if comparison is None else self._champion(comparison)
        self._tracker.describe(data_note(self.folder.runs, self.task.name, self._about.data))
        self._tracker.put(parent_view(self._about, status, comparison, counts, rows, now_ms(), model))

    def _champion(self, comparison: Comparison) -> ModelView | None:
        try:
            return champion_view(self.folder, sentence(comparison), self._plugin_folders)
        except Exception as error:
            self.problems.append(f"the winner is not registered in MLflow: {type(error).__name__}: {error}")
            return None

    def _trial_row(self, trial: Trial) -> TrialRow | None:
        """Return what the table of trials says of one; None where it was not trained."""
        store = self.folder.store(trial_id(trial.number))
        spec, result = store.read_spec(), store.read_result()
        if spec is None:
            return None
        gap = None
        if result is not None and trial.ending in ("finished", "stopped"):
            gap = self._gap(result.epochs, result)
        return TrialRow(spec, result, None if gap is None else gap.value)


def tracking_uri(runs: Path) -> str:
    """Return where MLflow's store is: MLFLOW_TRACKING_URI, or a database under ``runs``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or default_uri(runs.resolve())


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return int(time.time() * 1000)


def _settings(config: SearchConfig | CompareConfig) -> dict[str, Any]:
    """Return what of ``config`` stands in one line of a table."""
    values = plain(config)
    for name in ("constraints", "objectives"):
        if values.get(name):
            values[name] = ", ".join(values[name])
    return {name: value for name, value in values.items() if not isinstance(value, (dict, list))}
