"""Take a cell apart: train it without one element each, and rank what each of them is worth."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison, ranked_rows, ranking_sentence
from nas_rnn.errors import UserError
from nas_rnn.experiment.bench import Bench, check_machine, now_ms
from nas_rnn.experiment.compare import find_cell, run_duel
from nas_rnn.experiment.config import CompareConfig, absolute, dump_toml, load_toml, read_config
from nas_rnn.experiment.events import Observer, silent
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.provenance import identities
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.workspace import Workspace, names
from nas_rnn.spaces.ablations import USUAL, Ablation, ablations

STORED = "ablation.json"
_FROM_SEARCH = set(CompareConfig.model_fields) - {
    "cells",
    "baseline",
    "name",
    "storage",
    "address",
    "tune",
    "time",
}
_MAY_CHANGE = {"address", "gpus_per_trial", "workers"}


def ablate(
    what: str | Cell | None = None,
    *,
    resume: str | None = None,
    elements: Sequence[str] | None = None,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Any,
) -> Result:
    """Train a cell and every variant of it that lacks one element, on paired seeds at equal parameters; rank them.

    ``what`` is a cell's name, a ``.cell`` file, a recipe, a `Cell`, or a search: its best cell, with the search's own
    options unless others are given. ``elements`` are kinds of `nas_rnn.spaces.ablations.ELEMENTS`, by default all but
    ``matrix``; ``options`` are the fields of `CompareConfig` but cells and baseline. ``resume`` names an ablation to go
    on with, by its own configuration.

    Returns the comparison with the whole cell as the baseline, and ``ablation``: its rows with what was changed, the
    greatest loss first. Raises UserError for a mistake in what was given.
    """
    runs = Path(runs)
    if resume is not None:
        if what is not None or elements is not None or config is not None:
            raise UserError(
                "a resumed ablation has its cell, elements and configuration already: leave them out"
            )
        return _resume(runs, resume, options, observer)
    if what is None:
        raise UserError("an ablation needs a cell, or the name of a search: nas-rnn ablate NAME")
    given = {**(load_toml(config) if config else {}), **_given(options)}
    title = what.name if isinstance(what, Cell) else what
    values = {"tune": 0, **_search_options(title, runs), **given, "cells": (title,), "baseline": title}
    settings = absolute(read_config(CompareConfig, values))
    check_machine(settings, runs)
    models = Models.prepare(settings)
    settings = cast(CompareConfig, models.config)
    cell = what if isinstance(what, Cell) else find_cell(what, runs)
    variants = ablations(cell, USUAL if elements is None else elements)
    models.match(cell, settings.params)  # too few parameters show here
    workspace = Workspace.create(runs, settings.name, "ablate")
    with workspace.held(new=True):
        workspace.keep_checkpoints_at(settings.storage)
        settings = settings.model_copy(update={"name": workspace.name})
        facts = {"id": uuid.uuid4().hex, "kind": "ablate", "began_ms": now_ms()}
        workspace.write_json("search.json", {**facts, "plugins": identities(settings)})
        workspace.write_json(STORED, _stored(cell, variants))
        workspace.write("config.toml", dump_toml(settings))
        return _run(Bench(settings, workspace, models, observer), cell, variants)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _search_options(name: str, runs: Path) -> dict[str, Any]:
    """Return what the search or comparison ``name`` was made with, as far as it concerns training; else nothing."""
    if name not in names(runs):
        return {}
    stored = load_toml(Workspace(runs, name).config_path)
    return {key: value for key, value in stored.items() if key in _FROM_SEARCH}


def _resume(runs: Path, name: str, options: dict[str, Any], observer: Observer) -> Result:
    workspace = Workspace.open_existing(runs, name)
    stored = workspace.read_json(STORED)
    if stored is None:
        raise UserError(f"{name!r} is no ablation; a search goes on with `nas-rnn search --resume {name}`")
    changed = _given(options)
    refused = sorted(set(changed) - _MAY_CHANGE)
    if refused:
        raise UserError(
            f"a resumed ablation keeps its own configuration; {', '.join(refused)} cannot be changed "
            f"(only {', '.join(sorted(_MAY_CHANGE))} can)"
        )
    values = {**load_toml(workspace.config_path), **changed, "name": name}
    settings = absolute(read_config(CompareConfig, values))
    check_machine(settings, runs)
    with workspace.hold().held(new=False):
        workspace.keep_checkpoints_at(settings.storage)
        models = Models.prepare(settings)
        workspace.write("config.toml", dump_toml(settings))
        variants = [
            Ablation(row["element"], row["what"], parse_cell(row["cell"])) for row in stored["variants"]
        ]
        bench = Bench(settings, workspace, models, observer)
        return _run(bench, parse_cell(stored["cell"]), variants)


def _stored(cell: Cell, variants: Sequence[Ablation]) -> dict[str, Any]:
    rows = [{"element": v.element, "what": v.what, "cell": v.cell.to_text()} for v in variants]
    return {"cell": cell.to_text(), "variants": rows}


def _run(bench: Bench, cell: Cell, variants: Sequence[Ablation]) -> Result:
    changes = {variant.cell.name: variant.what for variant in variants}

    def say(comparison: Comparison) -> str:
        return ranking_sentence(comparison, changes)

    cells = [variant.cell for variant in variants]
    result = run_duel(bench, cell, cells, kind="ablate", say=say)
    if result.comparison is None:
        return result
    of_name = {variant.cell.name: variant for variant in variants}
    rows = []
    for row in ranked_rows(result.comparison):
        variant = of_name[row.standing.name]
        about = {"element": variant.element, "what": variant.what, "equations": str(variant.cell)}
        rows.append({**about, **row.to_dict()})
    return replace(result, ablation=tuple(rows))
