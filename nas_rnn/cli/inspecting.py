"""``nas-rnn show``, ``list``, ``sample`` and ``ui``: commands that only read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import command, say
from nas_rnn.cli.parsing import number, path, whole
from nas_rnn.errors import UserError, suggest

if TYPE_CHECKING:
    from nas_rnn.catalogue.describe import CellDescription
    from nas_rnn.cells.views.difference import Difference

KINDS: Final = ("cells", "spaces", "tasks", "strategies", "ops", "searches")
CELL_COLUMNS: Final = (
    "Per step. states: state paths; products: matrix products with a state; operations: elementwise; "
    "levels: longest chain of such products. More about a cell: nas-rnn show NAME"
)
PICTURES: Final = {".svg": "svg", ".png": "png"}


def _flag(name: str, help: str) -> Any:
    return typer.Option(name, help=help, show_default=False, metavar=" ")


def _whole(name: str, help: str, low: int, high: int | None = None) -> Any:
    return typer.Option(name, help=help, metavar="N", parser=whole(low, high))


def _text(name: str, metavar: str, help: str, **details: Any) -> Any:
    return typer.Option(name, help=help, metavar=metavar, **details)


What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="A cell's name, a .cell file, a recipe (.json), or the name of a search (its best cell).",
    ),
]
Text = Annotated[bool, _flag("--text", "Print the cell as text, the format of .cell files.")]
Schedule = Annotated[
    bool, _flag("--schedule", "Print what is computed before, in and after the loop over time.")
]
Recipe = Annotated[bool, _flag("--recipe", "Print the cell as a NAS-Bench-NLP recipe (JSON).")]
Latex = Annotated[bool, _flag("--latex", "Print the equations in LaTeX.")]
Json = Annotated[bool, _flag("--json", "Print everything as JSON.")]
Diagram = Annotated[
    Path | None,
    _text(
        "--diagram",
        "FILE",
        "Write the cell's diagram to this .svg or .png file.",
        parser=path,
        show_default=False,
    ),
]
Diff = Annotated[
    str | None,
    _text(
        "--diff",
        "CELL",
        "Print the differences from this cell, named like WHAT; with --diagram, frame them.",
        show_default=False,
    ),
]
Flow = Annotated[
    Path | None,
    _text(
        "--gradient-flow",
        "FILE",
        "Plot how far back the gradient reaches, to this .svg or .png file.",
        show_default=False,
    ),
]
InputSize = Annotated[int, _whole("--input-size", "Input size, for costs and fresh weights.", 1)]
HiddenSize = Annotated[int, _whole("--hidden-size", "Hidden size, for costs and fresh weights.", 1)]
Kind = Annotated[str, typer.Argument(metavar="|".join(KINDS), help=f"What to list: {', '.join(KINDS)}.")]
Search = Annotated[
    str, typer.Argument(metavar="NAME", help="A finished search; see `nas-rnn list searches`.")
]
Length = Annotated[int, _whole("--length", "Length of the sample, in the task's steps.", 1)]
Prompt = Annotated[str, _text("--prompt", "TEXT", "What the sample starts from.", show_default=False)]
Temperature = Annotated[
    float, _text("--temperature", "X", "Below 1: more predictable; above 1: more varied.", parser=number)
]
SampleSeed = Annotated[int, _whole("--seed", "The same seed gives the same sample.", 0, 2**32 - 1)]
Host = Annotated[
    str,
    _text(
        "--host", "ADDRESS", "Address to serve at; anyone who can reach it can change or delete everything."
    ),
]
Port = Annotated[int, _whole("--port", "Port to serve at; 0: any free port.", 0, 65535)]
Rebuild = Annotated[
    str | None, _text("--rebuild", "NAME", "First rebuild the pages of this search.", show_default=False)
]


@command
def show(
    what: What,
    text: Text = False,
    latex: Latex = False,
    recipe: Recipe = False,
    schedule: Schedule = False,
    json: Json = False,
    diagram: Diagram = None,
    diff: Diff = None,
    gradient_flow: Flow = None,
    input_size: InputSize = 64,
    hidden_size: HiddenSize = 128,
    plugins: o.Plugins = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Show a cell: equations and costs, or its text, LaTeX, diagram or gradient flow."""
    if text + latex + recipe + schedule + json > 1:
        raise UserError(
            "--text, --latex, --recipe, --schedule and --json exclude each other: give one of them"
        )
    if diff is not None and text + latex + recipe + schedule > 0:
        raise UserError(
            "--diff prints text, or JSON with --json: leave --text, --latex, --recipe and --schedule out"
        )
    picture = None if diagram is None else _picture_format(diagram, "--diagram")
    flow = None if gradient_flow is None else _picture_format(gradient_flow, "--gradient-flow")
    from nas_rnn.catalogue import describe

    _use(plugins)
    shown = describe.show(what, runs=runs, input_size=input_size, hidden_size=hidden_size)
    difference = None if diff is None else describe.compared(shown, diff, runs=runs)
    if diagram is not None and picture is not None:
        drawn_as = (
            shown.cell.diagram(picture)
            if difference is None
            else describe.difference_diagram(difference, picture)
        )
        _write(diagram, drawn_as, "--diagram")
    if gradient_flow is not None and flow is not None:
        _write(gradient_flow, describe.gradient_flow(shown, what, flow, runs=runs), "--gradient-flow")
    if difference is not None:
        _print_difference(difference, json)
        return
    if schedule:
        from nas_rnn.cli.output import emit

        emit(describe.schedule(shown))
        return
    drawn = diagram is not None or gradient_flow is not None
    _print_shown(shown, text=text, latex=latex, recipe=recipe, json=json, drawn=drawn)


@command
def list_(
    kind: Kind = "cells",
    json: Json = False,
    plugins: o.Plugins = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """List cells, search spaces, tasks, strategies, operations or your searches."""
    if kind not in KINDS:
        raise UserError(f"cannot list {kind!r}{suggest(kind, KINDS)}")
    from nas_rnn.catalogue.listing import listing
    from nas_rnn.cli.output import console, emit_json
    from nas_rnn.cli.tables import print_rows

    _use(plugins)
    rows = listing(kind, runs=runs)
    if json:
        emit_json(rows)
    elif rows:
        target = console()
        print_rows(target, rows)
        if kind == "cells" and target.is_terminal:
            target.print(f"\n{CELL_COLUMNS}")
    else:
        say(f"There are no searches in {str(runs)!r} yet." if kind == "searches" else f"No {kind} are known.")


@command
def sample(
    name: Search,
    length: Length = 500,
    prompt: Prompt = "",
    temperature: Temperature = 1.0,
    seed: SampleSeed = 0,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Show a sample from the best model of a search, in the form its task defines."""
    from nas_rnn.catalogue import saved
    from nas_rnn.cli.output import emit

    emit(saved.sample(name, runs=runs, length=length, prompt=prompt, temperature=temperature, seed=seed))


@command
def ui(
    host: Host = "127.0.0.1",
    port: Port = 5000,
    rebuild: Rebuild = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Serve the dashboard of all searches (MLflow) until Ctrl-C."""
    from nas_rnn.cli.output import emit
    from nas_rnn.experiment import dashboard

    dashboard.ui(
        runs=runs,
        host=host,
        port=port,
        rebuild=rebuild,
        on_ready=lambda address: emit(f"Open {address} in a browser; Ctrl-C stops the server."),
    )


def _use(plugins: list[Path] | None) -> None:
    if plugins:
        from nas_rnn.plugins import use_folders

        use_folders(plugins)


def _picture_format(path: Path, option: str) -> str:
    if path.suffix.lower() not in PICTURES:
        raise UserError(
            f"{option} draws .svg and .png files, not {str(path)!r}; try {str(path.with_suffix('.svg'))!r}"
        )
    return PICTURES[path.suffix.lower()]


def _write(path: Path, content: bytes, option: str) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{option}: cannot write {str(path)!r}: {error.strerror or error}") from None


def _print_difference(difference: Difference, json: bool) -> None:
    from nas_rnn.cli.output import console, emit_json
    from nas_rnn.cli.tables import print_difference

    if json:
        emit_json(difference.to_dict())
    else:
        print_difference(console(), difference)


def _print_shown(
    shown: CellDescription, *, text: bool, latex: bool, recipe: bool, json: bool, drawn: bool
) -> None:
    from nas_rnn.cli.output import console, emit, emit_json
    from nas_rnn.cli.tables import print_cell

    if text:
        emit(shown.text)
    elif latex:
        emit(shown.cell.latex())
    elif recipe:
        from nas_rnn.spaces import recipe_from_cell

        emit_json(recipe_from_cell(shown.cell))
    elif json:
        emit_json(shown.to_dict())
    elif not drawn:
        print_cell(console(), shown)
