"""What takes long to make and is only read is made once in a whole run of the tests, also by several processes."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

T = TypeVar("T")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """Return what ``make(folder)`` returned when it was first called for ``name``, as a copy through pickle.

    The folder stays; it is everybody's, so nothing in it may be changed.
    """
    base = factory.getbasetemp()
    if base.name.startswith("popen-"):  # of one of pytest-xdist's workers, beside those of the others
        base = base.parent
    folder, value = base / name, base / f"{name}.pickle"
    with FileLock(base / f".{name}.lock"):
        if not value.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another test process, which failed
            folder.mkdir()
            made = make(folder)
            value.write_bytes(pickle.dumps(made))
        return pickle.loads(value.read_bytes())  # type: ignore[no-any-return]
