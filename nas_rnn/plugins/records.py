"""What the registry holds: plugins, where they came from, and what did not load."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_rnn.outside import parse_module

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
    """A registered object, and where it came from: a file's path or a package with its version.

    ``digest`` changes with the content of ``file`` (and, in a package, with its version); ``version`` is the
    package's, or a file's ``__version__``, or empty.
    """

    kind: str
    name: str
    value: Any
    origin: str
    digest: str
    version: str = ""
    file: str | None = None

    @property
    def line(self) -> int | None:
        """The line of `file` that defines it, where that can be found."""
        return definition_line(Path(self.file), self.name) if self.file else None


@dataclass(frozen=True)
class Problem:
    """A plugin that did not load: where, and why in one line."""

    origin: str
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"plugin not loaded: {self.place}: {self.message}"

    @property
    def place(self) -> str:
        return place(self.origin, self.line)


@dataclass(frozen=True)
class PluginSource:
    """A file plugin as plain data, as it travels to workers."""

    origin: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class PluginOrigin:
    """Where a module's plugins come from: what they share of `Plugin`, and the module's name."""

    origin: str
    digest: str
    version: str
    file: Path | None
    module: str


def place(origin: str, line: int | None) -> str:
    """Return ``origin, line 7``, or ``origin`` where no line is known."""
    return origin if line is None else f"{origin}, line {line}"


def definition_line(path: Path, name: str) -> int | None:
    """Return the line of ``path`` that defines ``name``: a function, class or assignment, or a text that says it."""
    try:
        nodes = list(ast.walk(parse_module(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node.lineno
    for node in nodes:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", None) == name for t in node.targets):
            return node.lineno
    for node in nodes:
        if isinstance(node, ast.Constant) and node.value == name:
            return node.lineno
    return None
