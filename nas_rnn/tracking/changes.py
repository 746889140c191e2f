"""What a view says beyond what the store is known to hold, in MLflow's terms."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from nas_rnn.tracking.plain_values import (
    MAX_PARAM,
    MAX_TAG,
    NONFINITE,
    content_digest,
    cut,
    safe_name,
    safe_names,
    safe_path,
    safe_values,
    table_json,
)
from nas_rnn.tracking.view import DatasetView, Point, RunView

KEY_TAG = "nas_rnn.key"
PARENT_TAG = "mlflow.parentRunId"
NOTE_TAG = "mlflow.note.content"
TABLES_TAG = "mlflow.loggedArtifacts"
# In a note, becomes the run's id: ![cell](get-artifact?path=cell.svg&run_uuid={run_id}) shows that artifact.
RUN_ID = "{run_id}"


def with_key(key: str) -> str:
    """Return MLflow's filter for the run with ``key``."""
    quote = "'" if '"' in key else '"'
    return f"tags.`{KEY_TAG}` = {quote}{key}{quote}"


Place = tuple[str, int]
"""MLflow's name of a curve, and a step."""

Value = TypeVar("Value", str, float)


@dataclass(kw_only=True)
class Known:
    """What the store is known to hold of a run; ``contents`` are digests of what this process has logged."""

    run_id: str
    artifact_uri: str
    name: str
    status: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    points: set[Place] = field(default_factory=set)
    datasets: set[tuple[str, str]] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to be written; ``fixed_params`` are those that MLflow holds with another value, for good."""

    params: dict[str, str]
    fixed_params: tuple[str, ...]
    tags: dict[str, str]
    stale_tags: tuple[str, ...]
    metrics: dict[str, float]
    points: dict[Place, Point]
    dataset: DatasetView | None
    contents: dict[str, str | bytes]


def changes(view: RunView, known: Known, parent_run_id: str | None) -> Changes:
    """Return what ``view`` says beyond ``known``."""
    params = safe_values(view.params, MAX_PARAM)
    metrics, points, nonfinite = finite_numbers(view)
    tags = wanted_tags(view, known.run_id, parent_run_id) | nonfinite
    paths = safe_names([*view.artifacts, *view.tables], safe_path)
    contents = {paths[path]: content for path, content in view.artifacts.items()}
    contents |= {paths[path]: table_json(table) for path, table in view.tables.items()}
    return Changes(
        params={name: value for name, value in params.items() if name not in known.params},
        fixed_params=tuple(name for name, value in params.items() if known.params.get(name, value) != value),
        tags=_differing(tags, known.tags),
        stale_tags=tuple(name for name in known.tags if name.startswith(NONFINITE) and name not in tags),
        metrics=_differing(metrics, known.metrics),
        points={place: point for place, point in points.items() if place not in known.points},
        dataset=None if view.dataset is None or dataset_key(view.dataset) in known.datasets else view.dataset,
        contents={
            path: content
            for path, content in contents.items()
            if known.contents.get(path) != content_digest(content)
        },
    )


def wanted_tags(view: RunView, run_id: str, parent_run_id: str | None) -> dict[str, str]:
    """Return the tags of ``view``, with those by which MLflow knows the parent, the note and the tables."""
    tags = safe_values(view.tags, MAX_TAG)
    tags[KEY_TAG] = view.key
    if parent_run_id is not None:
        tags[PARENT_TAG] = parent_run_id
    if view.note:
        tags[NOTE_TAG] = cut(view.note.replace(RUN_ID, run_id), MAX_TAG)
    if view.tables:
        paths = safe_names([*view.artifacts, *view.tables], safe_path)
        tags[TABLES_TAG] = json.dumps([{"path": paths[path], "type": "table"} for path in view.tables])
    return tags


def curve_names(view: RunView) -> dict[str, str]:
    """Return MLflow's name of each curve of ``view``."""
    return safe_names([*view.metrics, *(point.metric for point in view.curves)])


def dataset_key(dataset: DatasetView) -> tuple[str, str]:
    """Return that by which MLflow tells datasets apart."""
    return dataset.name, dataset.digest


def finite_numbers(view: RunView) -> tuple[dict[str, float], dict[Place, Point], dict[str, str]]:
    """Return the finite single values, the finite points, and a tag for each name that was not finite.

    MLflow would store infinity as 1.8e308 and break its charts on NaN.
    """
    names = curve_names(view)
    metrics: dict[str, float] = {}
    points: dict[Place, Point] = {}
    nonfinite: dict[str, str] = {}
    for metric, value in view.metrics.items():
        if math.isfinite(value):
            metrics[names[metric]] = float(value)
        else:
            nonfinite[safe_name(NONFINITE + metric)] = str(float(value))
    for point in view.curves:
        if math.isfinite(point.value):
            points[names[point.metric], int(point.step)] = point
        else:
            told = f"{float(point.value)} at step {point.step}"
            nonfinite.setdefault(safe_name(NONFINITE + point.metric), told)
    return metrics, points, nonfinite


def _differing(wanted: Mapping[str, Value], known: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in wanted.items() if known.get(name) != value}
