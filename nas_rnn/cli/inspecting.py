"""``nas-rnn show``, ``list``, ``sample`` and ``ui``: look at what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import command, say
from nas_rnn.cli.parsing import number, whole
from nas_rnn.errors import UserError, suggest

if TYPE_CHECKING:
    from nas_rnn.experiment.inspection import Shown

KINDS: Final = ("cells", "spaces", "tasks", "strategies", "ops", "searches")
PICTURES: Final = {".svg": "svg", ".png": "png"}


def _flag(name: str, help: str) -> Any:
    return typer.Option(name, help=help, show_default=False, metavar=" ")


@command
def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A cell's name, a .cell file, or the name of a search: its best cell."
        ),
    ],
    text: Annotated[
        bool,
        _flag("--text", "Print the cell's text form, as .cell files hold it."),
    ] = False,
    latex: Annotated[bool, _flag("--latex", "Print its equations in LaTeX.")] = False,
    json: Annotated[bool, _flag("--json", "Print all there is as one JSON object.")] = False,
    diagram: Annotated[
        Path | None,
        typer.Option(
            "--diagram", metavar="FILE", help="Draw it into this .svg or .png file.", show_default=False
        ),
    ] = None,
    input_size: Annotated[
        int,
        typer.Option(
            "--input-size", metavar="N", parser=whole(1), help="Input size that costs are counted for."
        ),
    ] = 64,
    hidden_size: Annotated[
        int,
        typer.Option(
            "--hidden-size", metavar="N", parser=whole(1), help="Hidden size that they are counted for."
        ),
    ] = 128,
    plugins: o.Plugins = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Show a cell: its equations, what it costs, its text form, LaTeX, a diagram."""
    if text + latex + json > 1:
        raise UserError("--text, --latex and --json each print something else: give one of them")
    picture = None if diagram is None else _picture_format(diagram)
    from nas_rnn.experiment import inspection

    _use(plugins)
    shown = inspection.show(what, runs=runs, input_size=input_size, hidden_size=hidden_size)
    if diagram is not None and picture is not None:
        _write(diagram, shown.cell.diagram(picture))
    _print_shown(shown, text=text, latex=latex, json=json, drawn=diagram is not None)


@command
def list_(
    kind: Annotated[
        str, typer.Argument(metavar="|".join(KINDS), help=f"What to list: {', '.join(KINDS)}.")
    ] = "cells",
    json: Annotated[bool, _flag("--json", "Print a JSON list of objects.")] = False,
    plugins: o.Plugins = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """List the cells, search spaces, tasks, strategies and operations there are, or your searches."""
    if kind not in KINDS:
        raise UserError(f"there is nothing to list called {kind!r}{suggest(kind, KINDS)}")
    from nas_rnn.cli.output import console, emit_json
    from nas_rnn.cli.tables import print_rows
    from nas_rnn.experiment import inspection

    _use(plugins)
    rows = inspection.listing(kind, runs=runs)
    if json:
        emit_json(rows)
    elif rows:
        print_rows(console(), rows)
    else:
        say(f"There are no {kind} yet." if kind == "searches" else f"No {kind} are known.")


@command
def sample(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A search that came to its end; see `nas-rnn list searches`."),
    ],
    length: Annotated[
        int,
        typer.Option("--length", metavar="N", parser=whole(1), help="How much to make, in the task's steps."),
    ] = 500,
    prompt: Annotated[str, typer.Option("--prompt", metavar="TEXT", help="What it goes on from.")] = "",
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", metavar="X", parser=number, help="Below 1 it plays safe, above 1 it dares more."
        ),
    ] = 1.0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", parser=whole(0), help="The same seed gives the same sample.")
    ] = 0,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Show what the best model of a search does: for a language model, the text it writes."""
    from nas_rnn.cli.output import emit
    from nas_rnn.experiment import saved

    emit(saved.sample(name, runs=runs, length=length, prompt=prompt, temperature=temperature, seed=seed))


@command
def ui(
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to serve at; others can read and delete all."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", parser=whole(0, 65535), help="Port to serve at; 0: any free one."
        ),
    ] = 5000,
    rebuild: Annotated[
        str | None,
        typer.Option(
            "--rebuild", metavar="NAME", help="Make this search's pages anew first.", show_default=False
        ),
    ] = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Open the dashboard of all searches (MLflow) until Ctrl-C."""
    from nas_rnn.cli.output import emit
    from nas_rnn.experiment import dashboard

    dashboard.ui(
        runs=runs,
        host=host,
        port=port,
        rebuild=rebuild,
        on_ready=lambda address: emit(f"Open {address} in a browser; Ctrl-C ends it."),
    )


def _use(plugins: list[Path] | None) -> None:
    if plugins:
        from nas_rnn.plugins import use_folders

        use_folders(plugins)


def _picture_format(path: Path) -> str:
    if path.suffix.lower() not in PICTURES:
        raise UserError(
            f"--diagram draws .svg and .png files, not {str(path)!r}; try {str(path.with_suffix('.svg'))!r}"
        )
    return PICTURES[path.suffix.lower()]


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"--diagram: cannot write {str(path)!r}: {error.strerror or error}") from None


def _print_shown(shown: Shown, *, text: bool, latex: bool, json: bool, drawn: bool) -> None:
    from nas_rnn.cli.output import console, emit, emit_json
    from nas_rnn.cli.tables import print_cell

    if text:
        emit(shown.text)
    elif latex:
        emit(shown.cell.latex())
    elif json:
        emit_json(shown.to_dict())
    elif not drawn:
        print_cell(console(), shown)
