"""What data a search was trained on, as facts that are kept in its folder and shown with every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from nas_rnn.run_folder.data_digests import data_digest, named_arrays
from nas_rnn.run_folder.fresh_test import FreshTest
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import damaged
from nas_rnn.run_folder.reader import DATA
from nas_rnn.tasks import Measures, Metric, Task, TaskData
from nas_rnn.tasks.metric import Quantity

Facts = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """What figures of a search are in: those of the metric that decides, of the monitor, and of its targets."""

    metric: Quantity
    monitor: Quantity
    unit: str


def keep_facts(
    folder: RunFolder, task: Task, data: TaskData, source: Path | None, fresh: FreshTest | None = None
) -> None:
    """Put the facts of ``data`` into the folder, with where its test part was cut, unless they are there already."""
    if folder.read_json(DATA) is None:
        facts = data_facts(task, data, source)
        folder.write_json(DATA, facts if fresh is None else {**facts, "fresh_test": fresh.to_dict()})


def data_facts(task: Task, data: TaskData, source: Path | None) -> Facts:
    """Return name, digest, source (None: it comes with the task) and arrays of loaded data, as plain JSON.

    With them what is measured: of `Shown` as much as reports need, so that they need not load the task.
    """
    measures = task.measures(data.meta)
    return {
        "name": f"{task.name} (embedded)" if source is None else source.name,
        "digest": data_digest(data),
        "source": None if source is None else str(source),
        "task": task.name,
        "units": _units(measures),
        "shown": asdict(Shown(_quantity(measures.metric), _quantity(measures.monitor), task.unit)),
        "arrays": {
            name: {"dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in named_arrays(data)
        },
    }


def stored_measures(task: Task, facts: Mapping[str, Any] | None) -> Measures:
    """Return what a search measured, with units that followed from its data; ``facts`` are those of its folder."""
    units = (facts or {}).get("units", {})

    def with_unit(metric: Metric) -> Metric:
        return replace(metric, unit=units.get(metric.name, metric.unit))

    return Measures(tuple(map(with_unit, task.metrics)), with_unit(task.monitor))


def shown_of(task: Task, facts: Mapping[str, Any] | None) -> Shown:
    """Return the `Shown` of a task; ``facts`` are those of the search's folder."""
    measures = stored_measures(task, facts)
    return Shown(measures.metric, measures.monitor, task.unit)


def stored_shown(facts: Mapping[str, Any] | None, place: str) -> Shown | None:
    """Return what `data_facts` kept of it; None in folders of before it did. NasRnnError where the facts, read
    at ``place``, are damaged."""
    kept = (facts or {}).get("shown")
    if kept is None:
        return None
    try:
        return Shown(Quantity(**kept["metric"]), Quantity(**kept["monitor"]), kept["unit"])
    except (LookupError, TypeError) as error:
        raise damaged(place, 'what stands under "shown" is not what a search keeps there') from error


def _quantity(metric: Metric) -> Quantity:
    return Quantity(**{field.name: getattr(metric, field.name) for field in fields(Quantity)})


def _units(measures: Measures) -> dict[str, str]:
    return {metric.name: metric.unit for metric in (*measures.metrics, measures.monitor)}
