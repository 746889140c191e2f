"""Evolution: who is a parent, who dies, and which cells are proposed."""

import pytest

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Evolution
from tests.strategies.small_spaces import Drawn, Mutable, conditional

gated = load_space("gated")


class Few(Evolution):
    """A population of three, of which (almost surely) all are drawn for a tournament."""

    population, sample, start = 3, 50, 3


def steps(parent: Candidate, child: Candidate) -> int:
    """Return how many decisions differ of those that both made."""
    both = set(parent.decisions) & set(child.decisions)
    return sum(parent.decisions[key] != child.decisions[key] for key in both)


def test_the_children_are_mutations_of_the_best():
    strategy = Few(gated, 0)
    first = [strategy.ask() for _ in range(3)]
    for candidate, loss in zip(first, (3.0, 1.0, 2.0), strict=True):
        strategy.tell(candidate, loss)
    assert {steps(first[1], strategy.ask()) for _ in range(10)} == {1}


def test_the_oldest_dies_also_when_it_is_the_best():
    strategy = Few(gated, 0)
    first = [strategy.ask() for _ in range(3)]
    for candidate, loss in zip(first, (1.0, 3.0, 2.0), strict=True):
        strategy.tell(candidate, loss)
    strategy.tell(strategy.ask(), 4.0)
    assert {steps(first[2], strategy.ask()) for _ in range(10)} == {1}


@pytest.mark.parametrize("loss", [None, float("nan"), float("inf")])
def test_what_diverged_has_no_children_and_pushes_nobody_out(loss):
    strategy = Few(gated, 0)
    first = [strategy.ask() for _ in range(3)]
    for candidate in first:
        strategy.tell(candidate, 1.0 if candidate is first[0] else 2.0)
    for _ in range(5):
        strategy.tell(strategy.ask(), loss)
    assert {steps(first[0], strategy.ask()) for _ in range(10)} == {1}


def test_the_population_comes_back_when_earlier_trials_are_told():
    told = [(gated.sample(seed), float(loss)) for seed, loss in enumerate((5, 4, 1, 2, 3))]
    strategy = Few(gated, 9)
    for candidate, loss in told:
        strategy.tell(Candidate(candidate.cell, candidate.decisions), loss)
    assert {steps(told[2][0], strategy.ask()) for _ in range(10)} == {1}


def test_candidates_that_are_under_way_after_a_resume_count_as_started():
    strategy = Few(gated, 0)
    best = gated.sample(0)
    strategy.tell(best, 1.0)
    for seed in (1, 2):
        strategy.expect(gated.sample(seed))
    assert steps(best, strategy.ask()) == 1


def test_a_known_cell_is_never_proposed_and_a_used_up_neighbourhood_leads_elsewhere():
    strategy = Few(conditional, 0)
    found = []
    for _ in range(18):  # all cells of the space; only the first has children
        found.append(strategy.ask())
        strategy.tell(found[-1], 0.0 if len(found) == 1 else None)
    assert len({candidate.digest for candidate in found}) == 18
    assert max(steps(found[0], candidate) for candidate in found[1:]) > 1


def test_cells_are_mutated_by_their_space():
    space = Mutable()
    strategy = Few(space, 0)
    for _ in range(3):
        strategy.tell(strategy.ask(), 1.0)
    drawn, space.sample = space.sample, None
    assert isinstance(strategy.ask(), Candidate)
    space.sample = drawn


def test_a_space_that_cannot_mutate_is_refused_with_what_would_work():
    with pytest.raises(
        UserError, match=r"'drawn' has neither decisions nor mutate.*'random' works with every space"
    ):
        Evolution(Drawn(), 0)


def test_a_good_cell_from_elsewhere_that_the_space_cannot_read_has_no_children():
    """On decisions it has none to change; of `nas_bench_nlp` it has no recipe."""
    for space in (gated, load_space("nas_bench_nlp")):
        strategy = Few(space, 0)
        first = [strategy.ask() for _ in range(3)]
        for candidate, loss in zip(first, (3.0, 1.0, 2.0), strict=True):
            strategy.tell(candidate, loss)
        strategy.tell(Candidate(load_cell("slstm")), 0.5)
        children = [strategy.ask() for _ in range(4)]
        if space is gated:
            assert {steps(first[1], child) for child in children} == {1}
        assert "slstm" not in {member.cell.name for _, member in strategy._living}


def test_a_readable_cell_from_elsewhere_is_a_parent():
    strategy = Few(load_space("rewrites"), 0)
    for _ in range(3):
        strategy.tell(strategy.ask(), 1.0)
    strategy.tell(Candidate(load_cell("slstm")), 0.5)
    assert {len(strategy.ask().cell.states) for _ in range(4)} & {3, 4, 5}
