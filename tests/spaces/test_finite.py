"""A space that is a list of cells."""

import numpy as np
import pytest

from nas_rnn.plugins import load_space
from nas_rnn.spaces import FiniteSpace, SpaceError
from nas_rnn.testing import check_space

gated = load_space("gated")
CELLS = [gated.sample(seed).cell for seed in range(40)]
SPACE = FiniteSpace("forty", [*CELLS, CELLS[0]], "Forty cells.")


def test_it_holds_each_cell_once_and_keeps_the_rules():
    assert len(SPACE.candidates) == len({cell.digest for cell in CELLS})
    assert check_space(SPACE) == []


def test_a_mutation_is_one_of_the_nearest_cells():
    rng = np.random.default_rng(0)
    found = {SPACE.mutate(CELLS[3], rng).digest for _ in range(200)}
    assert 5 < len(found) <= 10 and CELLS[3].digest not in found
    assert found <= {cell.digest for cell in CELLS}


def test_of_one_cell_the_mutation_is_that_cell():
    assert FiniteSpace("one", CELLS[:1]).mutate(CELLS[0], np.random.default_rng(0)) == CELLS[0]


def test_no_cells_and_foreign_cells_are_refused():
    with pytest.raises(SpaceError, match="'none' has no cells; give at least one"):
        FiniteSpace("none", [])
    with pytest.raises(SpaceError, match="is none of the"):
        SPACE.mutate(gated.sample(999).cell, np.random.default_rng(0))
