"""NSGA-II: who has children, what they are, and which spaces it takes."""

from __future__ import annotations

import optuna
import pytest

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import NSGA2
from nas_rnn.strategies.generations import Generations
from tests.strategies.small_spaces import Drawn, Mutable, conditional

gated = load_space("gated")


class Mutating(NSGA2):
    """No child has two parents."""

    crossover = 0.0


def steps(parent: Candidate, child: Candidate) -> int:
    """Return how many decisions differ of those that both made."""
    both = set(parent.decisions) & set(child.decisions)
    return sum(parent.decisions[key] != child.decisions[key] for key in both)


def relu_and_size(candidate: Candidate) -> tuple[float, float]:
    """Return a loss that is least for relu, and a cost that is least for small cells."""
    return float(candidate.decisions["candidate"] != "relu"), float(len(candidate.cell.nodes))


def told(strategy: NSGA2, losses, trials: int) -> list[Candidate]:
    """Return what ``strategy`` proposes when each proposal is told at once."""
    found = []
    for _ in range(trials):
        found.append(strategy.ask())
        strategy.tell_all(found[-1], losses(found[-1]))
    return found


def states(strategy: NSGA2) -> list[str]:
    return [trial.state.name for trial in strategy._study.get_trials(deepcopy=False)]


def test_it_proposes_what_is_good_at_both() -> None:
    early, late = [], []
    for seed in range(4):
        found = told(NSGA2(gated, seed), relu_and_size, 40)
        early += found[: NSGA2.population]
        late += found[-20:]
    share = lambda some: sum(one.decisions["candidate"] == "relu" for one in some) / len(some)
    size = lambda some: sum(len(one.cell.nodes) for one in some) / len(some)
    assert share(late) > 0.35  # by chance one of six
    assert size(late) < size(early) - 2


def test_children_are_mutations_of_those_that_no_other_beats_in_both() -> None:
    strategy = Mutating(gated, 0)
    first = [strategy.ask() for _ in range(5)]
    losses = [(3.0, 0.0), (0.0, 3.0), (1.0, 1.0), (4.0, 4.0), (5.0, 5.0)]
    for candidate, both in zip(first, losses, strict=True):
        strategy.tell_all(candidate, both)
    children = [strategy.ask() for _ in range(12)]
    assert all(min(steps(parent, child) for parent in first) <= 1 for child in children)
    for child in children:  # worse than all: they become nobody's parents
        strategy.tell_all(child, (9.0, 9.0))
    strategy.ask()
    parents = {strategy._members[trial.number].digest for trial in strategy._sampler.parents}
    assert {candidate.digest for candidate in first[:3]} <= parents


def test_a_child_of_two_has_the_decisions_of_both_but_one() -> None:
    class Crossing(NSGA2):
        crossover = 1.0

    parents = [one for one in map(gated.sample, range(80)) if one.decisions["memory"] == "cell"][:5]
    strategy = Crossing(gated, 0)
    for number, parent in enumerate(parents):
        strategy.tell_all(parent, (float(number), -float(number)))
    foreign = []
    for _ in range(20):
        child = strategy.ask()
        known = {(key, label) for parent in parents for key, label in parent.decisions.items()}
        questions = {key for parent in parents for key in parent.decisions}
        foreign.append(
            sum(key in questions and (key, label) not in known for key, label in child.decisions.items())
        )
    assert max(foreign) <= 1  # the one that was mutated


def test_the_first_generation_is_random() -> None:
    strategy = NSGA2(gated, 0)
    first = [strategy.ask() for _ in range(8)]  # more are under way than a generation has
    for number, candidate in enumerate(first[:4]):
        strategy.tell_all(candidate, (float(number), float(number)))
    strategy.ask()
    assert strategy._sampler.parents == []
    strategy.tell_all(first[4], (4.0, 4.0))
    strategy.ask()
    assert len(strategy._sampler.parents) == 5


@pytest.mark.parametrize("bad", [None, (float("nan"), 1.0), (0.5, float("inf"))])
def test_what_diverged_has_no_children(bad: tuple[float, ...] | None) -> None:
    strategy = NSGA2(gated, 0)
    told(strategy, lambda one: bad if one.decisions["memory"] == "none" else relu_and_size(one), 30)
    assert all(one.decisions["memory"] != "none" for one in strategy._members.values())
    assert states(strategy).count("COMPLETE") == len(strategy._members)
    assert "FAIL" in states(strategy) and "RUNNING" not in states(strategy)


def test_earlier_trials_count_as_its_own_and_none_twice() -> None:
    strategy = NSGA2(gated, 5)
    for seed in range(12):
        candidate = gated.sample(seed)
        for _ in range(2):  # once of a run, once of its copy
            strategy.tell_all(Candidate(candidate.cell, candidate.decisions), relu_and_size(candidate))
    digests = {gated.sample(seed).digest for seed in range(12)}
    assert states(strategy) == ["COMPLETE"] * len(digests)
    assert strategy.ask().digest not in digests
    sizes = [len(strategy._sampler.get_population(strategy._study, number)) for number in (0, 1)]
    assert sizes == [NSGA2.population] * 2


def test_quality_alone_will_do_as_well() -> None:
    strategy = NSGA2(conditional, 0)
    found = []
    for number in range(16):
        found.append(strategy.ask())
        strategy.tell(found[-1], float(number))
    assert len({one.digest for one in found}) == 16
    assert len(strategy._study.directions) == 1


def test_generations_are_optuna_s() -> None:
    """What is overridden there is what Optuna offers for it; its selection must still find its own populations."""
    sampler = Generations(4, 0)
    study = optuna.create_study(sampler=sampler, directions=["minimize", "minimize"])
    for number in range(13):
        trial = study.ask()
        assert bool(sampler.parents) == (number >= 4)
        study.tell(trial, [float(number % 4), float(number // 4)])
    assert [len(sampler.get_population(study, number)) for number in range(4)] == [4, 4, 4, 1]
    assert sorted(trial.number for trial in sampler.parents) == [0, 1, 4, 8]  # of 8 and 5 the first is an end


def test_cells_are_mutated_by_their_space() -> None:
    space = Mutable()
    strategy = NSGA2(space, 0)
    for number in range(5):
        strategy.tell_all(strategy.ask(), (float(number), -float(number)))
    space.sample = None
    assert isinstance(strategy.ask(), Candidate)


def test_a_space_that_cannot_mutate_is_refused_with_what_would_work() -> None:
    with pytest.raises(
        UserError, match=r"'nsga2' mutates candidates.*'drawn' has neither decisions nor.*'random' works"
    ):
        NSGA2(Drawn(), 0)
