"""What `list` tells about cells, plugins and searches: one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas_rnn import plugins
from nas_rnn.cells import Cell, operations, zoo
from nas_rnn.errors import NasRnnError, UserError, unknown
from nas_rnn.plugins import Plugin
from nas_rnn.run_folder.journal import Journal
from nas_rnn.run_folder.layout import RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.spaces.constraints import counts
from nas_rnn.tasks import Metric
from nas_rnn.tasks.options import option_fields


def listing(kind: str, *, runs: str | Path = "runs") -> list[dict[str, Any]]:
    """Return one row for each known thing of a kind: cells, spaces, tasks, strategies, ops or searches."""
    rows: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "cells": lambda: _plugin_rows("cell", _cell_row),
        "spaces": lambda: _plugin_rows("space", _plugin_row),
        "tasks": lambda: _plugin_rows("task", _task_row),
        "strategies": lambda: _plugin_rows("strategy", _plugin_row),
        "ops": _operation_rows,
        "searches": lambda: [_search_or_damage(RunFolder(Path(runs), name)) for name in names(Path(runs))],
    }
    if kind not in rows:
        raise unknown("kind of list", kind, rows)
    return rows[kind]()


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0]


def _plugin_rows(kind: str, row: Callable[[Plugin], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the row of each plugin of ``kind``; last those that cannot be used, with the reason."""
    rows, unusable = [], []
    for name in plugins.registry().names(kind):
        try:
            rows.append(row(plugins.registry().find(kind, name)))
        except UserError as error:  # two of one name
            unusable.append({"name": name, "summary": str(error)})
    return rows + unusable


def _cell_row(plugin: Plugin) -> dict[str, Any]:
    cell: Cell = plugin.value
    found = counts(cell)
    return {
        "name": plugin.name,
        "family": zoo.family(cell),
        "year": str(zoo.year(cell) or ""),
        "states": ", ".join(path.name for path in cell.states),
        "products": found["products"],
        "operations": found["operations"],
        "levels": found["levels"],
        "summary": _first_line(cell.doc),
        "from": plugin.origin,
    }


def _plugin_row(plugin: Plugin) -> dict[str, Any]:
    summary = getattr(plugin.value, "summary", "") or getattr(plugin.value, "doc", "")
    return {"name": plugin.name, "summary": _first_line(summary), "from": plugin.origin}


def _task_row(plugin: Plugin) -> dict[str, Any]:
    task, row = plugin.value, _plugin_row(plugin)
    steers = task.monitor.name != task.metrics[0].name
    options = ", ".join(f"{name}={own.default}" for name, own in option_fields(task.Options).items())
    return {
        "name": plugin.name,
        "metrics": ", ".join(map(_metric, task.metrics)),  # the first decides
        "monitor": _metric(task.monitor) if steers else "",
        "summary": row["summary"],
        "options": options,
        "from": row["from"],
    }


def _metric(metric: Metric) -> str:
    return f"{metric.name} ({metric.direction})"


def _operation_rows() -> list[dict[str, Any]]:
    plugins.registry().names("operation")
    return [
        {"name": name, "arity": row.arity, "value": row.value, "derivative": "; ".join(row.derivative)}
        for name, row in sorted(operations().items())
    ]


def _search_or_damage(folder: RunFolder) -> dict[str, Any]:
    """Return the row of one run folder; of a damaged one, which hurts no other, what is wrong with it."""
    try:
        return search_row(folder)
    except NasRnnError as error:
        return {
            **dict.fromkeys(_SEARCH_COLUMNS, ""),
            "name": folder.name,
            "status": "damaged",
            "answer": str(error),
        }


_SEARCH_COLUMNS = ("name", "status", "verdict", "kind", "task", "space", "constraints", "answer")


def _of_study(folder: RunFolder) -> str:
    """Return who leads a study that is driven from outside, and how many cells were evaluated."""
    journal = Journal(folder)
    ended = len({event.digest for event in journal.events() if event.kind == "ended"})
    leading = journal.incumbent()
    cells = f"{ended} cell{'' if ended == 1 else 's'} evaluated"
    return f"{cells}, none better" if leading is None else f"{leading.name} leads, {cells}"


def search_row(folder: RunFolder) -> dict[str, Any]:
    """Return what a list says of a search, comparison or ablation; NasRnnError where a file of it is damaged."""
    reader = RunReader(folder)
    settings, comparison, kind = reader.settings(), reader.comparison(), reader.manifest().kind
    one_answer = comparison is not None and kind != "ablate"
    if kind == "evaluate":
        return {
            **dict.fromkeys(_SEARCH_COLUMNS, ""),
            "name": folder.name,
            "status": "open",
            "kind": kind,
            "task": settings.get("task", ""),
            "answer": _of_study(folder),
        }
    found = (
        folder.name,
        "complete" if comparison else "failed" if reader.no_final() else "unfinished",
        comparison.contenders[0].verdict if comparison and one_answer else "",
        kind,
        settings.get("task", ""),
        settings.get("space", ""),
        ", ".join(settings.get("constraints", [])),
        reader.answer() or reader.no_final(),
    )
    return dict(zip(_SEARCH_COLUMNS, found, strict=True))
