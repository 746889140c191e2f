"""Traits of many cells as a matrix, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_rnn.cells.graph.nodes import CellGraph
from nas_rnn.cells.traits import traits

FARTHEST = 3.0
"""In standard deviations: rare traits would else outweigh all others."""


@dataclass(frozen=True)
class TraitTable:
    """What a set of cells has in common: the traits that differ among them, each with its mean and deviation."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def encode(self, cells: Sequence[CellGraph]) -> NDArray[np.float64]:
        """Return a row a cell: (cells, traits), in deviations from the mean, `FARTHEST` at most."""
        return self.standardised(_values([traits(cell) for cell in cells], self.names))

    def standardised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((values - self.mean) / self.deviation).clip(-FARTHEST, FARTHEST)


def trait_table(cells: Sequence[CellGraph]) -> tuple[TraitTable, NDArray[np.float64]]:
    """Return the table that ``cells`` make, and their own rows in it, as `TraitTable.encode` gives them."""
    found = [traits(cell) for cell in cells]
    names = tuple(sorted({name for row in found for name in row}))
    values = _values(found, names)
    differs = values.std(axis=0) > 0
    values = values[:, differs]
    table = TraitTable(
        tuple(name for name, kept in zip(names, differs, strict=True) if kept),
        values.mean(axis=0),
        values.std(axis=0),
    )
    return table, table.standardised(values)


def _values(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[row.get(name, 0.0) for name in names] for row in rows]).reshape(len(rows), len(names))
