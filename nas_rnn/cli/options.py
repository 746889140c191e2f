"""From declared options to those of the command line; and the few options that are no part of a configuration.

An option that was not given is None, and the configuration's default counts (`nas_rnn.run_folder.config`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import typer

from nas_rnn.cli.parsing import key_values, number, path, whole, whole_or
from nas_rnn.options import PANELS, RUN, Declared, declared
from nas_rnn.run_folder.config import SearchConfig

RUNS: Final = Path("runs")

_FORMS: Final[Mapping[Any, tuple[str, Callable[[str], Any] | None]]] = {
    int: ("N", whole()),
    float: ("X", number),
    Path: ("PATH", path),
    str: ("TEXT", None),
    int | Literal["auto"]: ("N|auto", whole_or("auto")),
}
"""How a type stands on the command line: its placeholder in the help, and what reads it (None: texts are kept)."""


def _option(flag: str, help: str, panel: str, **details: Any) -> Any:
    return typer.Option(flag, help=help, rich_help_panel=panel, show_default=False, **details)


def _flag(flag: str, help: str, panel: str) -> Any:
    return _option(flag, help, panel, metavar=" ")


def _text(flag: str, metavar: str, help: str, panel: str) -> Any:
    return _option(flag, help, panel, metavar=metavar)


def _path(flag: str, metavar: str, help: str, panel: str, **details: Any) -> Any:
    return _option(flag, help, panel, metavar=metavar, parser=path, **details)


def from_declaration(one: Declared) -> Any:
    """Return the command line's form of a declared option."""
    help = f"{one.option.help} Default: {one.default_words}."
    if one.kind is bool:
        return _flag(f"{one.flag}/--no-{one.flag.removeprefix('--')}", help, one.option.panel)
    if one.choices:
        metavar, parser = "|".join(one.choices), None
    elif get_origin(one.kind) is dict or (one.option.read and one.kind is float):
        metavar, parser = _FORMS[str]
    else:
        metavar, parser = _FORMS[get_args(one.kind)[0] if _repeatable(one) else one.kind]
    return _option(one.flag, help, one.option.panel, metavar=one.option.metavar or metavar, parser=parser)


def configured_by(kind: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that ``kind`` declares; those that were given reach it as its ``**options``.

    Its own parameters come after them in each panel of the help.
    """
    options = declared(kind)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(**given: Any) -> None:
            chosen = {name: _value(one, given.pop(name)) for name, one in options.items()}
            function(**given, **{name: value for name, value in chosen.items() if value is not None})

        own = [
            p
            for p in inspect.signature(function, eval_str=True).parameters.values()
            if p.kind != p.VAR_KEYWORD
        ]
        parameters = sorted([*map(_parameter, options.values()), *own], key=_place)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _parameter(one: Declared) -> inspect.Parameter:
    plain: Any = bool if one.kind is bool else list[str] if _repeatable(one) else str
    annotation = Annotated[plain | None, from_declaration(one)]
    return inspect.Parameter(
        one.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation
    )


def _place(parameter: inspect.Parameter) -> int:
    """Return where a parameter's panel stands in the help; arguments, which have none, come first."""
    panel = parameter.annotation.__metadata__[0].rich_help_panel
    return PANELS.index(panel) if panel else -1


def _repeatable(one: Declared) -> bool:
    return get_origin(one.kind) in (tuple, dict)


def _value(one: Declared, given: Any) -> Any:
    if not _repeatable(one):
        return given
    if not given:
        return None
    return tuple(given) if get_origin(one.kind) is tuple else key_values(given, one.flag)


Plugins = Annotated[list[Path] | None, from_declaration(declared(SearchConfig)["plugins"])]
Resume = Annotated[
    str | None,
    _text("--resume", "NAME", "Resume the one with this name. Default: start a new one.", RUN),
]
ChangedPlugins = Annotated[
    bool,
    _flag(
        "--changed-plugins",
        "Resume even if the search's plugins have changed. Default: off.",
        RUN,
    ),
]
Config = Annotated[
    Path | None,
    _path(
        "--config",
        "FILE",
        "TOML file of options (learning_rate = 0.003); command-line options take precedence. Default: no file.",
        RUN,
    ),
]
Json = Annotated[
    bool, _flag("--json", "Print one JSON object on stdout, everything else on stderr. Default: off.", RUN)
]
Runs = Annotated[
    Path,
    _path("--runs", "DIR", "Folder that holds the run folders. Default: runs.", RUN, envvar="NAS_RNN_RUNS"),
]
Debug = Annotated[bool, _flag("--debug", "Show the traceback on failure. Default: off.", RUN)]
