"""Finds what others register: cells, search spaces, tasks, strategies and operations.

There are two discoverers and one registry. Installed packages name objects or modules under the entry-point groups in
`GROUPS`; folders hold ``.py`` files (names that begin with ``_`` are skipped). Whatever a module defines with a
``plugin_kind`` is registered under its ``name``; the built-ins come in through the same doors. A plugin that breaks is
recorded in `Registry.problems`, and the others still load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.errors import UserError
from nas_rnn.outside import reason_of, require_reachable
from nas_rnn.plugins.records import GROUPS, Plugin, PluginSource, Problem
from nas_rnn.plugins.registry import Registry
from nas_rnn.plugins.sandbox import PluginError, blame, running, stdout_to_stderr

__all__ = [
    "GROUPS",
    "Plugin",
    "PluginError",
    "PluginSource",
    "Problem",
    "Registry",
    "blame",
    "default_folders",
    "load_cell",
    "load_space",
    "registry",
    "running",
    "stdout_to_stderr",
    "use_folders",
    "use_sources",
]


def default_folders() -> list[Path]:
    """Return the folders searched without being asked: the built-in spaces, then ``search_spaces/`` here."""
    package = Path(__file__).resolve().parents[1]
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
        require_reachable(path)
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
        raise UserError(f"cannot read the cell file {str(path)!r}: {reason_of(error)}") from None
    try:
        return parse_cell(text)
    except UserError as error:
        raise type(error)(f"{path}: {error}") from None


def load_space(name: str) -> Any:
    """Return the registered search space of that name; `UserError` with the nearest names otherwise."""
    return registry().find("space", name).value
