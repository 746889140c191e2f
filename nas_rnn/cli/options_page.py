"""The page docs/options.md, made from the declared options: ``make options``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, get_args, get_origin

from nas_rnn.cli.evaluating import evaluate
from nas_rnn.cli.running import ablate, compare, search
from nas_rnn.options import PANELS, Declared, declared
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, SearchConfig
from nas_rnn.run_folder.evaluate_config import EvaluateConfig

COMMANDS: Final[dict[str, tuple[Callable[..., None], type]]] = {
    "search": (search, SearchConfig),
    "compare": (compare, CompareConfig),
    "ablate": (ablate, AblateConfig),
    "evaluate": (evaluate, EvaluateConfig),
}

INTRODUCTION: Final = """\
# Options of a search, a comparison, an ablation and a study of proposed cells

An option may be given on the command line (`nas-rnn search --learning-rate 0.003`), in a TOML file for `--config`
(`learning_rate = 0.003`) and in Python (`nas_rnn.search(learning_rate=0.003)`, where editors complete names and type
checkers know the types). The command line takes precedence over the file, and the file over the defaults. A task may
have its own defaults for training. `config.toml` in a run folder has the values that were used.

A comparison or ablation that names a search (or comparison) takes over from it what is not given: task, data, options
of the task and of training, sizes, plugins, numbers of seeds and of tuning trials (an ablation tunes only where it is
told to). What depends on the machine (`--workers`, `--device`, `--threads`, `--backend`, ...), `--seed` and `--name`
are not taken over. It says what it took; where two searches disagree, give what they disagree on. From a `.cell` file
nothing is taken over.

A study (`nas-rnn evaluate`, [proposers.md](proposers.md)) keeps the options that it began with: later calls may leave
them out, and cannot change them.

This page is generated from the declarations in the code; `make options` writes it anew.
"""

_TYPES: Final = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    Path: "path",
    dict: "table of names and values",
}


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([INTRODUCTION, *(_panel(panel) for panel in PANELS), _others()])


def _panel(panel: str) -> str:
    """Return the table of a panel; an option that commands declare differently has a row for each form."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for command, (_, kind) in COMMANDS.items():
        for one in declared(kind).values():
            if one.option.panel == panel:
                rows.setdefault(_row(one), []).append(command)
    head = ("option", "TOML, Python", "values", "default", "what it does", "commands")
    flags = [row[0] for row in rows]
    together = sorted(rows.items(), key=lambda item: flags.index(item[0][0]))
    return _table(panel, head, [(*row, _named(commands)) for row, commands in together])


def _row(one: Declared) -> tuple[str, ...]:
    return (f"`{one.flag}`", f"`{one.name}`", _values(one), one.default_words, one.option.help)


def _values(one: Declared) -> str:
    if one.choices:
        return ", ".join(f"`{choice}`" for choice in one.choices)
    if one.kind in (int, float) and one.option.read is None:
        return ", ".join(filter(None, [_TYPES[one.kind], one.range_words]))
    if get_origin(one.kind) is tuple:
        return f"list of {_TYPES[get_args(one.kind)[0]]}s"
    return one.option.rule or _TYPES[get_origin(one.kind) or one.kind]


def _others() -> str:
    """Return the table of what is no part of a configuration, as the commands declare it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for command, (function, kind) in COMMANDS.items():
        for flag, help in _own(function, kind):
            rows.setdefault((f"`{flag}`", help), []).append(command)
    head = ("option", "what it does", "commands")
    return _table(
        "On the command line alone, or as arguments in Python",
        head,
        [(*row, _named(commands)) for row, commands in rows.items()],
    )


def _own(function: Callable[..., None], kind: type) -> Iterator[tuple[str, str]]:
    for name, parameter in inspect.signature(function).parameters.items():
        (info,) = parameter.annotation.__metadata__
        if name not in declared(kind) and info.rich_help_panel:
            yield info.default, info.help


def _named(commands: list[str]) -> str:
    return "all" if len(commands) == len(COMMANDS) else ", ".join(commands)


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(map(_escaped, row)) for row in rows)]
    return "\n".join([f"## {title}\n", *(f"| {' | '.join(line)} |" for line in lines), ""])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    print(page(), end="")
