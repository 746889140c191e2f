"""A task's net as source for torch alone: a copy of the modules that define it, and plain values beside it."""

from __future__ import annotations

import ast
import inspect
import math
import pprint
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from nas_rnn.errors import NasRnnError
from nas_rnn.outside import parse_module
from nas_rnn.tasks import PlainNet

MAKE_RNN = '''\
def make_rnn(input_size: int, *, bidirectional: bool = False) -> RNN:
    """Return the recurrent layers, for inputs of this size."""
    return RNN(input_size, bidirectional=bidirectional)
'''


def require_no_data(plain: PlainNet) -> None:
    """Raise NasRnnError where a name or the usage could not be a task's own words: they are written as they are."""
    names = [plain.name, *plain.arguments, *plain.constants]
    wrong = [name for name in names if not (isinstance(name, str) and name.isidentifier() and name.isascii())]
    plain_text = plain.usage.isascii() and plain.usage.isprintable()
    if wrong or not plain_text or '"""' in plain.usage or "\\" in plain.usage:
        raise NasRnnError(
            f"the task's net cannot be written into a file: {(wrong or [plain.usage])[0]!a} is no name and no "
            "plain text; what comes from data belongs into its constants"
        )


def net_source(plain: PlainNet) -> tuple[list[str], str]:
    """Return the lines that import what the net needs, and its source.

    Raises:
        NasRnnError: where one of its modules imports anything but torch and the standard library.
    """
    require_no_data(plain)
    copied = [_copied(module) for module in plain.modules]
    imports = list(dict.fromkeys(line for lines, _ in copied for line in lines))
    constants = "\n".join(f"{name} = {literal(value)}" for name, value in plain.constants.items())
    bodies = [body for _, body in copied]
    return imports, "\n\n".join(part for part in (*bodies, constants and f"{constants}\n", MAKE_RNN) if part)


def net_call(plain: PlainNet) -> str:
    """Return the expression that makes the net."""
    arguments = "".join(f", {name}={literal(value)}" for name, value in plain.arguments.items())
    return f"{plain.name}(make_rnn{arguments})"


def literal(value: Any) -> str:
    """Return plain data as a Python literal in ASCII: whatever a text holds, it stays a text.

    Raises:
        NasRnnError: for anything but finite numbers, texts, truth values, None, and lists and mappings of these.
    """
    if not _is_plain(value):
        raise NasRnnError(f"only plain values can be written into a file, not a {type(value).__name__}")
    if isinstance(value, str):
        return ascii(value)
    return pprint.pformat(value, width=100, compact=True).encode("ascii", "backslashreplace").decode()


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _copied(module: ModuleType) -> tuple[list[str], str]:
    """Return a module's imports, and its source without them and without its docstring."""
    source = inspect.getsource(module)
    lines = source.split("\n")
    imports = list[str]()
    tree = parse_module(source)
    for place, node in enumerate(tree.body):
        is_docstring = place == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom):
            _require_torch_alone(module, node)
            if not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
                imports.append(ast.unparse(node))
        elif not is_docstring:
            continue
        for number in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    return imports, "\n".join(lines).strip("\n") + "\n"


def _require_torch_alone(module: ModuleType, node: ast.Import | ast.ImportFrom) -> None:
    names = [node.module or "."] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    for name in names:
        root = name.split(".")[0]
        if (isinstance(node, ast.ImportFrom) and node.level) or not (
            root == "torch" or root in sys.stdlib_module_names
        ):
            raise NasRnnError(
                f"{module.__name__} imports {name}, and a net that is exported may import torch and the standard "
                "library alone"
            )
