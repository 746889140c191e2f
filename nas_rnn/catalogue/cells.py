"""Finds the cell that a name stands for; every command that does so takes ``--plugins``."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

from nas_rnn import plugins
from nas_rnn.cells import Cell, UnknownWord, parse_cell
from nas_rnn.errors import UserError, unknown
from nas_rnn.outside import require_reachable
from nas_rnn.run_folder.journal import Journal
from nas_rnn.run_folder.layout import RunFolder, names
from nas_rnn.run_folder.reader import MANIFEST, RunReader
from nas_rnn.run_folder.trials import ranked
from nas_rnn.run_folder.values import is_folder_name
from nas_rnn.spaces import load_recipe, names_recipe
from nas_rnn.tasks import Metric


def find_run(name: str, runs: Path) -> RunFolder | None:
    """Return the search or comparison that ``name`` stands for; None where a cell or a file has this name."""
    if names_recipe(name) or _is_cell(name) or name not in names(runs):
        return None
    return RunFolder(runs, name)


def find_cells(name: str, runs: Path, top: int) -> list[Cell]:
    """Return what ``name`` stands for: of a search its ``top`` best cells, else one cell, as `find_cell` does."""
    folder = find_run(name, runs)
    if top == 1 or folder is None:
        return [find_cell(name, runs)]
    if not folder.study_path.is_file():
        raise UserError(f"{name!r} is no search, so it has no best {top} cells; give its name without --top")
    reader = RunReader(folder)
    best: dict[str, Cell] = {}
    with _words_of_plugins():
        for trial in ranked(reader.trials(), monitor_of(reader)):
            best.setdefault(trial.digest, trial.candidate.cell)
    if not best:
        raise unfinished(folder, f"no trial of the search {name!r} has a score yet")
    return list(best.values())[:top]


def monitor_of(reader: RunReader) -> Metric:
    """Return what a search goes by on validation data."""
    monitor: Metric = plugins.registry().find("task", reader.settings()["task"]).value.monitor
    return monitor


def find_cell(name: str, runs: Path) -> Cell:
    """Return a zoo or plugin cell, a ``.cell`` file's or a recipe's, a search's best or a study's incumbent.

    Raises UserError where there is none.
    """
    best = runs / name / "best" / "cell.cell"
    if names_recipe(name):
        return load_recipe(name).cell
    if _is_cell(name):
        with _words_of_plugins():
            return plugins.load_cell(name)
    if is_folder_name(name) and best.is_file():
        with _words_of_plugins():
            return plugins.load_cell(best)
    if name in names(runs):
        incumbent = Journal(RunFolder(runs, name)).incumbent()
        if incumbent is not None:
            with _words_of_plugins():
                return parse_cell(incumbent.cell)
        raise unfinished(RunFolder(runs, name), f"the search {name!r} has no best cell yet")
    raise unknown(
        "cell, .cell file, recipe or search", name, [*plugins.registry().names("cell"), *names(runs)]
    )


def unfinished(folder: RunFolder, lacks: str) -> UserError:
    """Return the error for a search that has not got so far: how to finish it, or why it never will."""
    if (folder.path / MANIFEST).is_file():
        RunReader(folder).final_kind()
    no_final = RunReader(folder).no_final()
    if no_final:
        return UserError(f"{lacks.removesuffix(' yet')}: {no_final}")
    return UserError(f"{lacks}; finish it with `nas-rnn search --resume {shlex.quote(folder.name)}`")


def _is_cell(name: str) -> bool:
    require_reachable(Path(name))
    return name in plugins.registry().names("cell") or Path(name).suffix == ".cell" or Path(name).is_file()


def reference_texts(name: str, runs: Path) -> list[str]:
    """Return the texts of the references that ``name`` stands for, which is "none" for no cell at all."""
    return [] if name == "none" else [find_cell(name, runs).to_text()]


@contextlib.contextmanager
def _words_of_plugins() -> Iterator[None]:
    try:
        yield
    except UnknownWord as error:
        raise UserError(f"{error}; if a plugin defines it, give its folder with --plugins") from None
