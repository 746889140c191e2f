"""`nas-rnn check`: whether a plugin keeps the contract of its kind, before a search depends on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas_rnn import plugins
from nas_rnn.cells import operations
from nas_rnn.cells.graph.operations import BUILT_IN
from nas_rnn.errors import UserError, suggest, unknown
from nas_rnn.outside import require_reachable
from nas_rnn.plugins import GROUPS, Plugin, Problem
from nas_rnn.plugins.records import place
from nas_rnn.plugins.sandbox import IMPORTS_SECONDS, LOAD_SECONDS

CHECK_SECONDS = 300.0
"""How long the contract of one plugin may take."""
PATIENCE_SECONDS = IMPORTS_SECONDS
"""How long over its limit the process that tries out a file may take to begin, to import other packages, and to end."""
_PROBE = """
import faulthandler, json, os, sys
from pathlib import Path
from nas_rnn.errors import UserError
from nas_rnn.plugins.registry import _import_file
from nas_rnn.plugins.sandbox import IMPORTS_SECONDS, PluginTimeout, describe, line_in, time_limit
path, answer, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
told = {"loads": True}
faulthandler.enable()
faulthandler.dump_traceback_later(max(seconds, IMPORTS_SECONDS), exit=True)  # within one long compiled call
try:
    with time_limit(seconds, "nas_rnn_plugin_probe"):
        _import_file(path, "nas_rnn_plugin_probe")
except UserError:
    pass  # a rule of nas_rnn's, broken by a file that runs: told of when it is loaded
except BaseException as error:
    late = isinstance(error, PluginTimeout)
    message = f"importing it took more than {seconds:g} s" if late else describe(error)
    told = {"loads": False, "line": line_in(error, path), "message": message}
os.write(answer, json.dumps(told).encode())
os._exit(0)
"""
"""Imports the file, and answers on a pipe of its own: whatever else happens to this process, it has not answered."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One plugin and every problem found with it; without one, ``promise`` says what holds."""

    kind: str
    name: str
    origin: str
    problems: tuple[str, ...]
    promise: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was checked, and what could not be loaded at all."""

    checked: tuple[Checked, ...]
    not_loaded: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Every problem in one line, with the file it is in."""
        found = [f"{c.origin}: {c.kind} {c.name}: {problem}" for c in self.checked for problem in c.problems]
        return [*self.not_loaded, *found]


def check(target: str, *, kind: str | None = None, seconds: float = LOAD_SECONDS) -> Report:
    """Check the ``.py`` or ``.cell`` file ``target``, or what is registered under that name.

    ``kind`` restricts it to plugins of one kind; ``seconds`` is how long a file may take to load. Raises `UserError`
    for a file or name that is not there.
    """
    if kind is not None and kind not in GROUPS:
        raise UserError(f"there is no kind of plugin called {kind!r}{suggest(kind, GROUPS)}")
    path = Path(target)
    require_reachable(path)
    if path.suffix not in (".py", ".cell"):
        found, broken = _named(target, kind)
        return Report(checked=tuple(_checked(plugin) for plugin in found), not_loaded=_lines(broken))
    if not path.is_file():
        wrong = f"{target!r} is a folder" if path.is_dir() else f"there is no file {target!r}"
        raise UserError(f"{wrong}; give a .py or .cell file, or the name of a plugin")
    if path.suffix == ".cell":
        return _cell_file(path, kind)
    return _python_file(path, kind, seconds)


def _named(name: str, kind: str | None) -> tuple[list[Plugin], list[Problem]]:
    """Return what is registered under ``name``, and what would be if it had loaded."""
    known = plugins.registry()
    kinds = [kind] if kind else list(GROUPS)
    found = [known.find(each, name) for each in kinds if name in known.names(each)]
    if name in BUILT_IN and "operation" in kinds:
        found.append(Plugin("operation", name, operations()[name], "nas_rnn", ""))
    broken = [problem for each in kinds if (problem := known.broken(each, name)) is not None]
    if not found and broken:
        return [], broken
    if not found:
        if kind is not None:
            known.find(kind, name)  # says why it did not load, or which names there are
        if name and Path(name).exists():
            wrong = "a folder" if Path(name).is_dir() else "neither a .py nor a .cell file"
            raise UserError(f"{name!r} is {wrong}; give a .py or .cell file, or the name of a plugin")
        raise unknown("plugin", name, {each for one in kinds for each in known.names(one)})
    return found, broken


def _cell_file(path: Path, kind: str | None) -> Report:
    if kind not in (None, "cell"):
        raise UserError(f"{str(path)!r} holds a cell, not a {kind}")
    try:
        cell = plugins.load_cell(path)
    except UserError as error:
        return Report(checked=(), not_loaded=(" ".join(str(error).split()),))
    return Report(checked=(_checked(Plugin("cell", cell.name, cell, str(path), "")),), not_loaded=())


def _python_file(path: Path, kind: str | None, seconds: float) -> Report:
    problem = _probe(path.resolve(), seconds)
    if problem is not None:
        return Report(checked=(), not_loaded=_lines([problem]))
    found, problems = plugins.registry().load_file(path)
    not_loaded = [*_lines(problems)]
    checked = [_checked(plugin) for plugin in found if kind in (None, plugin.kind)]
    if not checked and not not_loaded:
        kinds = ", ".join(GROUPS)
        not_loaded.append(f"{path.resolve()}: it defines no {kind or f'plugin ({kinds})'}")
    return Report(checked=tuple(checked), not_loaded=tuple(not_loaded))


def _probe(path: Path, seconds: float) -> Problem | None:
    """Import ``path`` in a process of its own first: return what became of that, None where it came to its end.

    Only a file that came to its end there may be imported in this process. One that raised may do worse the next time,
    and of one that did not answer nobody knows what it does.
    """
    readable, answer = os.pipe()
    with os.fdopen(readable, "rb") as answers, tempfile.TemporaryFile("w+", errors="replace") as errors:
        command = [sys.executable, "-P", "-c", _PROBE, str(path), str(answer), str(seconds)]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[answer],
                start_new_session=True,  # what it sends to its group does not come here
            )
        finally:
            os.close(answer)
        try:
            code = process.wait(max(seconds, IMPORTS_SECONDS) + PATIENCE_SECONDS)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return Problem(str(path), None, f"importing it took more than {seconds:g} s")
        os.set_blocking(readable, False)  # a process that it left behind may hold the other end
        told = answers.read() or b""
        errors.seek(0)
        written = errors.read()
    if told:
        found = json.loads(told)
        return None if found["loads"] else Problem(str(path), found["line"], found["message"])
    line = re.search(rf'File "{re.escape(str(path))}", line (\d+)', written)
    at = int(line[1]) if line else None
    if "Timeout (" in written:
        return Problem(str(path), at, f"importing it took more than {seconds:g} s")
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    return Problem(
        str(path), at, f"importing it ended the whole process ({how}): os._exit, or a crash of compiled code"
    )


def _checked(plugin: Plugin) -> Checked:
    from nas_rnn.testing.contracts import CONTRACTS

    contract = CONTRACTS[plugin.kind]
    problems: list[str] = []
    for find_problems in contract.checks:
        try:
            with plugins.stdout_to_stderr(), plugins.running(plugin, seconds=CHECK_SECONDS):
                problems += _sentences(find_problems(plugin.value))
        except plugins.PluginError as error:
            problems.append(" ".join(str(error).split()))
    return Checked(
        kind=plugin.kind,
        name=plugin.name,
        origin=place(plugin.origin, plugin.line),
        problems=tuple(problems),
        promise=contract.promise,
    )


def _lines(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(" ".join(f"{problem.place}: {problem.message}".split()) for problem in problems)


def _sentences(problems: Sequence[str]) -> list[str]:
    return [" ".join(problem.split()) for problem in problems]
