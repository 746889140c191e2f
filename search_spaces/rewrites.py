"""Everything that small changes of a graph make of a known cell, as in Jozefowicz, Zaremba & Sutskever 2015 ("An
Empirical Exploration of Recurrent Network Architectures", section 3.1).

The space has no end: a random candidate is some changes away from a cell to start at, and evolution walks on from
there. By default that is the vanilla RNN; cells given with --start-from take its place.
"""

from dataclasses import replace

import numpy as np

from nas_rnn import UserError, load_cell
from nas_rnn.spaces import Candidate
from nas_rnn.spaces.rewriting import CHANGES, rewritten

MOST_VALUES = 40  # of a cell; the LSTM has 19
MOST_STATES = 4
LONGEST_WALK = 8
MAX_TRIES = 10_000


class Rewrites:
    """The space; strategies sample from it and mutate what they sampled."""

    plugin_kind = "space"
    name = "rewrites"
    doc = (
        "Whatever small changes of the graph make of a known cell: the vanilla RNN, or those of --start-from."
    )

    def __init__(self, starts=()):
        self._starts = tuple(starts)

    def starting_from(self, cells):
        """Return the same space with other cells to start at."""
        return Rewrites(cells)

    def sample(self, seed):
        """Return a candidate one to eight changes away from a cell to start at; equal seeds give equal candidates."""
        rng = np.random.default_rng(seed)
        starts = self._starts or (load_cell("rnn"),)
        cell = starts[int(rng.integers(len(starts)))]
        for _ in range(int(rng.integers(1, LONGEST_WALK + 1))):
            cell = self.mutate(cell, rng)
        return Candidate(cell)

    def mutate(self, cell, rng):
        """Return a neighbour of ``cell``: one change of its graph."""
        most_values, most_states = max(MOST_VALUES, len(cell.nodes)), max(MOST_STATES, len(cell.states))
        for _ in range(MAX_TRIES):
            changed = rewritten(cell, CHANGES[int(rng.integers(len(CHANGES)))], self.name, rng)
            if changed is None or len(changed.nodes) > most_values or len(changed.states) > most_states:
                continue
            return replace(changed, name=f"{self.name}_{changed.digest.rpartition('-')[2][:6]}")
        raise UserError(f"no single change makes {cell.name!r} another cell of {self.name}")


rewrites = Rewrites()
