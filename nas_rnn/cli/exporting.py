"""``nas-rnn export``: take a model home."""

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
        help="A search or comparison that came to its end; with sizes, a cell's name, a .cell file or a recipe.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        help="A folder for nas_rnn.load_model; one .py file that needs torch alone, with its weights; ONNX.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="PATH",
        help="File or folder to write. Default: named after it, here.",
        show_default=False,
    ),
]
InputSize = Annotated[int | None, _whole("--input-size", "Export a cell of this input size, untrained.", 1)]
HiddenSize = Annotated[int | None, _whole("--hidden-size", "And of this hidden size.", 1)]
Layers = Annotated[int, _whole("--layers", "Its layers, one upon another. Default: 1.", 1)]
Bidirectional = Annotated[
    bool,
    typer.Option(
        "--bidirectional", help="It reads both ways. Default: off.", show_default=False, metavar=" "
    ),
]
Seed = Annotated[int, _whole("--seed", "Number from 0 that its weights follow. Default: 0.", 0)]


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
    """Take the best model of a search home: for nas_rnn, as one plain Python file, or as ONNX."""
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
        emit(f"On the test data it measured {exported.tested:.4f} {exported.unit}.")
