"""Local search: whose neighbours are tried, and when those of the next best are."""

import pytest

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_space
from nas_rnn.strategies import LocalSearch
from tests.strategies.small_spaces import Drawn, uneven
from tests.strategies.test_evolution import steps

gated = load_space("gated")


class Few(LocalSearch):
    start, children = 3, 4


def begun(*losses):
    strategy = Few(gated, 0)
    first = [strategy.ask() for _ in losses]
    for candidate, loss in zip(first, losses, strict=True):
        strategy.tell(candidate, loss)
    return strategy, first


def test_it_tries_neighbours_of_the_best_then_of_the_next():
    strategy, first = begun(3.0, 1.0, 2.0)
    asked = [strategy.ask() for _ in range(8)]
    for child in asked:
        strategy.tell(child, 4.0)
    assert {steps(first[1], child) for child in asked[:4]} == {1}
    assert {steps(first[2], child) for child in asked[4:]} == {1}


def test_a_better_child_takes_the_place_at_once():
    strategy, _ = begun(3.0, 1.0, 2.0)
    child = strategy.ask()
    strategy.tell(child, 0.5)
    assert {steps(child, strategy.ask()) for _ in range(4)} == {1}


@pytest.mark.parametrize("loss", [None, float("nan"), float("inf")])
def test_what_diverged_has_no_children(loss):
    strategy, first = begun(1.0, loss, loss)
    assert {steps(first[0], strategy.ask()) for _ in range(4)} == {1}


def test_where_no_cell_has_neighbours_left_it_draws():
    strategy = Few(uneven, 0)
    found = []
    for _ in range(5):
        found.append(strategy.ask())
        strategy.tell(found[-1], 1.0)
    assert len({candidate.digest for candidate in found}) == 5


def test_a_space_without_mutation_is_refused():
    with pytest.raises(UserError, match="'local-search' mutates candidates, and the space 'drawn'"):
        LocalSearch(Drawn(), 0)
