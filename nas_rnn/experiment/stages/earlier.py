"""What a search starts from: cells, and earlier searches, of which its strategy knows all; the best come first."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nas_rnn.catalogue.cells import find_cell, find_run, monitor_of
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.errors import UserError, unknown
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.selection import TOP
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.data_digests import data_digest
from nas_rnn.run_folder.fresh_test import stored_cut
from nas_rnn.run_folder.layout import RunFolder, names
from nas_rnn.run_folder.reader import EARLIER, RunReader
from nas_rnn.run_folder.trials import ranked, sign_of
from nas_rnn.spaces import Candidate
from nas_rnn.training import TrainingOptions
from nas_rnn.training.options import TUNED

_OF_ONE_MEASURE = ("task", "task_options", "params", "match")
"""Options with which losses can be compared at all; the data is another."""
_NO_MATTER = {"threads", "device", "backend", "longer", "most_epochs"}
"""Training options with which a candidate has the same loss."""
MOST_NAMED = 5
"""Options that the notice of a search which was trained otherwise names, with both values."""


@dataclass(frozen=True)
class Earlier:
    """A candidate of an earlier search, its loss there (None: it diverged or failed), and whether it is tried anew.

    One that is tried anew and has no loss is a hint: it was among the best where runs were trained ``otherwise``, which
    says how ("batch 32 there, 16 here"); or a cell that was ``given`` as such.
    """

    candidate: Candidate
    loss: float | None
    again: bool = False
    otherwise: str = ""
    given: bool = False

    @property
    def hint(self) -> bool:
        return self.again and self.loss is None


def keep_earlier(folder: RunFolder, rows: Sequence[Earlier]) -> None:
    """Write what was learned into the folder of the new search: a resume needs it, whatever became of the old one."""
    folder.write_json(
        EARLIER,
        [
            {
                "cell": row.candidate.cell.to_text(),
                "decisions": row.candidate.decisions,
                "loss": row.loss,
                "again": row.again,
                "otherwise": row.otherwise,
                "given": row.given,
            }
            for row in rows
        ],
    )


def kept_earlier(folder: RunFolder) -> list[Earlier]:
    """Return what `keep_earlier` wrote; nothing where there is no earlier search."""
    return [
        Earlier(
            Candidate(parse_cell(row["cell"]), row["decisions"]),
            row["loss"],
            row["again"],
            row.get("otherwise", ""),
            row.get("given", False),
        )
        for row in folder.read_json(EARLIER) or []
    ]


def notice_of(earlier: Sequence[Earlier]) -> str:
    """Return what to say of an earlier search that was trained otherwise; "" where there is none."""
    hint = next((one for one in earlier if one.hint and not one.given), None)
    if hint is None:
        return ""
    how = f" ({hint.otherwise})" if hint.otherwise else ""  # searches of before did not keep it
    return (
        f"the earlier search was trained otherwise{how}, so its losses say nothing here: only its best cells "
        "are taken over, and tried first"
    )


def given_cells(earlier: Sequence[Earlier]) -> list[Cell]:
    """Return the cells that were given as such, at which a space of changed cells begins."""
    return [one.candidate.cell for one in earlier if one.given]


def starting_points(given: Sequence[str], runs: Path, config: SearchConfig, models: Models) -> list[Earlier]:
    """Return what cells and searches a new one starts from, as they were ``given``; what is tried anew comes first.

    A cell that comes from several of them counts once, as the first of them has it. Raises UserError for what is
    neither, for a cell that no model of the size asked for can have, and as `learned_by`.
    """
    rows = list[Earlier]()
    for name in given:
        if find_run(name, runs) is not None:
            rows += learned_by(name, runs, config, models)
            continue
        cell = find_cell(name, runs)
        models.match(cell, config.params)
        rows.append(Earlier(Candidate(cell), None, again=True, given=True))
    rows.sort(key=lambda row: not row.again)
    first = dict[str, Earlier]()
    for row in rows:
        first.setdefault(row.candidate.digest, row)
    return list(first.values())


def learned_by(name: str, runs: Path, config: SearchConfig, models: Models) -> list[Earlier]:
    """Return the trials of the search ``name``, its best few first.

    Where its losses say nothing here, as it had another task, other data, another size or other options of training,
    its best few alone, as far as models of the size asked for can have them. Decisions of another space are left out.

    Raises UserError where there is no such search, or it was trained on another part of the same data.
    """
    if name not in names(runs):
        raise unknown("search", name, names(runs))
    folder = RunFolder(runs, name)
    reader = RunReader(folder)
    if not folder.study_path.is_file():
        raise UserError(f"--start-from needs a search, and {name!r} is none")
    theirs = reader.settings()
    other_data = (reader.data() or {}).get("digest") != data_digest(models.data)
    if other_data and stored_cut(folder) != models.fresh:
        raise UserError(
            f"--start-from {shlex.quote(name)}: with --fresh-test, here or there, that search was trained on another "
            "part of the data, so what it learned says nothing here; leave --start-from out"
        )
    trials = [trial for trial in reader.trials() if trial.ending is not None and trial.copy_of is None]
    if not trials:
        raise UserError(f"--start-from {shlex.quote(name)}: no trial of that search has ended yet")
    monitor = monitor_of(reader)
    best = {trial.number for trial in ranked(trials, monitor)[:TOP]}
    trials.sort(key=lambda trial: trial.number not in best)
    same_space = theirs.get("space", config.space) == config.space
    found = {
        trial.number: trial.candidate if same_space else Candidate(trial.candidate.cell) for trial in trials
    }
    otherwise = _trained_otherwise(theirs, config, other_data)
    if otherwise:
        return [
            Earlier(found[number], None, True, otherwise)
            for number in found
            if number in best and _fits(found[number].cell, config.params, models)
        ]
    sign = sign_of(monitor)
    return [
        Earlier(
            found[trial.number],
            sign * trial.first_value
            if trial.first_value is not None and trial.ending in ("finished", "stopped")
            else None,
            trial.number in best,
        )
        for trial in trials
    ]


def _fits(cell: Cell, params: int, models: Models) -> bool:
    try:
        models.match(cell, params)
    except UserError:
        return False
    return True


def _trained_otherwise(theirs: Mapping[str, Any], config: SearchConfig, other_data: bool) -> str:
    """Return what of a search's training was another than here; "" where nothing was.

    What is tuned is asked where nothing was.
    """
    tuned = TUNED if theirs.get("tune") and config.tune else ()
    training = [option.name for option in fields(TrainingOptions) if option.name not in {*_NO_MATTER, *tuned}]
    told = [
        f"{name.replace('_', ' ')} {_shown(theirs[name])} there, {_shown(getattr(config, name))} here"
        for name in (*_OF_ONE_MEASURE, *training)
        if name in theirs and theirs[name] != getattr(config, name)
    ]
    if other_data:
        told.insert(0, "other data")
    if config.objectives:  # what a candidate costs is not taken over
        before = ", ".join(theirs.get("objectives") or ["quality"])
        told.insert(0, f"objectives {before} there, {', '.join(config.objectives)} measured here")
    others = [f"and {len(told) - MOST_NAMED} others"] if len(told) > MOST_NAMED else []
    return "; ".join(told[:MOST_NAMED] + others)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={one}" for name, one in value.items()) or "as they come"
    return str(value)
