"""MLflow's picture of a search or comparison, made anew from its folder."""

from __future__ import annotations

from pathlib import Path

from nas_rnn import plugins
from nas_rnn.errors import NasRnnError
from nas_rnn.publishing.mlflow_sync import MlflowSync
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import Identities
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import BASELINE_ID, trial_id
from nas_rnn.spaces import Decisions
from nas_rnn.strategies import Trial
from nas_rnn.training import EpochRecord


class _StoredTrials:
    """What the study says is behind each trial."""

    def __init__(self, trials: list[Trial], baseline_records: list[EpochRecord]) -> None:
        self.baseline_records = baseline_records
        self._trials = {trial_id(trial.number): trial for trial in trials}

    def decisions_of(self, run: str) -> Decisions:
        return dict(self._trials[run].candidate.decisions or {}) if run in self._trials else {}

    def plugins_of(self, run: str) -> Identities:
        return self._trials[run].details.get("plugins", {}) if run in self._trials else {}


def rebuild_runs(runs: Path, name: str) -> None:
    """Write everything that lies in the folder of ``name`` to MLflow; what is there already stays one run.

    Raises NasRnnError where MLflow did not take all of it.
    """
    folder = RunFolder.open_existing(runs, name)
    reader = RunReader(folder)
    reader.final_kind()
    config = reader.config()
    plugins.use_folders(config.plugins)
    task = plugins.registry().find("task", config.task).value(**config.task_options)
    trials, comparison = reader.trials(), reader.comparison()
    with MlflowSync(folder, task, config) as sync:
        sync.follow(_StoredTrials(trials, folder.store(BASELINE_ID).read_records()))
        for path in sorted(folder.trials.iterdir()):
            sync.stored_run_changed(path.name)
        sync.end("complete" if comparison else "interrupted", comparison, trials)
    if sync.incomplete:
        raise NasRnnError("; ".join(sync.problems))
