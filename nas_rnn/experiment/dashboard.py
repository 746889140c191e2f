"""The MLflow dashboard over what lies under ``runs/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.publishing.mlflow_sync import tracking_uri
from nas_rnn.publishing.rebuilding import rebuild_runs
from nas_rnn.run_folder.config import load_toml
from nas_rnn.run_folder.layout import make_folder
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
