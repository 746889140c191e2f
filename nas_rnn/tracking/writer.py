"""Brings one MLflow run to what its view says, sending only what is not there yet."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nas_rnn.tracking.changes import (
    KEY_TAG,
    PARENT_TAG,
    Changes,
    Known,
    changes,
    curve_names,
    dataset_key,
    with_key,
)
from nas_rnn.tracking.plain_values import content_digest
from nas_rnn.tracking.registering import register
from nas_rnn.tracking.view import DatasetView, RunView

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag

# MLflow's limits for one request: 1000 entries, 100 parameters, 100 tags, a million bytes (six a character).
MAX_ENTRIES = 1000
MAX_PARAMS_OR_TAGS = 100
MAX_CHARACTERS = 120_000
SERVED = "mlflow-artifacts:"
SOURCE_TAG = "mlflow.source.name"
SOURCE = "nas-rnn"


class ParentMissing(Exception):
    """The run that this one is to be shown under is not in the store (yet)."""


class RunWriter:
    """Writes views into one experiment. Whatever it raises means: not all is written, put the view again.

    ``artifact_root`` is where the artifacts are whose address is the server's, for a writer that has none.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, artifact_root: Path | None) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self._artifact_root = artifact_root
        self._known: dict[str, Known] = {}
        self.fixed_params: set[tuple[str, str]] = set()

    def write(self, view: RunView) -> None:
        """Bring the run of ``view`` up to date; raises what MLflow raises, and ParentMissing."""
        try:
            self._write(view)
        except Exception:
            # How much of it arrived is not known, so the next attempt asks the store.
            self._known.pop(view.key, None)
            raise

    def _write(self, view: RunView) -> None:
        parent = None if view.parent is None else self._parent(view, view.parent)
        known = self._known.get(view.key) or self._adopt(view) or self._create(view, parent)
        self._known[view.key] = known
        todo = changes(view, known, parent)
        self.fixed_params |= {(view.key, name) for name in todo.fixed_params}
        self._log_contents(known, todo.contents)
        self._log_entries(known, todo)
        self._log_dataset(known, todo.dataset)
        self._name_and_status(known, view)
        if view.model is not None:
            register(self.client, self.experiment_id, known.run_id, view.model, view.dataset, self._log_model)

    def address(self, key: str) -> str | None:
        """Return where MLflow's pages show the run with ``key``; None where there is none."""
        known = self._known.get(key)
        if known is not None:
            return f"#/experiments/{self.experiment_id}/runs/{known.run_id}"
        run = self._find(key) or self._find_elsewhere(key)
        return None if run is None else f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"

    def _parent(self, view: RunView, parent: str) -> str:
        known = self._known.get(parent)
        if known is not None:
            return known.run_id
        run = self._find(parent)
        if run is None:
            raise ParentMissing(f"run {parent!r}, under which {view.key!r} belongs, is not written yet")
        return str(run.info.run_id)

    def _find(self, key: str) -> Run | None:
        runs = self.client.search_runs(
            [self.experiment_id], filter_string=with_key(key), order_by=["attributes.start_time ASC"]
        )
        filled = [run for run in runs if run.data.params or run.data.metrics]
        kept = next(iter(filled or runs), None)
        for run in runs:
            # A creation that seemed to time out may have come through late; its run is empty, and ours.
            if run is not kept and run not in filled:
                self.client.delete_run(run.info.run_id)
        return kept

    def _find_elsewhere(self, key: str) -> Run | None:
        experiments = [one.experiment_id for one in self.client.search_experiments()]
        runs = self.client.search_runs(experiments, filter_string=with_key(key), max_results=1)
        return next(iter(runs), None)

    def _adopt(self, view: RunView) -> Known | None:
        run = self._find(view.key)
        if run is None:
            return None
        known = Known(
            run_id=run.info.run_id,
            artifact_uri=run.info.artifact_uri,
            name=run.info.run_name,
            status=run.info.status,
            params=dict(run.data.params),
            tags=dict(run.data.tags),
            metrics=dict(run.data.metrics),
            datasets={
                (used.dataset.name, used.dataset.digest)
                for used in (run.inputs.dataset_inputs if run.inputs else ())
            },
        )
        names = curve_names(view)
        for metric in sorted({names[point.metric] for point in view.curves} & set(known.metrics)):
            points = self.client.get_metric_history(known.run_id, metric)
            known.points |= {(metric, point.step) for point in points}
        return known

    def _create(self, view: RunView, parent: str | None) -> Known:
        tags = {KEY_TAG: view.key, SOURCE_TAG: SOURCE} | ({} if parent is None else {PARENT_TAG: parent})
        run = self.client.create_run(
            self.experiment_id, start_time=view.start_ms, tags=tags, run_name=view.name
        )
        return Known(
            run_id=run.info.run_id,
            artifact_uri=run.info.artifact_uri,
            name=view.name,
            status=run.info.status,
            tags=dict(run.data.tags),
        )

    def _log_contents(self, known: Known, contents: Mapping[str, str | bytes]) -> None:
        if contents:
            log = partial(self.client.log_artifacts, known.run_id)
            self._log_files(known.artifact_uri, contents, log)
            known.contents |= {path: content_digest(content) for path, content in contents.items()}

    def _log_model(self, model_id: str, location: str, contents: Mapping[str, str | bytes]) -> None:
        self._log_files(location, contents, partial(self.client.log_model_artifacts, model_id))

    def _log_files(
        self, location: str, contents: Mapping[str, str | bytes], log: Callable[[str], object]
    ) -> None:
        """Put files where MLflow keeps those of a run or a model; ``log`` does it for a folder."""
        with tempfile.TemporaryDirectory(prefix="nas-rnn-") as folder:
            for path, content in contents.items():
                file = Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content.encode() if isinstance(content, str) else content)
            if self._artifact_root is not None and location.startswith(SERVED):
                # A server made this experiment; without it, its files are reached where it keeps them.
                target = self._artifact_root / location.removeprefix(SERVED).lstrip("/")
                shutil.copytree(folder, target, dirs_exist_ok=True)
            else:
                log(folder)

    def _log_entries(self, known: Known, todo: Changes) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        params = [Param(name, value) for name, value in todo.params.items()]
        tags = [RunTag(name, value) for name, value in todo.tags.items()]
        metrics = [Metric(name, value, now, 0) for name, value in todo.metrics.items()]
        metrics += [
            Metric(name, float(point.value), now if point.at_ms is None else point.at_ms, step)
            for (name, step), point in sorted(todo.points.items())
        ]
        for batch in batches(params, tags, metrics):
            self.client.log_batch(known.run_id, batch.metrics, batch.params, batch.tags)
        for name in todo.stale_tags:
            self.client.delete_tag(known.run_id, name)
            del known.tags[name]
        known.params |= todo.params
        known.tags |= todo.tags
        known.metrics |= todo.metrics
        known.points |= todo.points.keys()

    def _log_dataset(self, known: Known, dataset: DatasetView | None) -> None:
        if dataset is not None:
            self.client.log_inputs(known.run_id, [as_input(dataset)])
            known.datasets.add(dataset_key(dataset))

    def _name_and_status(self, known: Known, view: RunView) -> None:
        ended = view.status != "RUNNING"
        if known.name != view.name or (known.status != view.status and not ended):
            self.client.update_run(known.run_id, status=None if ended else view.status, name=view.name)
        if known.status != view.status and ended:
            self.client.set_terminated(known.run_id, status=view.status, end_time=view.end_ms)
        known.name, known.status = view.name, view.status


def as_input(dataset: DatasetView) -> DatasetInput:
    """Return ``dataset`` as MLflow's pages show it: where it is from, what it is for, and its parts as columns."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source: dict[str, object]
    if dataset.source is None:
        kind, source = "code", {"tags": {SOURCE_TAG: dataset.origin}}
    else:
        kind, source = "local", {"uri": dataset.source}
    columns = [{"name": name, "type": shown} for name, shown in dataset.columns.items()]
    return DatasetInput(
        Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=kind,
            source=json.dumps(source),
            schema=json.dumps({"mlflow_colspec": columns}),
        ),
        [InputTag("mlflow.data.context", dataset.context)],
    )


@dataclass
class Batch:
    """The arguments of one ``log_batch``."""

    params: list[Param] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    characters: int = 0

    def has_room(self, group: Sized, limit: int, characters: int) -> bool:
        """Return whether one more entry of ``characters`` fits, in ``group`` of at most ``limit``."""
        entries = len(self.params) + len(self.tags) + len(self.metrics)
        fits = self.characters + characters <= MAX_CHARACTERS
        return entries == 0 or (entries < MAX_ENTRIES and len(group) < limit and fits)


def batches(params: list[Param], tags: list[RunTag], metrics: list[Metric]) -> list[Batch]:
    """Return everything given, in order, in batches within MLflow's limits."""
    found = [Batch()]

    def room(group: Callable[[Batch], Sized], limit: int, characters: int) -> Batch:
        if not found[-1].has_room(group(found[-1]), limit, characters):
            found.append(Batch())
        found[-1].characters += characters
        return found[-1]

    for param in params:
        room(
            lambda batch: batch.params, MAX_PARAMS_OR_TAGS, len(param.key) + len(param.value) + 50
        ).params.append(param)
    for tag in tags:
        room(lambda batch: batch.tags, MAX_PARAMS_OR_TAGS, len(tag.key) + len(tag.value) + 50).tags.append(
            tag
        )
    for metric in metrics:
        room(lambda batch: batch.metrics, MAX_ENTRIES, len(metric.key) + 100).metrics.append(metric)
    return found if found[0].characters else []
