"""All published cells that come with the package."""

from __future__ import annotations

import importlib
import pkgutil

from nas_rnn.cells import Cell, zoo


def zoo_cells() -> dict[str, Cell]:
    """Return name -> cell."""
    modules = [
        importlib.import_module(f"{zoo.__name__}.{info.name}") for info in pkgutil.iter_modules(zoo.__path__)
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Cell)]
    return {cell.name: cell for cell in found}
