"""What `show` and `list` tell about cells, plugins and searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_rnn import plugins
from nas_rnn.cells import Cell, operations, zoo
from nas_rnn.cells.costs import HIDDEN_SIZE, INPUT_SIZE, Costs, costs
from nas_rnn.cells.diagram import draw
from nas_rnn.cells.difference import Difference, difference
from nas_rnn.errors import UserError, unknown
from nas_rnn.experiment.compare import find_cell
from nas_rnn.run_folder.config import load_toml
from nas_rnn.experiment.flow import flow_picture
from nas_rnn.run_folder.layout import Workspace, names
from nas_rnn.plugins import Plugin
from nas_rnn.spaces.constraints import counts
from nas_rnn.tasks.options import option_fields


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A cell with its equations, sizes and costs at ``input_size`` and ``hidden_size``."""

    name: str
    cell: Cell
    doc: str
    equations: str
    text: str
    digest: str
    costs: Costs
    source: str
    input_size: int
    hidden_size: int
    search: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("cell", "costs")},
            "states": [vars(path) for path in self.cell.states],
            "costs": vars(self.costs),
        }


def show(
    what: str, *, runs: str | Path = "runs", input_size: int = INPUT_SIZE, hidden_size: int = HIDDEN_SIZE
) -> Shown:
    """Return what is known of a cell: a registered one by name, a ``.cell`` file's, or a search's best."""
    runs = Path(runs)
    cell = find_cell(what, runs)
    found: dict[str, Any] | None = None
    if what in names(runs) and what not in plugins.registry().names("cell"):
        source = str(Workspace(runs, what).best / "cell.cell")
        found = _search_row(runs, what)
    elif what in plugins.registry().names("cell"):
        source = plugins.registry().find("cell", what).origin
    else:
        source = str(Path(what))
    return Shown(
        name=cell.name,
        cell=cell,
        doc=cell.doc,
        equations=str(cell),
        text=cell.to_text(),
        digest=cell.digest,
        costs=costs(cell, input_size, hidden_size),
        source=source,
        input_size=input_size,
        hidden_size=hidden_size,
        search=found,
    )


def compared(shown: Shown, base: str, *, runs: str | Path = "runs") -> Difference:
    """Return what the shown cell has otherwise than ``base``, which is named as in `show`."""
    return difference(shown.cell, find_cell(base, Path(runs)))


def difference_diagram(found: Difference, format: str) -> bytes:
    """Return the picture of the cell in which what the base has not, or not so, is framed."""
    frames = f"heavy dashed frame: differs from {found.base.name}"
    legend = f"no difference from {found.base.name}" if found.is_empty else frames
    return draw(found.cell, format, found.differing, legend)


def gradient_flow(shown: Shown, what: str, format: str, *, runs: str | Path = "runs") -> bytes:
    """Return a picture of gradient flow: a search's measured models, or the cell with fresh weights at its sizes."""
    return flow_picture(
        what,
        shown.cell,
        format,
        runs=Path(runs),
        search=shown.search is not None,
        input_size=shown.input_size,
        hidden_size=shown.hidden_size,
    )


def schedule(shown: Shown) -> str:
    """Return in words what is computed when a sequence runs through the shown cell, at its sizes."""
    from nas_rnn.execution.fused.explain import explain_schedule

    return explain_schedule(shown.cell, shown.input_size, shown.hidden_size)


def listing(kind: str, *, runs: str | Path = "runs") -> list[dict[str, Any]]:
    """Return one row for each known thing of a kind: cells, spaces, tasks, strategies, ops or searches."""
    rows: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "cells": lambda: _plugin_rows("cell", _cell_row),
        "spaces": lambda: _plugin_rows("space", _plugin_row),
        "tasks": lambda: _plugin_rows("task", _task_row),
        "strategies": lambda: _plugin_rows("strategy", _plugin_row),
        "ops": _operation_rows,
        "searches": lambda: [_search_row(Path(runs), name) for name in names(Path(runs))],
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
    metric = f"{task.metrics[0].name} ({task.metrics[0].direction})"
    options = ", ".join(f"{name}={own.default}" for name, own in option_fields(task.Options).items())
    return {
        "name": plugin.name,
        "metric": metric,
        "summary": row["summary"],
        "options": options,
        "from": row["from"],
    }


def _operation_rows() -> list[dict[str, Any]]:
    plugins.registry().names("operation")
    return [
        {"name": name, "arity": row.arity, "value": row.value, "derivative": "; ".join(row.derivative)}
        for name, row in sorted(operations().items())
    ]


def _search_row(runs: Path, name: str) -> dict[str, Any]:
    workspace = Workspace(runs, name)
    config = load_toml(workspace.config_path)
    comparison = workspace.read_json("comparison.json")
    facts = workspace.read_json("search.json") or {}
    one_answer = comparison and facts.get("kind") != "ablate"
    return {
        "name": name,
        "status": "complete" if comparison else "unfinished",
        "verdict": comparison["contenders"][0]["verdict"] if one_answer else "",
        "kind": facts.get("kind", "search"),
        "task": config.get("task", ""),
        "space": config.get("space", ""),
        "constraints": ", ".join(config.get("constraints", [])),
        "answer": comparison["sentence"] if comparison else "",
    }
