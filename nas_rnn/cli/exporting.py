"""``nas-rnn export``: write a model as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import command
from nas_rnn.cli.parsing import whole
from nas_rnn.errors import UserError, suggest

FORMATS: Final = ("torch", "python", "onnx")


def _whole(name: str, help: str, low: int) -> Any:
    return typer.Option(name, help=help, metavar="N", parser=whole(low), show_default=False)


What = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A finished search or comparison; or, with sizes, a cell's name, a .cell file or a recipe.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        help="A folder for nas_rnn.load_model (torch); a .py file that needs only torch, and weights (python); ONNX.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="PATH",
        help="File or folder to write. Default: named after NAME, in the current folder.",
        show_default=False,
    ),
]
InputSize = Annotated[int | None, _whole("--input-size", "Export an untrained cell with this input size.", 1)]
HiddenSize = Annotated[int | None, _whole("--hidden-size", "Hidden size of the untrained cell.", 1)]
Layers = Annotated[int, _whole("--layers", "Its stacked layers. Default: 1.", 1)]
Bidirectional = Annotated[
    bool,
    typer.Option(
        "--bidirectional",
        help="Read the sequence in both directions. Default: off.",
        show_default=False,
        metavar=" ",
    ),
]
Seed = Annotated[int, _whole("--seed", "Seed of its weights, 0 or more. Default: 0.", 0)]


@command
def export(
    name: What,
    format: Format = "torch",
    output: Output = None,
    input_size: InputSize = None,
    hidden_size: HiddenSize = None,
    layers: Layers = 1,
    bidirectional: Bidirectional = False,
    seed: Seed = 0,
    plugins: o.Plugins = None,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Export the best model of a search: for nas_rnn, as one plain Python file, or as ONNX."""
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}{suggest(format, FORMATS)}")
    from nas_rnn.catalogue import saved
    from nas_rnn.cli.output import emit

    if plugins:
        from nas_rnn.plugins import use_folders

        use_folders(plugins)
    exported = saved.export(
        name,
        format=format,
        output=output,
        runs=runs,
        input_size=input_size,
        hidden_size=hidden_size,
        layers=layers,
        bidirectional=bidirectional,
        seed=seed,
    )
    emit("\n".join(["Wrote:", *(f"  {file}" for file in exported.files)]))
    if exported.tested is not None:
        emit(f"On the test data it scored {exported.tested:.4f} {exported.unit}.")
