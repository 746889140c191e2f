"""Data sets that come with sktime: its files are read, the package itself is not imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from nas_rnn.errors import UserError

NAMES = ("JapaneseVowels", "BasicMotions", "GunPoint", "ItalyPowerDemand")

INSTALL = 'pip install "nas_rnn[series]"'

PACKAGES = ("sktime", "aeon")
"""Packages that have the files in the same place, as both come from one."""


def bundled(name: str, install: str = INSTALL) -> tuple[Path, Path]:
    """Return the paths of a data set's training and test files; ``install`` is what a message tells to run.

    Raises:
        UserError: where no package has them.
    """
    for package in PACKAGES:
        found = importlib.util.find_spec(package)  # finds it without importing it, which would take seconds
        for place in (found.submodule_search_locations or ()) if found else ():
            folder = Path(place) / "datasets" / "data" / name
            pair = folder / f"{name}_TRAIN.ts", folder / f"{name}_TEST.ts"
            if all(path.is_file() for path in pair):
                return pair
    raise UserError(
        f"the embedded data set {name} comes with sktime; install it with: {install}; or give data of your own (--data)"
    )
