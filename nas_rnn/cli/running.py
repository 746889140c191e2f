"""``nas-rnn search``, ``nas-rnn compare`` and ``nas-rnn ablate``: call, watch, print the result.

The options of their configurations are added by `configured_by`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import FAILURE, INTERRUPTED, command
from nas_rnn.options import WHAT
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, SearchConfig

if TYPE_CHECKING:
    from nas_rnn.experiment.results import Result

Found = TypeVar("Found")


@command
@o.configured_by(SearchConfig)
def search(
    resume: o.Resume = None,
    changed_plugins: o.ChangedPlugins = False,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
    **options: Any,
) -> None:
    """Search for a cell, then compare the best one with an LSTM of the same size on test data."""
    import nas_rnn

    changed = {"changed_plugins": True} if changed_plugins else {}
    _run(nas_rnn.search, (), {"resume": resume, "config": config, **changed, **options}, json, runs)


@command
@o.configured_by(CompareConfig)
def compare(
    cells: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CELL...",
            help="Names of cells (`nas-rnn list cells`), .cell files, recipes (.json), or searches: their best cells.",
            show_default=False,
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            metavar="FILE|NAME",
            help="Compare on several tasks: a TOML file (docs/suites.md), or the built-in small. Default: one task.",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = None,
    resume: o.Resume = None,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
    **options: Any,
) -> None:
    """Compare cells with an LSTM, or another baseline: tuned alike, at equal size, with paired seeds."""
    import nas_rnn
    from nas_rnn.experiment.suite import is_suite

    if suite is not None or (resume is not None and is_suite(runs, resume)):
        _run_suite(cells or (), {"suite": suite, "resume": resume, "config": config, **options}, json, runs)
        return
    _run(nas_rnn.compare, cells or (), {"resume": resume, "config": config, **options}, json, runs)


@command
@o.configured_by(AblateConfig)
def ablate(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="A search (its best cell and options), a cell's name, a .cell file or a recipe (.json).",
            show_default=False,
        ),
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option(
            "--elements",
            metavar="KIND,...",
            help="What to remove: gate, activation, product, path, norm, peephole, matrix. Default: all but matrix.",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = None,
    resume: o.Resume = None,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
    **options: Any,
) -> None:
    """Remove one element of a cell at a time, train each variant, and rank the elements by contribution."""
    import nas_rnn

    kinds = None if elements is None else tuple(elements.split(","))
    given = {"what": what, "elements": kinds, "resume": resume, "config": config, **options}
    _run(nas_rnn.ablate, (), given, json, runs)


def _run_suite(cells: Sequence[str], given: dict[str, Any], json: bool, runs: Path) -> None:
    """Compare cells on every part of a suite, watched; print the result."""
    import nas_rnn
    from nas_rnn.cli.suites import print_suite

    result = _watched(nas_rnn.compare_suite, cells, given, json, runs)
    print_suite(result, json, runs)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _run(
    function: Callable[..., Result], cells: Sequence[str], given: dict[str, Any], json: bool, runs: Path
) -> None:
    """Call ``function`` with the options that were given, watched; print its result."""
    # Before the run, which may take days: nothing that is imported after it could fail then.
    from nas_rnn.cli.watching import print_outcome

    result = _watched(function, cells, given, json, runs)
    print_outcome(result, json, runs)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if result.comparison is None:  # nothing came to the final
        raise typer.Exit(FAILURE)


def _watched(
    function: Callable[..., Found], cells: Sequence[str], given: dict[str, Any], json: bool, runs: Path
) -> Found:
    """Return what ``function`` returns for the options that were given; progress is shown meanwhile."""
    from nas_rnn.cli.watching import view

    chosen = {name: value for name, value in given.items() if value is not None}
    # What plugins print while they work must not stand in the JSON.
    kept_free = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()
    with view(json) as observer, kept_free:
        return function(*cells, observer=observer, runs=runs, **chosen)
