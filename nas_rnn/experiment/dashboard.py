"""The MLflow dashboard over what lies under ``runs/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.publishing.experiments import experiment_of
from nas_rnn.publishing.mlflow_sync import tracking_uri
from nas_rnn.publishing.rebuilding import rebuild_runs
from nas_rnn.run_folder.layout import RunFolder, make_folder
from nas_rnn.tracking import ExperimentView, check_uri, experiment_url, serve


def ui(
    *,
    runs: str | Path = "runs",
    host: str = "127.0.0.1",
    port: int = 5000,
    on_ready: Callable[[str], None] = print,
    rebuild: str | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C; where MLFLOW_TRACKING_URI names a server, only say where to look.

    ``on_ready(url)`` hears where: the runs on the latest search's task and data, sorted by ``gap_to_lstm``. ``rebuild``
    first writes a search or comparison to MLflow anew; then it is that one's task and data.
    """
    runs = Path(runs)
    uri = tracking_uri(runs)
    check_uri(uri)
    if rebuild is not None:
        rebuild_runs(runs, rebuild)
    make_folder(runs)
    experiment = _experiment(runs, _latest(runs) if rebuild is None else rebuild)

    is_server = uri.startswith(("http://", "https://"))

    def ready(url: str) -> None:
        try:
            known = experiment or (_NOWHERE if is_server else None)
            on_ready(url if known is None else experiment_url(url, known, uri))
        except UserError:  # nothing was logged there yet
            on_ready(url)

    if is_server:
        ready(uri)
        return
    serve(uri, artifact_root=runs.resolve() / "artifacts", host=host, port=port, on_ready=ready)


_NOWHERE = ExperimentView(name="of no search")
"""Asked for where nobody can say which experiment it is: whether the server answers shows all the same."""


def _experiment(runs: Path, name: str | None) -> ExperimentView | None:
    """Return where the runs of ``name`` are; None where nobody can say."""
    try:
        return None if name is None else experiment_of(RunFolder(runs, name))
    except (NasRnnError, LookupError):  # a damaged folder is no reason to serve nothing
        return None


def _latest(runs: Path) -> str | None:
    """Return the name of the search or comparison that was begun or resumed last."""
    configs = sorted(runs.glob("*/config.toml"), key=lambda path: path.stat().st_mtime)
    return configs[-1].parent.name if configs else None
