"""The registry: finds plugins in folders and installed packages, and loads them so that none can harm the others."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from nas_rnn.cells import Operation, operations, register_operation
from nas_rnn.cells.graph.operations import BUILT_IN, OperationClash, restore_operations
from nas_rnn.errors import UserError, unknown
from nas_rnn.plugins.judging import plugins_in, refusal, unusable_sample
from nas_rnn.plugins.records import GROUPS, Plugin, PluginOrigin, PluginSource, Problem, definition_line
from nas_rnn.plugins.sandbox import (
    LOAD_SECONDS,
    describe,
    last_frame,
    line_in,
    stdout_to_stderr,
    time_limit,
)

_OURS = __name__.split(".")[0]
_ONE_EACH = ("task", "strategy")
"""The kinds whose entry points of nas_rnn's own each name one object, and are called what it is called."""

_operation_homes: dict[str, str] = {}
"""Where the operations of the process-wide table came from, by name."""


class Registry:
    """What is registered, from installed packages and from ``folders``.

    What does not load within ``seconds``, or breaks in any other way, is in ``problems``. What comes with nas_rnn may
    take as long as it needs.
    """

    def __init__(self, folders: Sequence[Path] = (), seconds: float = LOAD_SECONDS) -> None:
        self.problems: list[Problem] = []
        self.sources: list[PluginSource] = []
        self._seconds = seconds
        self._folders = list(folders)
        self._found: dict[tuple[str, str], list[Plugin]] = {}
        self._broken: dict[tuple[str, str], Problem] = {}
        self._waiting: dict[str, list[EntryPoint]] = {}
        self._folders_loaded = False

    def names(self, kind: str) -> list[str]:
        """Return the names registered for ``kind``, sorted."""
        self._load(kind)
        return sorted(name for found_kind, name in self._found if found_kind == kind)

    def find(self, kind: str, name: str) -> Plugin:
        """Return the plugin ``name`` of ``kind``; `UserError` where there is none or two different ones."""
        self._load(kind, name)
        found = self._found.get((kind, name), [])
        if not found and (kind, name) in self._broken:
            problem = self._broken[kind, name]
            raise UserError(f"the {kind} {name!r} did not load: {problem.place}: {problem.message}")
        if not found:
            raise unknown(kind, name, self.names(kind))
        if len(found) > 1:
            places = " and ".join(plugin.origin for plugin in found)
            raise UserError(f"two different {kind}s are named {name!r}: in {places}; rename or remove one")
        return found[0]

    def broken(self, kind: str, name: str) -> Problem | None:
        """Return why the plugin ``name`` of ``kind`` did not load; None where it did, or nothing is known of it."""
        self._load(kind, name)
        return None if (kind, name) in self._found else self._broken.get((kind, name))

    def load_file(self, path: Path) -> tuple[list[Plugin], list[Problem]]:
        """Load one more file; return what it defines, and what of it did not load."""
        self._load("operation")
        known = len(self.problems)
        source = self._read(path)
        if source is not None:
            self._load_source(source, path)
        origin, digest = str(path.resolve()), source.digest if source else ""
        plugins = [
            plugin
            for found in self._found.values()
            for plugin in found
            if origin == plugin.origin or digest == plugin.digest
        ]
        earlier = [problem for problem in self.problems[:known] if problem.origin == origin]
        return plugins, earlier + self.problems[known:]

    def add_sources(self, sources: Iterable[PluginSource], folder: Path) -> None:
        """Load plugins that came as plain data, writing each to ``folder`` first (so that tracebacks show lines)."""
        for source in sources:
            path = folder / f"{source.digest[:16]}_{Path(source.origin).name}"
            path.write_text(source.text, encoding="utf-8")
            self._load_source(source, path, try_out=False)

    def _load(self, kind: str, name: str | None = None) -> None:
        """Load what is registered for ``kind``; with a ``name``, of what comes with nas_rnn as little as that needs."""
        if not self._folders_loaded:
            self._folders_loaded = True
            for folder in self._folders:
                for path in sorted(folder.glob("*.py")):
                    source = None if path.name.startswith("_") else self._read(path)
                    if source is not None:
                        self._load_source(source, path)
        for group in ("operation", kind):  # any cell's text may use an operation that a plugin added
            if group not in self._waiting:
                self._waiting[group] = list(entry_points(group=GROUPS[group]))
            later = [e for e in self._waiting[group] if name is not None and _is_another(e, group, name)]
            now = [entry for entry in self._waiting[group] if entry not in later]
            self._waiting[group] = later
            for entry in now:
                self._load_entry(entry)

    def _read(self, path: Path) -> PluginSource | None:
        try:
            return PluginSource(str(path.resolve()), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(Problem(str(path), None, describe(error)))
            return None

    def _load_source(self, source: PluginSource, path: Path, *, try_out: bool = True) -> None:
        if any(source.digest == known.digest for known in self.sources):
            return
        name = f"nas_rnn_plugin_{source.digest[:16]}"
        home = PluginOrigin(source.origin, source.digest, "", path, name)
        module = self._import(home, lambda: _import_file(path, name))
        if isinstance(module, ModuleType):
            self.sources.append(source)
            version = getattr(module, "__version__", "")
            version = version if isinstance(version, str) else ""
            home = PluginOrigin(source.origin, source.digest, version, path, name)
            self._register_all(plugins_in(module), home, try_out=try_out)

    def _load_entry(self, entry: EntryPoint) -> None:
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an installed package"
        origin = f"{distribution} ({entry.value})"
        home = PluginOrigin(origin, "", "", None, entry.module.split(".")[0])
        loaded = self._import(home, entry.load)
        if loaded is None:
            return
        module = sys.modules.get(entry.module)
        file = Path(module.__file__) if module is not None and module.__file__ else None
        content = file.read_bytes() if file is not None and file.is_file() else b""
        digest = hashlib.sha256(origin.encode() + hashlib.sha256(content).digest()).hexdigest()
        home = PluginOrigin(origin, digest, entry.dist.version if entry.dist else "", file, home.module)
        found = plugins_in(loaded) if isinstance(loaded, ModuleType) else [(entry.name, loaded)]
        self._register_all(found, home, try_out=True)

    def _import(self, home: PluginOrigin, load: Callable[[], Any]) -> Any:
        """Return what ``load`` gives; None where that failed, with the reason noted and nothing left of it."""
        known_operations = operations()
        try:
            with stdout_to_stderr(), time_limit(self._limit(home), home.module):
                return load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            restore_operations(known_operations)
            origin, message = home.origin, describe(error)
            if home.file is not None:
                line = line_in(error, home.file)
            else:
                file, line = last_frame(error)
                origin = f"{origin}: {file}" if file else origin
            if isinstance(error, OperationClash):
                message += f"; the other one is in {_home_of(error.rejected.name)}"
                self._add(error.rejected, home)
            self.problems.append(Problem(origin, line, message))
            return None

    def _limit(self, home: PluginOrigin) -> float:
        # What comes with nas_rnn ends: where it takes long, the machine is busy, and a task must not be missing then.
        return math.inf if home.module == _OURS else self._seconds

    def _register_all(self, found: Iterable[tuple[str, Any]], home: PluginOrigin, *, try_out: bool) -> None:
        for name, value in found:
            try:
                with stdout_to_stderr(), time_limit(self._limit(home)):
                    reason = refusal(value) or self._register(value, home, try_out)
                line = None
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                told = describe(error)
                reason = told if name in told else f"{name!r}: {told}"
                line = line_in(error, home.file) if home.file else None
            if reason is not None:
                line = line or (definition_line(home.file, name) if home.file else None)
                problem = Problem(home.origin, line, reason)
                self.problems.append(problem)
                self._note_broken(value, problem)

    def _register(self, value: Any, home: PluginOrigin, try_out: bool) -> str | None:
        if isinstance(value, Operation):
            register_operation(value)
            _operation_homes.setdefault(value.name, home.origin)
        reason = unusable_sample(value) if try_out and value.plugin_kind == "space" else None
        if reason is None:
            self._add(value, home)
        return reason

    def _add(self, value: Any, home: PluginOrigin) -> None:
        known = self._found.setdefault((value.plugin_kind, value.name), [])
        if not any(plugin.value is value or plugin.value == value for plugin in known):
            file = None if home.file is None else str(home.file)
            known.append(
                Plugin(value.plugin_kind, value.name, value, home.origin, home.digest, home.version, file)
            )

    def _note_broken(self, value: Any, problem: Problem) -> None:
        # Statically: to read them may be what failed.
        kind, name = (inspect.getattr_static(value, part, None) for part in ("plugin_kind", "name"))
        if isinstance(kind, str) and isinstance(name, str):
            self._broken[kind, name] = problem


def _is_another(entry: EntryPoint, kind: str, name: str) -> bool:
    """Return whether ``entry``, not loaded yet, is known to give something else than the ``name`` of ``kind``.

    Tasks import torch and what their data need: to find one, the others are not worth seconds.
    """
    return kind in _ONE_EACH and entry.module.split(".")[0] == _OURS and entry.name != name


def _home_of(name: str) -> str:
    if name in BUILT_IN:
        return "nas_rnn itself"
    return _operation_homes.get(name, "another module of this process")


def _import_file(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module
