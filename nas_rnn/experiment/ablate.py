"""Take a cell apart: train it without one element each, and rank what each of them is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from nas_rnn.catalogue.cells import find_cell, find_run
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison, ranked_rows, ranking_sentence
from nas_rnn.errors import UserError
from nas_rnn.experiment.compare import run_comparison
from nas_rnn.experiment.events import Observer, silent
from nas_rnn.experiment.keywords import AblateOptions
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.session import Session, new_session, prepare, resumed_session
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, smoked
from nas_rnn.run_folder.inheritance import inherit
from nas_rnn.run_folder.lifecycle import OF_MACHINE, merged, resumable, without_none
from nas_rnn.run_folder.reader import ABLATION, RunReader
from nas_rnn.spaces.ablations import USUAL, Ablation, ablations


def ablate(
    what: str | Cell | None = None,
    *,
    resume: str | None = None,
    elements: Sequence[str] | None = None,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Unpack[AblateOptions],
) -> Result:
    """Train a cell and every variant of it that lacks one element, on paired seeds at equal parameters; rank them.

    ``what`` is a cell's name, a ``.cell`` file, a recipe, a `Cell`, or a search: its best cell, with the search's own
    task, data and options of training where they are not given. ``elements`` are kinds of
    `nas_rnn.spaces.ablations.ELEMENTS`, by default all but ``matrix``; docs/options.md has all ``options``. ``resume``
    names an ablation to go on with, by its own configuration.

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
    title = what.name if isinstance(what, Cell) else what
    values = smoked(AblateConfig, merged(config, options))
    searched = find_run(what, runs) if isinstance(what, str) else None
    # How many settings an ablation tries has a default of its own: none.
    inherited = inherit(AblateConfig, [searched] if searched else [], values, but={"tune"})
    settings, models = prepared = prepare(
        AblateConfig,
        {**inherited.values, **values, "cells": (title,), "baseline": title},
        runs,
        taken_over=inherited.all_of_data,
    )
    cell = what if isinstance(what, Cell) else find_cell(what, runs)
    variants = ablations(cell, USUAL if elements is None else elements)
    models.match(cell, settings.params)  # too few parameters show here
    stored = _stored(cell, variants)
    with new_session(
        "ablate", prepared, runs, "ablate", observer, lambda folder: folder.write_json(ABLATION, stored)
    ) as session:
        return _run(session, cell, variants, inherited.notices(session.folder))


def _resume(runs: Path, name: str, options: Mapping[str, object], observer: Observer) -> Result:
    changed = without_none(options)
    folder = resumable(runs, name, "ablate", changed, OF_MACHINE)
    with resumed_session("ablate", AblateConfig, folder, changed, observer) as session:
        stored = RunReader(folder).ablation()
        assert stored is not None
        variants = [Ablation(row["element"], row["what"], parse_cell(row["cell"])) for row in stored.variants]
        return _run(session, parse_cell(stored.cell), variants)


def _stored(cell: Cell, variants: Sequence[Ablation]) -> dict[str, Any]:
    rows = [{"element": v.element, "what": v.what, "cell": v.cell.to_text()} for v in variants]
    return {"cell": cell.to_text(), "variants": rows}


def _run(
    session: Session[CompareConfig], cell: Cell, variants: Sequence[Ablation], notices: Sequence[str] = ()
) -> Result:
    changes = {variant.cell.name: variant.what for variant in variants}

    def say(comparison: Comparison) -> str:
        return ranking_sentence(comparison, changes)

    cells = [variant.cell for variant in variants]
    result = run_comparison(session, cell, cells, kind="ablate", say=say, notices=notices)
    if result.comparison is None:
        return result
    of_name = {variant.cell.name: variant for variant in variants}
    rows = []
    for row in ranked_rows(result.comparison):
        variant = of_name[row.standing.name]
        about = {"element": variant.element, "what": variant.what, "equations": str(variant.cell)}
        rows.append({**about, **row.to_dict()})
    return replace(result, ablation=tuple(rows))
