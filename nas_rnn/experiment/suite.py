"""The same cells on several tasks: one comparison after another, then one verdict for all of them together.

Every comparison is one like others, in a folder of its own, ``SUITE-PART``: shown, resumed and reported on by itself.
The suite's own folder says what it is made of, and has the answer.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Unpack

from nas_rnn.catalogue.cells import find_cell
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison
from nas_rnn.comparison.suite import SuiteComparison, judge_suite, suite_lines
from nas_rnn.errors import UserError, suggest
from nas_rnn.experiment.compare import compare, contenders_of
from nas_rnn.experiment.events import Observer, silent
from nas_rnn.experiment.keywords import CompareOptions
from nas_rnn.experiment.session import prepare
from nas_rnn.outside import is_file
from nas_rnn.report import render_suite
from nas_rnn.run_folder.config import CompareConfig, load_toml
from nas_rnn.run_folder.layout import REPORT, SUITE, RunFolder, names
from nas_rnn.run_folder.lifecycle import merged
from nas_rnn.run_folder.reader import COMPARISON, RunReader
from nas_rnn.tasks.options import begun_before

FORMAT = 1
_BUILT_IN = files("nas_rnn.experiment").joinpath("suites")
_OF_PART = ("task", "data", "task_options")
"""What only a part may set, and the command line may not."""
_NOT_OF_PART = ("name", "cells", "top", "baseline", "plugins", "time")
_ALONE = {"reference": "none"}
"""Options that are others in a suite than in a comparison by itself: who is to be compared was asked for."""
_OF_AUTO = frozenset({"most_epochs", "longer"})
"""Options of runs that end by themselves."""


@dataclass(frozen=True)
class Suite:
    """What to compare cells on: the options of a comparison by the name of each part."""

    parts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """How a suite ended; ``comparison`` and ``lines``, the answer in words, are empty where it was interrupted.

    ``parts`` are the names of the parts' comparisons under ``runs``.
    """

    name: str
    folder: str
    status: str
    comparison: SuiteComparison | None
    lines: tuple[str, ...]
    parts: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as ``--json`` prints them."""
        own = {"kind": "suite", **{key: value for key, value in vars(self).items() if key != "comparison"}}
        own |= {"lines": list(self.lines), "parts": list(self.parts)}
        return own if self.comparison is None else {**own, **self.comparison.to_dict()}


def built_in_suites() -> list[str]:
    """Return the names of the suites that come with nas_rnn."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in _BUILT_IN.iterdir() if entry.name.endswith(".toml")
    )


def read_suite(given: str) -> Suite:
    """Return the suite of a TOML file, or the built-in one of this name.

    A file has a table ``[tasks.NAME]`` for each part, with options of `nas-rnn compare` (docs/options.md), of which
    ``task`` is needed, and may have a table ``[all]`` with options for all of them.

    Raises:
        UserError: where there is no such suite, or it cannot be used.
    """
    if given in built_in_suites():
        content = tomllib.loads(_BUILT_IN.joinpath(f"{given}.toml").read_text(encoding="utf-8"))
    elif is_file(Path(given)):
        content = load_toml(Path(given), "--suite")
    else:
        raise UserError(
            f"there is no suite {given!r}{suggest(given, built_in_suites())}; "
            f"give a TOML file (docs/suites.md), or one of: {', '.join(built_in_suites())}"
        )
    parts = content.pop("tasks", {})
    shared = content.pop("all", {})
    if content or not isinstance(shared, dict) or not _is_table_of_tables(parts):
        stray = f", not {next(iter(content))!r}" if content else ""
        raise UserError(
            f"suite {given!r} must have tables [tasks.NAME], and may have a table [all], with options of "
            f"`nas-rnn compare`{stray}; see docs/suites.md"
        )
    for name, options in parts.items():
        _check_part(given, name, {**shared, **options})
    return Suite({name: {**_ALONE, **shared, **options} for name, options in parts.items()})


def _is_table_of_tables(parts: object) -> bool:
    return isinstance(parts, dict) and bool(parts) and all(isinstance(part, dict) for part in parts.values())


def _check_part(suite: str, name: str, options: Mapping[str, Any]) -> None:
    if not name:
        raise UserError(f"a part of suite {suite!r} has no name; give it one, such as [tasks.text]")
    if "task" not in options:
        raise UserError(
            f"part {name!r} of suite {suite!r} names no task; give it one, such as task = 'char-lm'"
        )
    for option in options:
        if option in _NOT_OF_PART:
            raise UserError(
                f"part {name!r} of suite {suite!r} sets {option}, which is the same for all parts; "
                f"leave it out, and give it to `nas-rnn compare`"
            )
        known = [one.name for one in fields(CompareConfig) if one.name not in _NOT_OF_PART]
        if option not in known:
            raise UserError(
                f"part {name!r} of suite {suite!r} has an unknown option {option!r}{suggest(option, known)}"
            )


def compare_suite(
    *cells: str | Cell,
    suite: str | None = None,
    resume: str | None = None,
    config: Path | None = None,
    observer: Observer = silent,
    runs: str | Path = "runs",
    **options: Unpack[CompareOptions],
) -> SuiteResult:
    """Compare ``cells`` with the baseline on every part of a ``suite``, and judge all verdicts as one family.

    ``cells`` are what `compare` takes; ``suite`` is a TOML file or the name of a built-in one (`read_suite`), and
    ``options``, those of a comparison, take precedence over it, as do those of the TOML file ``config``. ``resume``
    names a suite under ``runs`` whose remaining parts are to be done. Raises UserError for a mistake in what was given.
    """
    runs = Path(runs)
    given = merged(config, options)
    if resume is not None:
        refused = sorted({*given, *(["suite"] if suite else []), *(["cells"] if cells else [])})
        if refused:
            raise UserError(
                f"a resumed suite keeps its own configuration; {', '.join(refused)} cannot be changed"
            )
        folder = RunFolder(runs, resume)
        if not is_suite(runs, resume):
            raise UserError(f"there is no suite {resume!r} under {str(runs)!r}")
        with folder.hold().held("compare", new=False):
            return _run(folder, observer)
    if suite is None:
        raise UserError("compare_suite needs a suite: a TOML file, or the name of a built-in one")
    content = _plan(cells, read_suite(suite), given, runs)
    folder = RunFolder.create(runs, given.get("name"), "suite")
    with folder.held("compare", new=True):
        _require_free(folder, content["parts"])
        folder.write_json(SUITE, content)
    with folder.hold().held(
        "compare", new=False
    ):  # from here on it can be resumed, whatever happens to a part
        return _run(folder, observer)


def _require_free(folder: RunFolder, parts: Iterable[str]) -> None:
    """Raise UserError where the name of a part is taken: what lies there is not of this suite."""
    taken = sorted({f"{folder.name}-{part}" for part in parts} & set(names(folder.runs)))
    if taken:
        raise UserError(
            f"the parts of suite {folder.name!r} would be called {', '.join(taken)}, which there are already under "
            f"{str(folder.runs)!r}; give another --name, or remove these"
        )


def is_suite(runs: Path, name: str) -> bool:
    """Return whether ``name`` is that of a suite under ``runs``."""
    return (Path(runs) / name / SUITE).is_file()


def _plan(cells: tuple[str | Cell, ...], suite: Suite, given: dict[str, Any], runs: Path) -> dict[str, Any]:
    """Return what a suite is made of, as JSON; every mistake in it is found here, before anything is trained."""
    refused = [name for name in _OF_PART if name in given]
    if refused:
        raise UserError(f"{', '.join(refused)} is the suite's to say, for each of its parts; leave it out")
    if not cells:
        raise UserError("a suite needs a cell, or the name of a search: nas-rnn compare gru --suite small")
    if given.get("seeds") == "auto" or any(part.get("seeds") == "auto" for part in suite.parts.values()):
        raise UserError(
            "a suite needs a number of seeds, such as --seeds 5: with auto the tests of each part would end at "
            "another level, and could not be held together"
        )
    top = given.pop("top", 1)
    baseline = find_cell(given.get("baseline", "lstm"), runs)
    contenders, notices = contenders_of(baseline, cells, runs, top)
    own = {name: value for name, value in given.items() if name != "name"}
    # What bounds runs that end by themselves says nothing of runs of a number of epochs.
    idle = _OF_AUTO if own.get("epochs", "auto") != "auto" else frozenset[str]()
    parts = {
        name: {**{option: value for option, value in part.items() if option not in idle}, **own}
        for name, part in suite.parts.items()
    }
    for name, part in parts.items():
        try:
            there = {
                "cells": tuple(cell.name for cell in contenders),
                "name": f"{given.get('name', 'suite-1')}-{name}",
            }
            settings, models = prepare(CompareConfig, merged(None, {**part, **there}), runs)
            models.match(baseline, settings.params)  # too few parameters show here
        except UserError as error:
            raise UserError(f"part {name!r} of the suite: {error}") from None
    return {
        "format": FORMAT,
        "cells": [cell.to_text() for cell in contenders],
        "parts": parts,
        "notices": notices,
    }


def _run(folder: RunFolder, observer: Observer) -> SuiteResult:
    """Do the parts that are not done yet, one after another; judge all of them, and keep the answer."""
    began = time.monotonic()
    content = folder.read_json(SUITE)
    cells = [parse_cell(text) for text in content["cells"]]
    parts = {part: f"{folder.name}-{part}" for part in content["parts"]}
    found: dict[str, Comparison] = {}
    status = "complete"
    for part, name in parts.items():
        result = _part(folder.runs, name, cells, content["parts"][part], observer)
        if result is None:
            status = "interrupted"
            break
        found[part] = result
    comparison = judge_suite(found) if status == "complete" else None
    lines: tuple[str, ...] = ()
    if comparison is not None:
        lines = (*content["notices"], *suite_lines(comparison))
        folder.write_json(COMPARISON, {**comparison.to_dict(), "lines": list(lines)})
        folder.write(REPORT, render_suite(folder.name, comparison, lines, parts))
    return SuiteResult(
        name=folder.name,
        folder=str(folder.path),
        status=status,
        comparison=comparison,
        lines=lines,
        parts=tuple(parts.values()),
        seconds=time.monotonic() - began,
    )


def _part(
    runs: Path, name: str, cells: Sequence[Cell], options: Mapping[str, Any], observer: Observer
) -> Comparison | None:
    """Return the comparison of one part: the one that is there, resumed where it has not ended; None: interrupted."""
    part = RunFolder(runs, name)
    if part.config_path.is_file():
        kept = RunReader(part).comparison()
        if kept is not None:
            return kept
        result = compare(resume=name, observer=observer, runs=runs)
    else:
        with begun_before():  # the suite was begun with these options, whatever version that was
            result = compare(*cells, observer=observer, runs=runs, name=name, **options)
    return None if result.status == "interrupted" else result.comparison
