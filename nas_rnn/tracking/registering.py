"""Puts the model of a view into MLflow's registry: the files with its run, a version, and the alias."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn.tracking.view import DatasetView, ModelView

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

DIGEST_TAG = "nas_rnn.model"
VERSIONS_TAG = "mlflow.modelVersions"
CODE = Path(__file__).with_name("champion.py")

LogFiles = Callable[[str, str, Mapping[str, str | bytes]], None]


def register(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    model: ModelView,
    dataset: DatasetView | None,
    log_files: LogFiles,
) -> None:
    """Have ``model`` be the version of its name that bears its alias; the same files are registered once.

    It becomes a model of the run, with its metrics on ``dataset``. ``log_files(id, location, files)`` puts files
    among those of a logged model.
    """
    name, digest = model_name(model.name), _digest(model)
    version = _find(client, name, run_id, digest)
    if version is None:
        logged = _find_logged(client, experiment_id, run_id, digest) or _log(
            client, experiment_id, run_id, model, dataset, log_files
        )
        _ensure_name(client, name)
        version = client.create_model_version(
            name,
            logged.artifact_location,
            run_id,
            tags={DIGEST_TAG: digest, **model.tags},
            description=model.description,
            await_creation_for=0,
            model_id=logged.model_id,
        ).version
        # A server notes this by itself; the page of the model shows its versions by it.
        versions = json.dumps([{"name": name, "version": str(version)}])
        client.set_logged_model_tags(logged.model_id, {VERSIONS_TAG: versions})
    client.set_registered_model_alias(name, model.alias, version)


def _find_logged(client: MlflowClient, experiment_id: str, run_id: str, digest: str) -> LoggedModel | None:
    """Return the run's model with these files, where an earlier attempt logged it whole."""
    found = client.search_logged_models(
        [experiment_id], filter_string=f"source_run_id = '{run_id}' AND tags.`{DIGEST_TAG}` = '{digest}'"
    )
    return next((model for model in found if model.status.name == "READY"), None)


def _log(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    model: ModelView,
    dataset: DatasetView | None,
    log_files: LogFiles,
) -> LoggedModel:
    from mlflow.entities import LoggedModelOutput, Metric

    logged = client.create_logged_model(
        experiment_id,
        name=model_name(model.name),
        source_run_id=run_id,
        tags={DIGEST_TAG: _digest(model), **model.tags},
        params=dict(model.params),
        model_type="recurrent cell",
    )
    log_files(logged.model_id, logged.artifact_location, _as_pyfunc(model))
    used = {} if dataset is None else {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
    measured = [
        Metric(name, value, logged.creation_timestamp, 0, model_id=logged.model_id, run_id=run_id, **used)
        for name, value in model.metrics.items()
    ]
    if measured:
        client.log_batch(run_id, metrics=measured)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    return client.finalize_logged_model(logged.model_id, "READY")


def model_name(name: str) -> str:
    """Return ``name`` as one that a registered model may have and that needs no quoting in addresses and filters."""
    return re.sub(r"[^\w.-]", "_", name).strip(".") or "_"


def _find(client: MlflowClient, name: str, run_id: str, digest: str) -> str | None:
    for found in client.search_model_versions(f"name = '{name}'"):
        if found.run_id == run_id and found.tags.get(DIGEST_TAG) == digest:
            return str(found.version)
    return None


def _ensure_name(client: MlflowClient, name: str) -> None:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)


def _as_pyfunc(model: ModelView) -> dict[str, bytes]:
    """Return the files of MLflow's form of the model: code as text, and the model's own files; no pickle."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    example, shape = model.example, model.input_shape
    inputs: list[Any]
    if isinstance(example, Mapping):
        assert isinstance(shape, Mapping)
        inputs = [TensorSpec(array.dtype, shape[name], name) for name, array in example.items()]
        example = dict(example)  # MLflow knows no other mapping
    else:
        assert isinstance(shape, tuple)
        inputs = [TensorSpec(example.dtype, shape)]
    outputs: list[Any] = [TensorSpec(model.outputs.dtype, model.output_shape)]
    with tempfile.TemporaryDirectory(prefix="nas-rnn-") as folder:
        files, saved = Path(folder, "model"), Path(folder, "pyfunc")
        files.mkdir()
        for name, content in model.files.items():
            (files / name).write_bytes(content)
        mlflow.pyfunc.save_model(
            saved,
            python_model=str(CODE),
            artifacts={"model": str(files)},
            model_config=dict(model.config),
            signature=ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs)),
            input_example=example,
            pip_requirements=list(model.requirements),
        )
        return {str(p.relative_to(saved)): p.read_bytes() for p in sorted(saved.rglob("*")) if p.is_file()}


def _digest(model: ModelView) -> str:
    """Return what differs where the registered model would."""
    parts = [CODE.read_bytes(), repr((model.config, model.input_shape, model.output_shape)).encode()]
    parts += [part for name in sorted(model.files) for part in (name.encode(), model.files[name])]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
