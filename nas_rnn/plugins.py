"""Finds what others register: cells, search spaces, tasks, strategies and operations.

There are two discoverers and one registry. Installed packages name objects or modules under the entry-point groups in
`GROUPS`; folders hold ``.py`` files (names that begin with ``_`` are skipped). Whatever a module defines with a
``plugin_kind`` is registered under its ``name``; the built-ins come in through the same doors. A plugin that breaks is
recorded in `Registry.problems`, and the others still load.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from nas_rnn.cells import Cell, Operation, parse_cell, register_operation
from nas_rnn.cells.operations import BUILT_IN
from nas_rnn.errors import UserError, unknown

GROUPS = {
    "cell": "nas_rnn.cells",
    "space": "nas_rnn.spaces",
    "task": "nas_rnn.tasks",
    "strategy": "nas_rnn.strategies",
    "operation": "nas_rnn.ops",
}
"""Each kind of plugin and the entry-point group in which installed packages name theirs."""


@dataclass(frozen=True)
class Plugin:
    """A registered object, and where it came from: a file's path or a package with its version."""

    kind: str
    name: str
    value: Any
    origin: str
    digest: str


@dataclass(frozen=True)
class Problem:
    """A plugin that did not load: where, and why in one line."""

    origin: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.origin if self.line is None else f"{self.origin}, line {self.line}"
        return f"plugin not loaded: {place}: {self.message}"


@dataclass(frozen=True)
class PluginSource:
    """A file plugin as plain data, as it travels to workers."""

    origin: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class Registry:
    """What is registered, from installed packages and from ``folders``."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.problems: list[Problem] = []
        self.sources: list[PluginSource] = []
        self._folders = list(folders)
        self._found: dict[tuple[str, str], list[Plugin]] = {}
        self._loaded_groups: set[str] = set()
        self._folders_loaded = False

    def names(self, kind: str) -> list[str]:
        """Return the names registered for ``kind``, sorted."""
        self._load(kind)
        return sorted(name for found_kind, name in self._found if found_kind == kind)

    def find(self, kind: str, name: str) -> Plugin:
        """Return the plugin ``name`` of ``kind``; `UserError` where there is none or two different ones."""
        self._load(kind)
        found = self._found.get((kind, name), [])
        if not found:
            raise unknown(kind, name, self.names(kind))
        if len(found) > 1:
            places = " and ".join(plugin.origin for plugin in found)
            raise UserError(f"two different {kind}s are named {name!r}: in {places}; rename or remove one")
        return found[0]

    def add_sources(self, sources: Iterable[PluginSource], folder: Path) -> None:
        """Load plugins that came as plain data, writing each to ``folder`` first (so that tracebacks show lines)."""
        for source in sources:
            path = folder / f"{source.digest[:16]}_{Path(source.origin).name}"
            path.write_text(source.text, encoding="utf-8")
            self._load_source(source, path)

    def _load(self, kind: str) -> None:
        if not self._folders_loaded:
            self._folders_loaded = True
            for folder in self._folders:
                self._load_folder(folder)
        for group in ("operation", kind):  # any cell's text may use an operation that a plugin added
            if group not in self._loaded_groups:
                self._loaded_groups.add(group)
                for entry in entry_points(group=GROUPS[group]):
                    self._load_entry(entry)

    def _load_folder(self, folder: Path) -> None:
        for path in sorted(folder.glob("*.py")):
            if path.name.startswith("_"):
                continue
            try:
                source = PluginSource(str(path.resolve()), path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(Problem(str(path), None, str(error)))
                continue
            self._load_source(source, path)

    def _load_source(self, source: PluginSource, path: Path) -> None:
        if any(source.digest == known.digest for known in self.sources):
            return
        try:
            module = _import_file(path, source.digest)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.problems.append(Problem(source.origin, _line_in(error, path), _describe(error)))
            return
        self.sources.append(source)
        self._register_all(_plugins_in(module), source.origin, source.digest)

    def _load_entry(self, entry: EntryPoint) -> None:
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an installed package"
        origin = f"{distribution} ({entry.value})"
        try:
            loaded = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            file, line = _last_frame(error)
            self.problems.append(Problem(f"{origin}: {file}" if file else origin, line, _describe(error)))
            return
        values = _plugins_in(loaded) if isinstance(loaded, ModuleType) else [loaded]
        self._register_all(values, origin, hashlib.sha256(origin.encode()).hexdigest())

    def _register_all(self, values: Iterable[Any], origin: str, digest: str) -> None:
        for value in values:
            kind, name = getattr(value, "plugin_kind", None), getattr(value, "name", None)
            if kind not in GROUPS or not isinstance(name, str):
                self.problems.append(Problem(origin, None, f"{value!r} is none of {', '.join(GROUPS)}"))
                continue
            if isinstance(value, Operation):
                register_operation(value)
            known = self._found.setdefault((kind, name), [])
            if not any(plugin.value is value or plugin.value == value for plugin in known):
                known.append(Plugin(kind, name, value, origin, digest))


def _import_file(path: Path, digest: str) -> ModuleType:
    name = f"nas_rnn_plugin_{digest[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _plugins_in(module: ModuleType) -> Iterator[Any]:
    """Yield what ``module`` defines or imports that can be registered; base classes and built-in rows cannot."""
    for name, value in vars(module).items():
        kind = getattr(value, "plugin_kind", None)
        if name.startswith("_") or kind is None or inspect.isabstract(value):
            continue
        is_type_of_values = inspect.isclass(value) and kind not in ("task", "strategy")
        is_built_in_row = isinstance(value, Operation) and value.name in BUILT_IN
        if not is_type_of_values and not is_built_in_row:
            yield value


def _describe(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}); a plugin only defines things"
    return f"{type(error).__name__}: {error}"


def _last_frame(error: BaseException) -> tuple[str | None, int | None]:
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].filename, frames[-1].lineno) if frames else (None, None)


def _line_in(error: BaseException, path: Path) -> int | None:
    """Return the line of ``path`` at which ``error`` arose."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == path:
        return error.lineno
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == path]
    return frames[-1].lineno if frames else None


def default_folders() -> list[Path]:
    """Return the folders searched without being asked: the built-in spaces, then ``search_spaces/`` here."""
    package = Path(__file__).resolve().parent
    candidates = [package / "search_spaces", package.parent / "search_spaces", Path.cwd() / "search_spaces"]
    folders: list[Path] = []
    for folder in candidates:
        if folder.is_dir() and folder.resolve() not in folders:
            folders.append(folder.resolve())
    return folders


_registry: Registry | None = None


def registry() -> Registry:
    """Return the registry of this process, made on first use from the default folders."""
    global _registry
    if _registry is None:
        _registry = Registry(default_folders())
    return _registry


def use_folders(folders: Sequence[str | Path]) -> Registry:
    """Make the registry anew from the default folders and ``folders``; `UserError` for one that is no folder."""
    global _registry
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise UserError(f"--plugins takes a folder of .py files; {str(path)!r} is not a folder")
    _registry = Registry([*default_folders(), *(path.resolve() for path in paths)])
    return _registry


def use_sources(sources: Iterable[PluginSource], folder: Path) -> Registry:
    """Make the registry of a worker from installed packages and from ``sources`` that the driver sent."""
    global _registry
    _registry = Registry()
    _registry.add_sources(sources, folder)
    _registry.names("operation")
    return _registry


def load_cell(name_or_path: str | Path) -> Cell:
    """Return the registered cell of that name, or the one in that ``.cell`` file; `UserError` otherwise."""
    path = Path(name_or_path)
    if path.suffix != ".cell" and len(path.parts) == 1 and not path.is_file():
        cell = registry().find("cell", str(name_or_path)).value
        assert isinstance(cell, Cell)
        return cell
    registry().names("operation")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"there is no file {str(path)!r}; give a .cell file or the name of a known cell"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the cell file {str(path)!r}: {error}") from None
    try:
        return parse_cell(text)
    except UserError as error:
        raise type(error)(f"{path}: {error}") from None


def load_space(name: str) -> Any:
    """Return the registered search space of that name; `UserError` with the nearest names otherwise."""
    return registry().find("space", name).value
