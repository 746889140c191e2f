"""The one door to MLflow: imported late, silent, and impatient with a server that does not answer."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
# Retrying is the tracker's business: it can wait for minutes without holding anything up.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def prepare_environment() -> None:
    """Silence MLflow in this process and those it starts; what the user has set stays."""
    for name, value in _SILENT.items():
        os.environ.setdefault(name, value)


def connect(uri: str) -> MlflowClient:
    """Return a client of the store or server at ``uri``, without touching MLflow's global state."""
    prepare_environment()
    for name, value in _IMPATIENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # What fails is counted and reported once; these would tell of every attempt, some with tracebacks.
    for noisy in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    return MlflowClient(tracking_uri=uri)


def is_http(uri: str) -> bool:
    """Return whether ``uri`` is a server's address, not a database."""
    return uri.startswith(("http://", "https://"))


def is_of_network(error: BaseException | None) -> bool:
    """Return whether ``error`` says that the other side cannot be reached."""
    while error is not None:
        if isinstance(error, OSError):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: Exception) -> str:
    """Return the first line of what ``error`` says; for a database's, what the database said."""
    cause: BaseException | None = error
    while cause is not None:
        error = getattr(cause, "orig", None) or error
        cause = cause.__cause__ or cause.__context__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def without_password(uri: str) -> str:
    """Return ``uri`` fit for messages: a password in it becomes ``***``."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    login, _, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{':***' if colon else ''}@{host}"))
