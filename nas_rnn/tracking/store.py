"""Where the runs are kept: the address, the first creation of a store, the experiment in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.tracking.changes import with_key
from nas_rnn.tracking.quiet import connect, is_http, prepare_environment, without_password
from nas_rnn.tracking.view import ExperimentView

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DATABASE = "mlflow.db"
_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https")
LOCK_SECONDS = 120.0
IDENTITY_TAG = "nas_rnn.data"


def default_uri(runs_dir: Path) -> str:
    """Return the address of the store beside the run folders: ``sqlite:////abs/runs/mlflow.db``."""
    return f"sqlite:///{Path(runs_dir).absolute() / DATABASE}"


def check_uri(uri: str) -> None:
    """Raise UserError unless ``uri`` names a database or a server."""
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme not in _SCHEMES or "://" not in uri:
        raise UserError(
            f"MLflow cannot keep runs at {without_password(uri)!r}: it takes a database or a server, as in "
            "sqlite:////home/me/mlflow.db or http://127.0.0.1:5000"
        )


def open_store(uri: str, artifact_root: Path) -> MlflowClient:
    """Return a client of the store at ``uri``, which is created where it does not exist.

    A new SQLite file is made aside, under a lock, and moved into place whole: several programs may start at
    once, and one that is killed half-way leaves nothing broken.
    """
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        create_database(path, artifact_root)
    return connect(uri)


def sqlite_path(uri: str) -> Path | None:
    """Return the file of an SQLite ``uri``, None for any other."""
    prefix = "sqlite:///"
    if not uri.startswith(prefix) or uri.endswith(":memory:"):
        return None
    return Path(uri.removeprefix(prefix)).absolute()


def create_database(path: Path, artifact_root: Path) -> None:
    """Make the store's file at ``path`` unless another program has made it meanwhile."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
        if path.exists():
            return
        prepare_environment()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        aside = path.with_name(f".{path.name}.new-{uuid.uuid4().hex[:8]}")
        try:
            store: Any = SqlAlchemyStore
            store(f"sqlite:///{aside}", artifact_root.absolute().as_uri()).engine.dispose()
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def find_experiment(client: MlflowClient, wanted: ExperimentView) -> Experiment | None:
    """Return the experiment that ``wanted`` describes, also a deleted one; None where there is none yet."""
    from mlflow.entities import ViewType

    if wanted.former:
        former = client.get_experiment_by_name(wanted.former)
        if former is not None and client.search_runs(
            [former.experiment_id], with_key(wanted.key), max_results=1
        ):
            return former
    if not wanted.identity:
        return client.get_experiment_by_name(wanted.name)
    found = client.search_experiments(
        ViewType.ALL,
        filter_string=f"tags.`{IDENTITY_TAG}` = '{wanted.identity}'",
        order_by=["creation_time ASC"],
    )
    return next(iter(found), None)


def open_experiment(
    client: MlflowClient, uri: str, wanted: ExperimentView, artifact_root: Path
) -> tuple[Experiment, bool]:
    """Return the experiment ``wanted``, made where there is none, and whether it had to be restored.

    A server keeps artifacts where it was told to; in a database of our own they go under ``artifact_root``.
    """
    found = find_experiment(client, wanted)
    if found is None:
        location = None if is_http(uri) else artifact_root.absolute().as_uri()
        found = _create_experiment(client, wanted, location)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        return found, True
    return found, False


def _create_experiment(client: MlflowClient, wanted: ExperimentView, location: str | None) -> Experiment:
    """Make an experiment under the first of the names ``wanted`` that no other has."""
    tags = {IDENTITY_TAG: wanted.identity} if wanted.identity else {}
    for last, name in enumerate(wanted.names, start=1 - len(wanted.names)):
        if client.get_experiment_by_name(name) is not None:
            continue
        try:
            return client.get_experiment(
                client.create_experiment(name, artifact_location=location, tags=tags)
            )
        except Exception:
            # Another program may have been first; if not, the error stands.
            found = find_experiment(client, wanted)
            if found is not None:
                return found
            if last == 0 or client.get_experiment_by_name(name) is None:
                raise
    raise NasRnnError(
        f"MLflow has other experiments named {' and '.join(map(repr, wanted.names))}; rename one"
    )


def describe_experiment(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Set those of ``tags`` that the experiment does not have so."""
    have = client.get_experiment(experiment_id).tags
    for name, value in tags.items():
        if have.get(name) != value:
            client.set_experiment_tag(experiment_id, name, value)
