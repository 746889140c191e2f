"""How a space changes one of its candidates a little."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.spaces import Candidate, DecisionSpace, Infeasible, Space

Mutate = Callable[[Candidate, np.random.Generator], Candidate | None]
"""Returns a neighbour of a candidate; None where the space cannot read this one, which came from elsewhere."""


def mutation_of(space: Space, strategy: str) -> Mutate:
    """Return how ``space`` mutates a candidate: by its decisions, or with ``space.mutate(cell, rng)``.

    `UserError` where it has neither, which tells that ``strategy`` needs it.
    """
    mutate = find_mutation(space)
    if mutate is None:
        raise UserError(
            f"the strategy {strategy!r} mutates candidates, and the space {space.name!r} has neither decisions nor "
            "mutate(cell, rng); the strategy 'random' works with every space"
        )
    return mutate


def find_mutation(space: Space) -> Mutate | None:
    """As `mutation_of`; None where the space cannot mutate."""
    if isinstance(space, DecisionSpace):
        decisions = space
        return lambda candidate, rng: (
            None if candidate.decisions is None else decisions.mutate(candidate, rng)
        )
    mutate = getattr(space, "mutate", None)
    if not callable(mutate):
        return None

    def mutate_cell(candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        try:
            child: Cell | Candidate = mutate(candidate.cell, rng)
        except Infeasible:
            raise
        except UserError:
            return None
        return Candidate(child) if isinstance(child, Cell) else child

    return mutate_cell
