"""NSGA-II: who has children, what they inherit, and which spaces it takes."""

from __future__ import annotations

import optuna
import pytest

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import NSGA2
from nas_rnn.strategies.crossing import CrossingSampler
from tests.strategies.small_spaces import Drawn, Mutable, conditional

gated = load_space("gated")


def relu_and_size(candidate: Candidate) -> tuple[float, float]:
    """Return a loss that likes relu, and a cost that likes small cells; no two losses are equal."""
    noise = int(candidate.digest.rpartition("-")[2][:6], 16) / 16**6
    return noise + float(candidate.decisions["candidate"] != "relu"), float(len(candidate.cell.nodes))


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
        found = told(NSGA2(gated, seed), relu_and_size, 50)
        early += found[:10]
        late += found[-20:]
    share = lambda some: sum(one.decisions["candidate"] == "relu" for one in some) / len(some)
    size = lambda some: sum(len(one.cell.nodes) for one in some) / len(some)
    assert share(late) > 0.35 > share(early)  # by chance one of six
    assert size(late) < size(early) - 2


def test_a_child_has_every_decision_from_a_parent_but_those_that_were_drawn_anew() -> None:
    """Also decisions that not all candidates make: of two parents with a cell state the child keeps the peepholes."""
    parents = [gated.sample(seed) for seed in range(60)]
    parents = [one for one in parents if one.decisions["memory"] == "cell"][: NSGA2.population]
    assert len(parents) == NSGA2.population
    inherited, questions = 0, 0
    for seed in range(8):
        strategy = NSGA2(gated, seed)
        for number, parent in enumerate(parents):
            strategy.tell_all(parent, (float(number), -float(number)))
        child = strategy.ask()
        for key, label in child.decisions.items():
            known = {parent.decisions[key] for parent in parents if key in parent.decisions}
            questions += 1
            inherited += label in known
    assert inherited > 0.9 * questions


def test_the_first_generation_is_random_and_its_front_has_the_children() -> None:
    strategy = NSGA2(gated, 0)
    first = [strategy.ask() for _ in range(NSGA2.population)]
    assert strategy._study is None
    for number, candidate in enumerate(first):
        strategy.tell_all(candidate, (float(number), float(number)))
    child = strategy.ask()
    assert child.digest not in {candidate.digest for candidate in first}
    assert states(strategy) == ["COMPLETE"] * NSGA2.population + ["RUNNING"]


@pytest.mark.parametrize("bad", [None, (float("nan"), 1.0), (0.5, float("inf"))])
def test_what_diverged_has_no_children(bad: tuple[float, ...] | None) -> None:
    strategy = NSGA2(gated, 0)
    told(strategy, lambda one: bad if one.decisions["memory"] == "none" else relu_and_size(one), 40)
    complete = [trial for trial in strategy._study.trials if trial.state.name == "COMPLETE"]
    assert complete and all(trial.params["memory"] != "none" for trial in complete)
    assert "RUNNING" not in states(strategy)


def test_earlier_trials_count_as_its_own_and_none_twice() -> None:
    strategy = NSGA2(gated, 5)
    for seed in range(20):
        candidate = gated.sample(seed)
        for _ in range(2):  # once of a run, once of its copy
            strategy.tell_all(candidate, relu_and_size(candidate))
    digests = {gated.sample(seed).digest for seed in range(20)}
    assert states(strategy) == ["COMPLETE"] * len(digests)
    assert strategy.ask().digest not in digests
    sampler = strategy._study.sampler
    assert len(sampler.get_population(strategy._study, 0)) == NSGA2.population
    assert len(sampler.get_population(strategy._study, 1)) == len(digests) - NSGA2.population


def test_quality_alone_will_do_as_well() -> None:
    strategy = NSGA2(conditional, 0)
    found = []
    for number in range(16):
        found.append(strategy.ask())
        strategy.tell(found[-1], float(number))
    assert len({one.digest for one in found}) == 16
    assert len(strategy._study.directions) == 1


def test_the_sampler_s_generations_are_optuna_s() -> None:
    """What the sampler overrides is what Optuna offers for it; its selection must find its own populations."""
    study = optuna.create_study(sampler=CrossingSampler(4, 0), directions=["minimize", "minimize"])
    for _ in range(13):
        trial = study.ask()
        x = trial.suggest_int("x", 0, 9)
        study.tell(trial, [float(x), float(9 - x)])
    sampler = study.sampler
    assert [len(sampler.get_population(study, number)) for number in range(4)] == [4, 4, 4, 1]
    assert len(sampler.get_parent_population(study, 2)) == 4


@pytest.mark.parametrize("space", [Drawn(), Mutable()], ids=lambda space: space.name)
def test_a_space_of_cells_is_refused_with_what_would_work(space: Drawn) -> None:
    with pytest.raises(UserError, match=r"'nsga2' crosses decisions.*'random' works with every space"):
        NSGA2(space, 0)
