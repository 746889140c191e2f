"""Compare cells with a baseline on one task: equal tuning, paired seeds, equal parameters, one verdict each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Unpack

from nas_rnn.catalogue.cells import find_cell, find_cells, find_run, reference_texts
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison, Course, sentence
from nas_rnn.engine import RunSource
from nas_rnn.errors import UserError
from nas_rnn.experiment.events import Observer, silent, started
from nas_rnn.experiment.keywords import CompareOptions
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.session import Session, new_session, prepare, resumed_session
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.final import Final
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.sizes import matched, reference_entries, warn_of_mismatch
from nas_rnn.experiment.stages.tuning import tune
from nas_rnn.experiment.workload import Workload, tell_expected
from nas_rnn.publishing.mlflow_sync import MlflowSync
from nas_rnn.run_folder.config import SMOKE_WARNING, CompareConfig, smoked
from nas_rnn.run_folder.inheritance import inherit
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.lifecycle import OF_MACHINE, merged, resumable, without_none
from nas_rnn.run_folder.reader import CELLS, REFERENCES, RunReader


def compare(
    *cells: str | Cell,
    resume: str | None = None,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Unpack[CompareOptions],
) -> Result:
    """Tune and train ``cells`` and the baseline alike, at equal parameters, and judge each against the baseline.

    ``cells`` are names, ``.cell`` files, recipes (``.json``), names of searches (their ``top`` best cells) or `Cell`
    values; docs/options.md has all ``options``. From a search that is named, also as the ``baseline``, task, data and
    options of training are taken over where they are not given. Cells of one digest are compared once. ``resume`` names
    a comparison under ``runs`` to resume, by its own configuration. Raises UserError for a mistake in what was given.
    """
    runs = Path(runs)
    if resume is not None:
        if cells or config is not None:
            raise UserError("a resumed comparison has its cells and configuration already: leave them out")
        return _resume(runs, resume, without_none(options), observer)
    asked = tuple(cell.name if isinstance(cell, Cell) else str(cell) for cell in cells)
    # What makes a toy of it counts as given: nothing of that is taken over.
    values = smoked(CompareConfig, merged(config, {**options, "cells": asked or None}))
    if not values.get("cells"):
        raise UserError(
            "a comparison needs a cell, or the name of a search: nas-rnn compare gru; see `nas-rnn list cells`"
        )
    named = [name for name in (*(cells or values["cells"]), values.get("baseline")) if isinstance(name, str)]
    searches = [folder for name in named if (folder := find_run(name, runs)) is not None]
    inherited = inherit(CompareConfig, searches, values)
    settings, models = prepared = prepare(
        CompareConfig, {**inherited.values, **values}, runs, taken_over=inherited.all_of_data
    )
    baseline = find_cell(settings.baseline, runs)
    contenders, notices = contenders_of(baseline, cells or settings.cells, runs, settings.top)
    models.match(baseline, settings.params)  # too few parameters show here
    # Their texts are kept: files and searches may change before the comparison is resumed.
    texts = [cell.to_text() for cell in (baseline, *contenders)]
    references = reference_texts(settings.reference, runs)

    def keep(folder: RunFolder) -> None:
        folder.write_json(CELLS, texts)
        folder.write_json(REFERENCES, references)

    with new_session("compare", prepared, runs, "compare", observer, keep) as session:
        notices = [*inherited.notices(session.folder), *notices]
        return run_comparison(session, baseline, contenders, notices=notices)


def contenders_of(
    baseline: Cell, cells: Sequence[str | Cell], runs: Path, top: int
) -> tuple[list[Cell], list[str]]:
    """Return cells of different digests, none of them the baseline's, and a line for each cell that is left out.

    ``cells`` are what `compare` takes. Raises UserError where one is unknown, or none is left.
    """
    found = [
        (str(getattr(asked, "name", asked)), cell)
        for asked in cells
        for cell in ([asked] if isinstance(asked, Cell) else find_cells(asked, runs, top))
    ]
    kept: dict[str, tuple[str, Cell]] = {}
    notices: list[str] = []
    for asked, cell in found:
        name = asked if asked == cell.name else f"{asked} ({cell.name})"
        if cell.digest == baseline.digest:
            notices.append(f"{name} is the baseline {baseline.name} itself, so it is no contender")
        elif cell.digest in kept:
            notices.append(
                f"{name} is the same cell as {kept[cell.digest][0]}, so it is trained once, as that"
            )
        else:
            kept[cell.digest] = (name, cell)
    if not kept:
        raise UserError(
            f"there is nothing to compare: {'; '.join(notices)}; give another cell, or another --baseline"
        )
    return [cell for _, cell in kept.values()], notices


def _resume(runs: Path, name: str, changed: Mapping[str, object], observer: Observer) -> Result:
    folder = resumable(runs, name, "compare", changed, OF_MACHINE)
    with resumed_session("compare", CompareConfig, folder, changed, observer) as session:
        baseline, *contenders = map(parse_cell, RunReader(folder).cells())
        return run_comparison(session, baseline, contenders)


def run_comparison(
    session: Session[CompareConfig],
    baseline: Cell,
    contenders: Sequence[Cell],
    *,
    kind: Literal["compare", "ablate"] = "compare",
    say: Callable[[Comparison], str] = sentence,
    notices: Sequence[str] = (),
) -> Result:
    """Train ``contenders`` and ``baseline``, and judge them; ``say`` puts the answer into words.

    Each of ``notices`` that is not empty is told at the beginning.

    Of an ablation no weights are kept: its first contender is not what anybody looks for.
    """
    config, folder, models, notify = session.config, session.folder, session.models, session.notify
    began = time.monotonic()
    notify(started(kind, config, folder, models))
    notify.warn_once(filter(None, [SMOKE_WARNING if config.smoke else "", *notices, models.few_seeds]))
    workload = Workload(config, cells=1 + len(contenders) + (config.reference != "none"))
    notify.expect(workload)
    if not folder.ended():
        tell_expected(models, notify, workload, baseline)
    sync = MlflowSync(folder, models.task, config, notify.warn)
    costs, listener = Costs(folder), RunListener(folder, notify, sync.run_changed)
    deadline = None if config.time is None else began + config.time
    final = Final(models, listener, costs, deadline, keep_best=kind == "compare", say=say)

    def stages() -> Iterator[RunSource]:
        standard = models.baseline_entry(baseline)
        entries = [standard]
        for cell in _named_apart([baseline, *contenders])[1:]:
            entries.append(matched(models, folder, notify, cell, standard))
            warn_of_mismatch(config.match, notify, entries[-1])
        entries += reference_entries(models, folder, notify, entries)
        tuned = yield from tune(models, listener, costs, entries)
        yield from final.run(tuned.entries, Course(tuning=tuned.rung, monitor=models.measures.monitor.unit))

    status, comparison = session.conduct(sync, stages, lambda: final.comparison)
    return Result(
        kind=kind,
        name=folder.name,
        folder=str(folder.path),
        status=status,
        measures=models.measures,
        trials={},
        best=None,
        baseline=None,
        comparison=comparison,
        verdict=None if comparison is None else say(comparison),
        notices=tuple(dict.fromkeys(notify.notices)),
        seconds=time.monotonic() - began,
        dashboard=sync.uri,
    )


def _named_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Return ``cells`` with different names: a name that occurs again gets a number."""
    taken: set[str] = set()
    result = []
    for cell in cells:
        name, number = cell.name, 1
        while name in taken:
            number += 1
            name = f"{cell.name}_{number}"
        taken.add(name)
        result.append(replace(cell, name=name))
    return result
