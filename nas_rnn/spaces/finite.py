"""A space that is a list of cells: a benchmark's pool, or a choice of cells that somebody made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_rnn.cells import Cell
from nas_rnn.cells.traits import traits
from nas_rnn.cells.traits.table import trait_table
from nas_rnn.spaces.choices import SpaceError
from nas_rnn.spaces.space import Candidate

NEIGHBOURS = 10
"""From so many of the cells nearest to it a mutation of a cell is drawn."""


class FiniteSpace:
    """The different cells of ``cells``; a mutation of one is another with similar traits.

    Raises `SpaceError` for an empty list.
    """

    plugin_kind: ClassVar[str] = "space"

    def __init__(self, name: str, cells: Sequence[Cell], doc: str = "") -> None:
        if not cells:
            raise SpaceError(f"the space {name!r} has no cells; give at least one")
        self.name = name
        self.doc = doc
        self.candidates = tuple(Candidate(cell) for cell in {cell.digest: cell for cell in cells}.values())
        self._places = {candidate.digest: place for place, candidate in enumerate(self.candidates)}

    def sample(self, seed: int | np.random.Generator) -> Candidate:
        """Return one of the cells, each with the same chance; equal seeds give equal candidates."""
        rng = np.random.default_rng(seed)
        return self.candidates[int(rng.integers(len(self.candidates)))]

    def mutate(self, cell: Cell, rng: np.random.Generator) -> Cell:
        """Return one of the cells nearest to ``cell``; `SpaceError` where it is none of the space's."""
        place = self._places.get(cell.digest)
        if place is None:
            raise SpaceError(f"the cell {cell.name!r} is none of the {len(self.candidates)} of {self.name!r}")
        near = self._neighbours(place)
        return self.candidates[int(near[int(rng.integers(len(near)))])].cell if len(near) else cell

    def _neighbours(self, place: int) -> NDArray[np.intp]:
        distances = ((self._traits - self._traits[place]) ** 2).sum(axis=1)
        distances[place] = np.inf
        return np.argsort(distances, kind="stable")[: min(NEIGHBOURS, len(distances) - 1)]

    @cached_property
    def _traits(self) -> NDArray[np.float64]:
        return trait_table([traits(candidate.cell) for candidate in self.candidates])[1]
