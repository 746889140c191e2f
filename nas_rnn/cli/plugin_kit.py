"""``nas-rnn new`` and ``nas-rnn check``: start a plugin, and check it against its contract."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import FAILURE, command
from nas_rnn.cli.parsing import path
from nas_rnn.errors import UserError, suggest

if TYPE_CHECKING:
    from nas_rnn.testing.check import Report

WORDS: Final = ("space", "cell", "task", "op", "strategy")
SPACES: Final = Path("search_spaces")

Kind = Annotated[str, typer.Argument(metavar="|".join(WORDS), help=f"Kind of plugin: {', '.join(WORDS)}.")]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the plugin and of its file.")]
Dir = Annotated[Path, typer.Option("--dir", help="Folder to write it to.", metavar="DIR", parser=path)]
Target = Annotated[
    str,
    typer.Argument(metavar="FILE_OR_NAME", help="A .py or .cell file, or the name of a registered plugin."),
]
OnlyKind = Annotated[
    str | None,
    typer.Option(
        "--kind", help="Check only plugins of this kind.", metavar="|".join(WORDS), show_default=False
    ),
]


@command
def new(kind: Kind, name: NewName, dir: Dir = SPACES, debug: o.Debug = False) -> None:
    """Write a working plugin file to start from, with comments on what to change."""
    from nas_rnn.cli.output import emit
    from nas_rnn.testing.scaffold import new as write

    written = write(kind, name, dir)
    elsewhere = "" if dir.resolve() == SPACES.resolve() else f" --plugins {shlex.quote(str(dir))}"
    emit(f"Wrote {written}\n\nChange it, then check it:\n  nas-rnn check {shlex.quote(str(written))}")
    use = {
        "space": f"nas-rnn search --space {name}{elsewhere}",
        "cell": f"nas-rnn compare {name}{elsewhere}",
        "task": f"nas-rnn search --task {name}{elsewhere}",
        "strategy": f"nas-rnn search --strategy {name}{elsewhere}",
        "op": f"nas-rnn list ops{elsewhere}",
    }
    emit(f"\n{'See it' if kind == 'op' else 'Use it'}:\n  {use[kind]}")


@command
def check(target: Target, kind: OnlyKind = None, plugins: o.Plugins = None, debug: o.Debug = False) -> None:
    """Check a plugin against the contract of its kind: one line per problem, and exit code 1 if there is any."""
    if kind is not None and kind not in WORDS:
        raise UserError(f"--kind: there is no kind of plugin called {kind!r}{suggest(kind, WORDS)}")
    from nas_rnn.plugins import use_folders
    from nas_rnn.testing import check as checking

    if plugins:
        use_folders(plugins)
    _print(checking.check(target, kind="operation" if kind == "op" else kind))


def _print(report: Report) -> None:
    from nas_rnn.cli.output import emit

    for checked in report.checked:
        if not checked.problems:
            emit(f"{checked.kind} {checked.name}: {checked.promise}")
    if report.problems:
        emit("\n".join(report.problems))
        raise typer.Exit(FAILURE)
