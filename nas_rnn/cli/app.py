"""The program ``nas-rnn`` with its commands."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from nas_rnn import __version__
from nas_rnn.cli.downloading import download
from nas_rnn.cli.evaluating import ask, evaluate, promote, tell
from nas_rnn.cli.exporting import export
from nas_rnn.cli.failures import INTERRUPTED, say
from nas_rnn.cli.inspecting import list_, sample, show, ui
from nas_rnn.cli.output import never_fail_to_encode
from nas_rnn.cli.plugin_kit import check, new
from nas_rnn.cli.reporting import report
from nas_rnn.cli.running import ablate, compare, search

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
for _name, _function in {
    "search": search,
    "compare": compare,
    "ablate": ablate,
    "evaluate": evaluate,
    "ask": ask,
    "tell": tell,
    "promote": promote,
    "show": show,
    "list": list_,
    "sample": sample,
    "export": export,
    "download": download,
    "report": report,
    "ui": ui,
    "new": new,
    "check": check,
}.items():
    app.command(_name, context_settings={"help_option_names": ["--help", "-h"]})(_function)

# Newer versions of typer carry a click of their own: this finds the base of usage errors in either.
_UsageError: type[typer.BadParameter] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


def _print_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        print(context.get_help())
        raise typer.Exit


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"nas-rnn {__version__}")
        raise typer.Exit


def _flag(*names: str, help: str, callback: Callable[..., None]) -> Any:
    return typer.Option(*names, help=help, callback=callback, is_eager=True, show_default=False, metavar=" ")


# The program's own --help: with that of typer, the help of every command imports pydantic.
@app.callback(invoke_without_command=True, context_settings={"help_option_names": []})
def program(
    context: typer.Context,
    help: Annotated[bool, _flag("--help", "-h", help="Show this message.", callback=_print_help)] = False,
    version: Annotated[bool, _flag("--version", help="Show the version.", callback=_print_version)] = False,
) -> None:
    """Search for recurrent cells, and find out whether one beats an LSTM on your data."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with ``arguments`` (those of the process by default) and exit with its code.

    0: it worked; 1: it failed; 2: invalid input; 130: interrupted by Ctrl-C.
    """
    never_fail_to_encode()
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    try:
        code = app(args=arguments, prog_name="nas-rnn", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except _UsageError as error:
        say(f"nas-rnn: {_usage_message(error)}\nSee: {_command_line(arguments)} --help")
        return int(error.exit_code)
    return code if isinstance(code, int) else 0


def _usage_message(error: typer.BadParameter) -> str:
    """Return what is wrong; for an unknown option, the nearest one that there is."""
    name, context = getattr(error, "option_name", None), error.ctx
    if type(error).__name__ != "NoSuchOption" or not isinstance(name, str) or context is None:
        return error.format_message()
    known = [flag for parameter in context.command.params for flag in parameter.opts if flag.startswith("--")]
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no option {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _command_line(arguments: list[str]) -> str:
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    known = {info.name for info in app.registered_commands}
    return f"nas-rnn {command}" if command in known else "nas-rnn"
