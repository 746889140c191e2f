"""Compare cells with a baseline on one task: equal tuning, paired seeds, equal parameters, one verdict each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from nas_rnn import plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison, sentence
from nas_rnn.errors import UserError, unknown
from nas_rnn.experiment.session import Bench, Interrupted, named_apart
from nas_rnn.publishing.mlflow_sync import Chronicle
from nas_rnn.run_folder.config import CompareConfig, load_toml
from nas_rnn.experiment.events import Observer, Started, silent
from nas_rnn.experiment.stages.final import Final
from nas_rnn.experiment.opening import begun, given, prepared, resumable, taken_up
from nas_rnn.run_folder.provenance import STUDY
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.stages.sizes import matched
from nas_rnn.run_folder.trials import ranked
from nas_rnn.run_folder.layout import Workspace, names
from nas_rnn.spaces import load_recipe, names_recipe
from nas_rnn.strategies import Study

MAY_CHANGE = {"address", "gpus_per_trial", "workers"}
CELLS = "cells.json"
"""Where the texts of a comparison's cells are kept: files and searches may change before it is taken up again."""


def compare(
    *cells: str | Cell,
    resume: str | None = None,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Any,
) -> Result:
    """Tune and train ``cells`` and the baseline alike, at equal parameters, and judge each against the baseline.

    ``cells`` are names, ``.cell`` files, recipes (``.json``), names of searches (their ``top`` best cells) or `Cell`
    values; ``options`` are the other fields of `CompareConfig`. ``resume`` names a comparison under ``runs`` to go on
    with, by its own configuration. Raises UserError for a mistake in what was given.
    """
    runs = Path(runs)
    if resume is not None:
        if cells or config is not None:
            raise UserError("a resumed comparison has its cells and configuration already: leave them out")
        return _resume(runs, resume, given(options), observer)
    asked = tuple(cell.name if isinstance(cell, Cell) else str(cell) for cell in cells)
    values = {
        **(load_toml(config) if config else {}),
        **given(options),
        **({"cells": asked} if asked else {}),
    }
    if not values.get("cells"):
        raise UserError(
            "a comparison needs a cell, or the name of a search: nas-rnn compare gru; see `nas-rnn list cells`"
        )
    models = prepared(CompareConfig, values, runs)
    settings = cast(CompareConfig, models.config)
    baseline = find_cell(settings.baseline, runs)
    contenders = [
        found
        for cell in cells or settings.cells
        for found in ([cell] if isinstance(cell, Cell) else find_cells(cell, runs, settings.top))
    ]
    models.match(baseline, settings.params)  # too few parameters show here
    texts = [cell.to_text() for cell in (baseline, *contenders)]
    with begun(
        "compare", models, runs, "compare", observer, lambda folder: folder.write_json(CELLS, texts)
    ) as bench:
        return run_duel(bench, baseline, contenders)


def _resume(runs: Path, name: str, changed: dict[str, Any], observer: Observer) -> Result:
    workspace = resumable(runs, name, "compare", changed, MAY_CHANGE)
    with taken_up(CompareConfig, workspace, changed, observer) as bench:
        baseline, *contenders = map(parse_cell, workspace.read_json(CELLS))
        return run_duel(bench, baseline, contenders)


def find_cells(name: str, runs: Path, top: int) -> list[Cell]:
    """Return what ``name`` stands for: of a search its ``top`` best cells, else one cell, as `find_cell` does."""
    if top == 1 or name not in names(runs):
        return [find_cell(name, runs)]
    workspace = Workspace(runs, name)
    if not workspace.study_path.is_file():
        raise UserError(f"{name!r} is no search, so it has no best {top} cells; give its name without --top")
    stored = load_toml(workspace.config_path)
    metric = plugins.registry().find("task", stored["task"]).value.monitor
    best: dict[str, Cell] = {}
    for trial in ranked(Study.open(workspace.study_path, STUDY).trials(), metric):
        best.setdefault(trial.digest, trial.candidate.cell)
    if not best:
        raise UserError(
            f"no trial of the search {name!r} has a score yet; finish it with `nas-rnn search --resume {name}`"
        )
    return list(best.values())[:top]


def find_cell(name: str, runs: Path) -> Cell:
    """Return a zoo or plugin cell, a ``.cell`` file's or a recipe's, or a search's best; `UserError` otherwise."""
    best = runs / name / "best" / "cell.cell"
    known = plugins.registry().names("cell")
    if names_recipe(name):
        return load_recipe(name).cell
    if name in known or Path(name).suffix == ".cell" or Path(name).is_file():
        return plugins.load_cell(name)
    if best.is_file():
        return plugins.load_cell(best)
    if name in names(runs):
        raise UserError(
            f"the search {name!r} has no best cell yet; finish it with `nas-rnn search --resume {name}`"
        )
    raise unknown("cell, .cell file, recipe or search", name, [*known, *names(runs)])


def run_duel(
    bench: Bench,
    baseline: Cell,
    contenders: Sequence[Cell],
    *,
    kind: Literal["compare", "ablate"] = "compare",
    say: Callable[[Comparison], str] = sentence,
) -> Result:
    """Train ``contenders`` and ``baseline``, and judge them; ``say`` puts the answer into words.

    Of an ablation no weights are kept: its first contender is not what anybody looks for.
    """
    began = time.monotonic()
    settings, task = bench.config, bench.task
    bench.tell(
        Started(
            kind=kind,
            name=bench.workspace.name,
            folder=str(bench.workspace.folder),
            task=task.name,
            measures=bench.measures,
            space=None,
            trials=None,
            workers=settings.workers,
            parameters=settings.params,
        )
    )
    standard = bench.models.baseline_entry(baseline)
    entries = [matched(bench, cell, standard) for cell in named_apart([baseline, *contenders])[1:]]
    chronicle = Chronicle(bench.workspace, task, settings, bench.warn)
    status, final = "complete", Final(bench, chronicle.run_changed)
    kept = bench.workspace.read_json("comparison.json")
    if kept is not None:
        comparison: Comparison | None = Comparison.from_dict(kept)
    else:
        with chronicle:
            for run in bench.workspace.ended():  # MLflow may have missed it
                chronicle.stored_run_changed(run)
            try:
                deadline = None if settings.time is None else began + settings.time
                bench.run(final.contest(standard, entries, deadline, keep_best=kind == "compare", say=say))
            except Interrupted:
                status = "interrupted"
            finally:
                chronicle.end(status, final.comparison, [])
        bench.tell_all(chronicle.problems)
        comparison = final.comparison
    return Result(
        kind=kind,
        name=bench.workspace.name,
        folder=str(bench.workspace.folder),
        status=status,
        measures=bench.measures,
        trials={},
        best=None,
        baseline=None,
        comparison=comparison,
        verdict=None if comparison is None else say(comparison),
        notices=tuple(dict.fromkeys(bench.notices)),
        seconds=time.monotonic() - began,
        dashboard=chronicle.uri,
    )
