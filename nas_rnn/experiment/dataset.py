"""What data a search was trained on, as facts that are kept in its folder and shown with every run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas_rnn.experiment.test_part import data_digest
from nas_rnn.experiment.workspace import Workspace
from nas_rnn.tasks import Task, TaskData
from nas_rnn.tracking import DatasetView

STORED = "data.json"

Facts = dict[str, Any]


def keep_facts(workspace: Workspace, task: Task, data: TaskData, source: Path | None) -> None:
    """Put the facts of ``data`` into the folder, unless they are there already."""
    if workspace.read_json(STORED) is None:
        workspace.write_json(STORED, data_facts(task, data, source))


def data_facts(task: Task, data: TaskData, source: Path | None) -> Facts:
    """Return name, digest, source (None: it comes with the task) and arrays of loaded data, as plain JSON."""
    return {
        "name": f"{task.name} (embedded)" if source is None else source.name,
        "digest": data_digest(data),
        "source": None if source is None else str(source),
        "task": task.name,
        "arrays": {
            name: {"dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in sorted(data.arrays.items())
        },
    }


def dataset_view(facts: Facts | None, *, tested: bool) -> DatasetView | None:
    """Return the data as a run shows it; only a run that ``tested`` has read the test part."""
    if facts is None:
        return None  # a search from before there were such facts
    columns = {
        name: f"{array['dtype']} {' x '.join(str(size) for size in array['shape'])}"
        for name, array in facts["arrays"].items()
    }
    return DatasetView(
        name=facts["name"],
        digest=facts["digest"],
        source=facts["source"],
        origin=f"comes with the task {facts['task']}",
        context="training, validation, testing" if tested else "training, validation",
        columns=columns,
    )
