"""``nas-rnn evaluate``, ``ask``, ``tell`` and ``promote``: a study that is driven from outside."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import FAILURE, INTERRUPTED, MISTAKE, command, say
from nas_rnn.cli.parsing import number
from nas_rnn.errors import UserError
from nas_rnn.options import BUDGET, RUN, WHAT, declared
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.run_folder.evaluate_config import EvaluateConfig

if TYPE_CHECKING:
    from nas_rnn.cells import Cell
    from nas_rnn.experiment.feedback import Feedback

STDIN: Final = "-"


def _text(flag: str, metavar: str, help: str, panel: str | None = None, **details: Any) -> Any:
    return typer.Option(
        flag, help=help, metavar=metavar, rich_help_panel=panel, show_default=False, **details
    )


def _flag(flag: str, help: str, panel: str | None = None) -> Any:
    return typer.Option(flag, help=help, metavar=" ", rich_help_panel=panel, show_default=False)


def _of(kind: type, name: str) -> Any:
    return o.from_declaration(declared(kind)[name])


Cells = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CELL...",
        help="Files of cells (.cell; - reads one from standard input), or names of known cells.",
    ),
]
OneCell = Annotated[
    str, typer.Argument(metavar="CELL", help="A .cell file, - for standard input, or a known cell's name.")
]
Study = Annotated[
    str | None,
    _text("--study", "NAME", "The study, and the name of its folder. Default: none; it is needed.", RUN),
]
EvaluateTime = Annotated[
    str | None,
    _text("--time", "TIME", "Stop after 90s, 30m, ...; the same call goes on. Default: no limit.", BUDGET),
]


@command
@o.configured_by(EvaluateConfig)
def evaluate(
    cells: Cells = None,
    study: Study = None,
    time: EvaluateTime = None,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
    **options: Any,
) -> None:
    """Measure proposed cells on validation data, each against the best so far; the test part stays sealed."""
    name = _named(study)
    if not cells:
        raise UserError("give a cell to evaluate: nas-rnn evaluate new.cell --study NAME")
    from nas_rnn.cli.feedback_page import print_feedback
    from nas_rnn.cli.output import emit_json
    from nas_rnn.experiment.evaluate import OutsideStudy, limit_of
    from nas_rnn.experiment.feedback import SCHEMA

    texts = {given: _text_of(given) for given in cells}
    limit = limit_of(time)
    ends = math.inf if limit is None else monotonic() + limit
    with _stdout_kept_free():
        opened = OutsideStudy.open(name, config=config, runs=runs, say=say, **options)
        proposed = {given: _cell(given, text, runs) for given, text in texts.items()}
        found = [
            opened.evaluate(
                cell, source=given, seconds=None if limit is None else max(0.0, ends - monotonic())
            )
            for given, cell in proposed.items()
        ]
        incumbent = opened.incumbent
    if json:
        emit_json(
            {
                "schema": SCHEMA,
                "study": name,
                "folder": str(opened.folder),
                "incumbent": {
                    "name": incumbent.name,
                    "digest": incumbent.digest,
                    "cell": incumbent.to_text(),
                },
                "results": [one.to_dict() for one in found],
            }
        )
    else:
        for one in found:
            print_feedback(one)
    raise typer.Exit(_code(found))


def _code(found: list[Feedback]) -> int:
    """Return 1 where a cell could not be trained, 2 where none of them is a cell that could be, else 0."""
    if any(one.status == "failed" for one in found):
        return FAILURE
    return MISTAKE if all(one.status in ("unparsable", "refused") for one in found) else 0


@command
def ask(
    study: Study = None,
    strategy: Annotated[str | None, _of(SearchConfig, "strategy")] = None,
    space: Annotated[str | None, _of(SearchConfig, "space")] = None,
    constraints: Annotated[list[str] | None, _of(SearchConfig, "constraints")] = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Print the next cell that a strategy proposes for a study, as text for a .cell file."""
    from nas_rnn.cli.output import emit, emit_json
    from nas_rnn.experiment.evaluate import OutsideStudy

    chosen = {"strategy": strategy or "random", "space": space or "gated"}
    with _stdout_kept_free():
        opened = OutsideStudy.existing(_named(study), runs=runs, say=say)
        proposal = opened.ask(constraints=tuple(constraints or ()), **chosen)
    if json:
        emit_json(proposal.to_dict())
    else:
        emit(proposal.cell.to_text())


@command
def tell(
    cell: OneCell,
    study: Study = None,
    value: Annotated[
        float | None,
        _text("--value", "X", "Its figure on validation data, measured elsewhere.", WHAT, parser=number),
    ] = None,
    diverged: Annotated[bool, _flag("--diverged", "It diverged there.", WHAT)] = False,
    rejected: Annotated[
        str | None, _text("--rejected", "REASON", "It is not to be trained, for this reason.", WHAT)
    ] = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Tell a study what became of a cell elsewhere; strategies that are asked take it into account."""
    if (value is not None) + diverged + (rejected is not None) != 1:
        raise UserError("give one of --value X, --diverged and --rejected REASON")
    from nas_rnn.experiment.evaluate import OutsideStudy

    opened = OutsideStudy.existing(_named(study), runs=runs, say=say)
    opened.tell(_cell(cell, _text_of(cell), runs), value, "diverged" if diverged else rejected or "")


@command
def promote(
    study: Study = None,
    again: Annotated[
        bool, _flag("--again", "Read a test part that was read before. Default: off.", RUN)
    ] = False,
    tune: Annotated[str | None, _of(CompareConfig, "tune")] = None,
    tune_over: Annotated[list[str] | None, _of(CompareConfig, "tune_over")] = None,
    seeds: Annotated[str | None, _of(CompareConfig, "seeds")] = None,
    most_seeds: Annotated[str | None, _of(CompareConfig, "most_seeds")] = None,
    reference: Annotated[str | None, _of(CompareConfig, "reference")] = None,
    fresh_test: Annotated[str | None, _of(CompareConfig, "fresh_test")] = None,
    workers: Annotated[str | None, _of(CompareConfig, "workers")] = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Compare the best cell of a study with its first incumbent on the test data: tuned alike, on fresh seeds."""
    from nas_rnn.cli.watching import print_outcome, view
    from nas_rnn.experiment.evaluate import OutsideStudy

    options: dict[str, Any] = {
        "tune": tune,
        "tune_over": tuple(tune_over) if tune_over else None,
        "seeds": seeds,
        "most_seeds": most_seeds,
        "reference": reference,
        "fresh_test": fresh_test,
        "workers": workers,
    }
    kept_free = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()
    with view(json) as observer, kept_free:
        opened = OutsideStudy.existing(_named(study), runs=runs, say=say)
        result = opened.promote(again=again, observer=observer, **options)
    print_outcome(result, json, runs)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _named(study: str | None) -> str:
    if study is None:
        raise UserError("give the study's name with --study NAME")
    return study


def _text_of(given: str) -> str | None:
    """Return the text of a cell's file or of standard input; None for what may be a known cell's name."""
    from nas_rnn.experiment.evaluate import cell_file

    return sys.stdin.read() if given == STDIN else cell_file(given)


def _cell(given: str, text: str | None, runs: Path) -> str | Cell:
    """Return the text that was read, or the cell of a name, which plugins of the study may have."""
    from nas_rnn.catalogue.cells import find_cell

    return find_cell(given, runs) if text is None else text


@contextlib.contextmanager
def _stdout_kept_free() -> Iterator[None]:
    """Send what plugins print while they work to stderr: stdout is for the answer."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
