"""Traits of many cells as a matrix, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FARTHEST = 3.0
"""In standard deviations: rare traits would else outweigh all others."""

Row = Mapping[str, float]
"""The traits of one cell by name; what is missing is 0."""


@dataclass(frozen=True)
class TraitTable:
    """What a set of cells differs in: the names of these traits, each with its mean and deviation."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def encode(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Return (rows, names): deviations from the mean, `FARTHEST` at most."""
        return self._standardised(_values(rows, self.names))

    def _standardised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((values - self.mean) / self.deviation).clip(-FARTHEST, FARTHEST)


def trait_table(rows: Sequence[Row]) -> tuple[TraitTable, NDArray[np.float64]]:
    """Return the table that ``rows`` make, and these rows in it, as `TraitTable.encode` gives them."""
    names = tuple(sorted({name for row in rows for name in row}))
    values = _values(rows, names)
    differs = values.std(axis=0) > 0
    kept = values[:, differs]
    table = TraitTable(
        tuple(name for name, varies in zip(names, differs, strict=True) if varies),
        kept.mean(axis=0),
        kept.std(axis=0),
    )
    return table, table._standardised(kept)


def _values(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[row.get(name, 0.0) for name in names] for row in rows]).reshape(len(rows), len(names))
