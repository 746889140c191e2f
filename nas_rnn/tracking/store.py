"""Where the runs are kept: the address, the first creation of a store, the experiment in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn.errors import UserError
from nas_rnn.tracking.quiet import connect, is_http, prepare_environment, without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https")
LOCK_SECONDS = 120.0


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


def open_experiment(client: MlflowClient, uri: str, name: str, artifact_root: Path) -> tuple[str, bool]:
    """Return the id of experiment ``name``, made where there is none, and whether it had to be restored.

    A server keeps artifacts where it was told to; in a database of our own they go under ``artifact_root``.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if is_http(uri) else artifact_root.absolute().as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location)), False
        except Exception:
            # Another program may have been first; if not, the error stands.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        return str(found.experiment_id), True
    return str(found.experiment_id), False


def describe_experiment(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Set those of ``tags`` that the experiment does not have so."""
    have = client.get_experiment(experiment_id).tags
    for name, value in tags.items():
        if have.get(name) != value:
            client.set_experiment_tag(experiment_id, name, value)
