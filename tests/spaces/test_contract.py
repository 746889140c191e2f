"""The contract for search spaces: every built-in space keeps it, and each way of breaking it is told."""

import numpy as np
import pytest

from nas_rnn.cells import linear
from nas_rnn.cells.operations import relu, sigmoid, tanh
from nas_rnn.plugins import load_cell, load_space, registry
from nas_rnn.spaces import Candidate, search_space
from nas_rnn.testing import check_space
from nas_rnn.testing.spaces import examine_space

BUILT_IN = ["darts", "darts12", "enas", "gated", "lstm_ablations", "nas_bench_nlp", "nas_cell"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_space_keeps_the_contract(name):
    report = examine_space(load_space(name), samples=25)
    assert report.problems == ()
    assert report.cells > (4 if name == "lstm_ablations" else 18)


def test_the_list_of_built_in_spaces_is_whole():
    assert set(BUILT_IN) <= set(registry().names("space"))
    assert not [problem for problem in registry().problems if "search_spaces" in problem.origin]


class Cells:
    """A space on cells; what it gives can be swapped for something that breaks the contract."""

    plugin_kind = "space"
    name = "cells"
    doc = "Two cells."

    def __init__(self, sample=None):
        self._sample = sample or (lambda rng: load_cell(["gru", "lstm"][int(rng.integers(2))]))

    def sample(self, seed):
        return Candidate(self._sample(np.random.default_rng(seed)))


class Mutable(Cells):
    def mutate(self, cell, rng):
        return cell


def test_a_space_on_cells_that_keeps_the_contract_passes():
    assert check_space(Cells(), samples=20) == []


def test_a_space_of_one_cell_is_told():
    assert check_space(Cells(lambda rng: load_cell("gru")), samples=5) == ["all 5 samples are the same cell"]


def test_a_sample_that_hangs_on_more_than_the_seed_is_told():
    unruly = np.random.default_rng()
    cells = [load_cell(name) for name in ("gru", "lstm", "rnn")]
    problems = check_space(Cells(lambda rng: cells[int(unruly.integers(3))]), samples=50)
    assert any("the same seed gives another candidate" in text for text in problems)
    assert "and perhaps more" in problems[-1]


def test_a_mutation_that_changes_nothing_is_told():
    assert any("mutate gives the same cell" in text for text in check_space(Mutable(), samples=2))


def test_decisions_that_do_not_give_the_cell_again_are_told():
    unruly = np.random.default_rng(0)

    @search_space
    def hidden_dice(choose, x, h):
        """Throws a die of its own."""
        act = choose("act", [tanh, relu])
        return act(linear(x, h)) if unruly.random() < 0.5 else sigmoid(linear(x, h))

    problems = check_space(hidden_dice, samples=20)
    assert any("replaying the decisions gives another candidate" in text for text in problems)


def test_a_sample_that_raises_is_told_with_its_seed():
    @search_space
    def breaks(choose, x, h):
        """Breaks a rule of the language now and then."""
        return linear(x, h) if choose("sized", ["yes", "no"]) == "yes" else x

    problems = check_space(breaks, samples=10)
    assert any(text.startswith("sample(") and "CellError" in text for text in problems)


def test_names_and_descriptions_are_checked():
    space = Cells()
    space.name, space.doc = "two cells", ""
    told = check_space(space, samples=5)
    assert any("a space's name is an identifier, not 'two cells'" in text for text in told)
    assert any("no description" in text for text in told)
    assert "is no search space" in check_space(object(), samples=5)[0]


def test_the_report_counts_cells_and_time():
    report = examine_space(Cells(), samples=20)
    assert (report.samples, report.cells) == (20, 2)
    assert str(report).startswith("20 samples, 2 different cells, ")
