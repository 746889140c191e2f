"""The MLflow dashboard over what lies under ``runs/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nas_rnn import plugins
from nas_rnn.comparison import Comparison
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.session import tracking_uri
from nas_rnn.publishing.mlflow_sync import Chronicle
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, load_toml, read_config
from nas_rnn.run_folder.provenance import STUDY
from nas_rnn.run_folder.trials import BASELINE_ID, trial_id
from nas_rnn.run_folder.layout import Workspace, make_folder
from nas_rnn.strategies import Study
from nas_rnn.tracking import check_uri, experiment_url, serve


def ui(
    *,
    runs: str | Path = "runs",
    host: str = "127.0.0.1",
    port: int = 5000,
    on_ready: Callable[[str], None] = print,
    rebuild: str | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C; where MLFLOW_TRACKING_URI names a server, only say where to look.

    ``on_ready(url)`` hears where: the runs of the latest search's task, sorted by ``gap_to_lstm``. ``rebuild`` first
    writes a search or comparison to MLflow anew.
    """
    runs = Path(runs)
    uri = tracking_uri(runs)
    check_uri(uri)
    if rebuild is not None:
        rebuild_runs(runs, rebuild)
    make_folder(runs)
    task = _latest_task(runs)

    def ready(url: str) -> None:
        try:
            on_ready(experiment_url(url, task, uri) if task else url)
        except UserError:  # nothing was logged there yet
            on_ready(url)

    if uri.startswith(("http://", "https://")):
        ready(uri)
        return
    serve(uri, artifact_root=runs.resolve() / "artifacts", host=host, port=port, on_ready=ready)


def _latest_task(runs: Path) -> str | None:
    """Return the task of the search or comparison that was begun last."""
    configs = sorted(runs.glob("*/config.toml"), key=lambda path: path.stat().st_mtime)
    return str(load_toml(configs[-1])["task"]) if configs else None


def rebuild_runs(runs: Path, name: str) -> None:
    """Write everything that lies in the folder of ``name`` to MLflow; what is there already stays one run.

    Raises NasRnnError where MLflow did not take all of it.
    """
    workspace = Workspace.open_existing(runs, name)
    kind = (workspace.read_json("search.json") or {}).get("kind", "search")
    stored = load_toml(workspace.config_path)
    config: SearchConfig | CompareConfig = (
        read_config(SearchConfig, stored) if kind == "search" else read_config(CompareConfig, stored)
    )
    plugins.use_folders(config.plugins)
    task = plugins.registry().find("task", config.task).value(**config.task_options)
    trials = Study.open(workspace.study_path, STUDY).trials() if kind == "search" else []
    kept = workspace.read_json("comparison.json")
    comparison = None if kept is None else Comparison.from_dict(kept)
    decisions = {trial_id(trial.number): dict(trial.candidate.decisions or {}) for trial in trials}
    made_by = {trial_id(trial.number): trial.details.get("plugins", {}) for trial in trials}
    with Chronicle(workspace, task, config) as chronicle:
        chronicle.decisions_of = lambda run: decisions.get(run, {})
        chronicle.plugins_of = lambda run: made_by.get(run, {})
        baseline = workspace.store(BASELINE_ID).read_records()
        chronicle.baseline_records = baseline
        for folder in sorted(workspace.trials.iterdir()):
            chronicle.stored_run_changed(folder.name)
        chronicle.end("complete" if comparison else "interrupted", comparison, trials)
    if chronicle.incomplete:
        raise NasRnnError("; ".join(chronicle.problems))
