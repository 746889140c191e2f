"""Published cells, each as its equations with its paper; found through the same door as anybody's cells.

A file holds one family, named by its ``FAMILY``; a docstring names the authors and the year, as in
"(Cho et al. 2014)".
"""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

from nas_rnn.cells.cell import Cell


def family(cell: Cell) -> str:
    """Return the family of a published cell, empty for any other."""
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        if getattr(module, cell.name, None) == cell:
            return str(module.FAMILY)
    return ""


def year(cell: Cell) -> int | None:
    """Return the year of the first "(Authors 2014)" in the cell's docstring; None where there is none."""
    found = re.search(r"\([^\W\d_][^()]*? ((?:19|20)\d\d)\b", cell.doc)
    return int(found[1]) if found else None
