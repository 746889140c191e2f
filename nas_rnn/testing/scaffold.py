"""`nas-rnn new`: writes the first version of a plugin, which works and says what to change."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Final

import nas_rnn
from nas_rnn import plugins
from nas_rnn.cells.operations import RESERVED, operations
from nas_rnn.errors import NasRnnError, UserError, suggest
from nas_rnn.plugins import GROUPS

KINDS: Final = {"space": "space", "cell": "cell", "task": "task", "op": "operation", "strategy": "strategy"}
"""The words of the command line and the kinds of plugin that they stand for."""

LONGEST: Final = 100
_WITH_DASHES = ("task", "strategy")
_TEMPLATES = Path(__file__).parent / "templates"


def new(kind: str, name: str, folder: Path) -> Path:
    """Write ``folder/name.py``, a working plugin of ``kind`` (one of `KINDS`); return its path.

    Raises `UserError` for a name that cannot be used or is taken, and where the file exists; NasRnnError where it
    cannot be written.
    """
    if kind not in KINDS:
        raise UserError(f"there is no kind of plugin called {kind!r}{suggest(kind, KINDS)}")
    _check_name(kind, name)
    path = folder / f"{name.replace('-', '_')}.py"
    if path.exists():
        raise UserError(f"there is a file {str(path)!r} already; choose another name, or edit that file")
    _check_free(kind, name, folder)
    text = (_TEMPLATES / f"{KINDS[kind]}.txt").read_text(encoding="utf-8")
    words = {
        "NAME": name,
        "TEX": name.replace("_", r"\_"),
        "CLASS": "".join(part.capitalize() for part in re.split("[-_]", name)),
    }
    text = re.sub(f"__({'|'.join(words)})__", lambda found: words[found[1]], text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{str(folder)!r} is no folder; --dir takes a folder for .py files") from None
    except OSError as error:
        raise NasRnnError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def _check_name(kind: str, name: str) -> None:
    dashes = KINDS[kind] in _WITH_DASHES
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*" if dashes else r"[A-Za-z][A-Za-z0-9_]*", name):
        allowed = "letters, digits, '_' and '-'" if dashes else "letters, digits and '_'"
        example = "my-task" if dashes else f"my_{kind}"
        raise UserError(
            f"the name of a {KINDS[kind]} begins with a letter and has only {allowed}, not {name!r}; "
            f"such as {example!r}"
        )
    if len(name) > LONGEST:
        raise UserError(f"the name of a {KINDS[kind]} has at most {LONGEST} characters, not {len(name)}")
    if keyword.iskeyword(name) or name in RESERVED or name in operations() or name in nas_rnn.__all__:
        raise UserError(
            f"{name!r} is a word of Python or of the cell language; choose another, such as 'my_{name}'"
        )


def _check_free(kind: str, name: str, folder: Path) -> None:
    """Raise `UserError` where ``name`` is registered, also in ``folder`` (which ``--plugins`` may name later)."""
    registry = plugins.use_folders([folder]) if folder.is_dir() else plugins.registry()
    if name in registry.names(KINDS[kind]):
        origin = registry.find(KINDS[kind], name).origin
        raise UserError(f"there is a {KINDS[kind]} {name!r} already, in {origin}; choose another name")
    assert KINDS[kind] in GROUPS
