"""Random search draws without replacement and knows when a space is exhausted."""

import numpy as np
import pytest

from nas_rnn.cells import linear
from nas_rnn.cells.graph.operations import relu, sigmoid, tanh
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate, search_space
from nas_rnn.strategies import Exhausted, RandomSearch


@search_space
def uneven(choose, x, h):
    """Five combinations: one branch asks a second question."""
    act = choose("act", [tanh, relu])
    if act is tanh:
        inner = choose("inner", [tanh, relu, sigmoid])
        return act(linear(x, inner(linear(h))))
    return act(linear(x, h) * choose("times", range(1, 3)))


def drawn(strategy: RandomSearch) -> list[Candidate]:
    found = []
    with pytest.raises(Exhausted):
        while True:
            found.append(strategy.ask())
    return found


def test_it_proposes_every_combination_once_and_then_says_that_there_are_no_more():
    found = drawn(RandomSearch(uneven, seed=0))
    assert len(found) == 5
    assert len({tuple(sorted(c.decisions.items())) for c in found}) == 5


def test_what_it_was_told_of_is_not_proposed_again():
    first = RandomSearch(uneven, seed=0)
    told = [first.ask(), first.ask()]
    second = RandomSearch(uneven, seed=0)
    for candidate in told:
        second.tell(uneven.replay(candidate.decisions), 1.0)
    assert {c.digest for c in drawn(second)}.isdisjoint(c.digest for c in told)


def test_the_ablations_are_exhausted_after_all_nine():
    assert len(drawn(RandomSearch(load_space("lstm_ablations"), seed=3))) == 9


def test_a_space_that_samples_cells_without_decisions_ends_too():
    class TwoCells:
        plugin_kind = "space"
        name = "two"
        doc = ""

        def sample(self, seed):
            rng = np.random.default_rng(seed)
            cell = load_space("lstm_ablations").replay(
                {"variant": ["vanilla", "no_peepholes"][int(rng.integers(2))]}
            )
            return Candidate(cell.cell)

    assert len({c.digest for c in drawn(RandomSearch(TwoCells(), seed=0))}) == 2


def test_equal_seeds_propose_equal_candidates():
    one, two = (RandomSearch(load_space("gated"), seed=7) for _ in range(2))
    assert [one.ask().digest for _ in range(10)] == [two.ask().digest for _ in range(10)]
