"""The MLflow dashboard over what lies under ``runs/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nas_rnn import plugins
from nas_rnn.comparison import Comparison
from nas_rnn.experiment.bench import tracking_uri
from nas_rnn.experiment.chronicle import Chronicle
from nas_rnn.experiment.config import CompareConfig, SearchConfig, load_toml, read_config
from nas_rnn.experiment.search import STUDY
from nas_rnn.experiment.trials import BASELINE_ID, trial_id
from nas_rnn.experiment.workspace import Workspace
from nas_rnn.strategies import Study
from nas_rnn.tracking import serve


def ui(
    *,
    runs: str | Path = "runs",
    host: str = "127.0.0.1",
    port: int = 5000,
    on_ready: Callable[[str], None] = print,
    rebuild: str | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C; ``on_ready(url)`` hears where. ``rebuild`` first writes a search anew."""
    runs = Path(runs)
    if rebuild is not None:
        rebuild_runs(runs, rebuild)
    runs.mkdir(parents=True, exist_ok=True)
    serve(
        tracking_uri(runs),
        artifact_root=runs.resolve() / "artifacts",
        host=host,
        port=port,
        on_ready=on_ready,
    )


def rebuild_runs(runs: Path, name: str) -> None:
    """Write everything that lies in the folder of ``name`` to MLflow; what is there already stays one run."""
    workspace = Workspace.open_existing(runs, name)
    kind = (workspace.read_json("search.json") or {}).get("kind", "search")
    config = read_config(
        SearchConfig if kind == "search" else CompareConfig, load_toml(workspace.config_path)
    )
    plugins.use_folders(config.plugins)
    task = plugins.registry().find("task", config.task).value(**config.task_options)
    trials = Study.open(workspace.study_path, STUDY).trials() if kind == "search" else []
    kept = workspace.read_json("comparison.json")
    comparison = None if kept is None else Comparison.from_dict(kept)
    decisions = {trial_id(trial.number): dict(trial.candidate.decisions or {}) for trial in trials}
    with Chronicle(workspace, task, config) as chronicle:
        chronicle.decisions_of = lambda run: decisions.get(run, {})
        baseline = workspace.store(BASELINE_ID).read_records()
        chronicle.baseline_records = baseline
        for folder in sorted(workspace.trials.iterdir()):
            chronicle.stored_run_changed(folder.name)
        chronicle.end("complete" if comparison else "interrupted", comparison, trials)
