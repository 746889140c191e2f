"""Every way a command can end, as an exit code and a line on stderr; no traceback unless asked for."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.outside import LINES, shown

FAILURE = 1
MISTAKE = 2
INTERRUPTED = 130


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Return ``function`` as a command: its exceptions are reported, and plugins that did not load are named.

    ``function`` has no parameter for ``--debug``; the command handles that option.
    """

    @functools.wraps(function)
    def run(*arguments: Any, debug: bool, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            if debug:
                traceback.print_exc()
            say(_message(function.__name__.rstrip("_"), error, debug))
            raise typer.Exit(error.exit_code if isinstance(error, NasRnnError) else FAILURE) from None
        finally:
            report_plugin_problems()

    return run


def say(text: str) -> None:
    """Print ``text`` on stderr at once; what would steer a terminal is written out."""
    print(shown(text, LINES), file=sys.stderr, flush=True)


def report_plugin_problems() -> None:
    """Print what did not load, a line each on stderr, unless it was printed before."""
    plugins = sys.modules.get("nas_rnn.plugins")
    if plugins is None:
        return
    for problem in plugins.registry().problems:
        if str(problem) not in _reported:
            _reported.add(str(problem))
            say(" ".join(str(problem).split()))


_reported: set[str] = set()


def _message(name: str, error: Exception, debug: bool) -> str:
    if isinstance(error, UserError):
        return f"nas-rnn: {error}"
    reason = " ".join(str(error).split())
    if not isinstance(error, NasRnnError):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    hint = "" if debug else " (add --debug for the traceback)"
    return f"nas-rnn: {name} failed: {reason}{hint}"
