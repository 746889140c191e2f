"""TPE: what it makes of candidates under way, of losses and of ranges, and which spaces it takes."""

import statistics

import optuna
import pytest

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import TPE
from tests.strategies.small_spaces import Drawn, Mutable, conditional

gated = load_space("gated")


def not_relu(candidate: Candidate) -> float:
    """Return a loss in which relu is worth 1 and everything else less; no two are equal."""
    noise = int(candidate.digest.rpartition("-")[2][:6], 16) / 16**6
    return noise + float(candidate.decisions["candidate"] != "relu")


def told(strategy: TPE, loss, trials: int = 40) -> list[Candidate]:
    """Return what ``strategy`` proposes when each proposal is told at once."""
    found = []
    for _ in range(trials):
        found.append(strategy.ask())
        strategy.tell(found[-1], loss(found[-1]))
    return found


def share(candidates: list[Candidate], key: str, label: str) -> float:
    return statistics.mean(candidate.decisions.get(key) == label for candidate in candidates)


def test_it_proposes_what_did_well():
    # By chance it is one of six.
    assert share(told(TPE(gated, 0), not_relu, 60)[-30:], "candidate", "relu") > 0.33


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_it_leaves_what_diverged_which_counts_as_the_worst(bad):
    strategy = TPE(gated, 0)
    found = told(strategy, lambda c: bad if c.decisions["memory"] == "none" else not_relu(c), 60)
    # By chance it is one of three.
    assert share(found[-30:], "memory", "none") < 0.22
    diverged = [trial for trial in strategy._study.trials if trial.params.get("memory") == "none"]
    assert {trial.value for trial in diverged if trial.state.name == "COMPLETE"} == {float("inf")}


def test_it_learns_from_earlier_trials_as_from_its_own():
    strategy = TPE(gated, 5)
    for seed in range(40):
        candidate = gated.sample(seed)
        strategy.tell(candidate, not_relu(candidate))
    assert share(told(strategy, not_relu, 20), "candidate", "relu") > 0.33


def test_candidates_under_way_are_all_different_and_count_as_bad_ones():
    strategy = TPE(gated, 0)
    told(strategy, not_relu)
    under_way = [strategy.ask() for _ in range(16)]
    assert len({candidate.digest for candidate in under_way}) == 16
    states = [trial.state for trial in strategy._study.get_trials(deepcopy=False)]
    assert states.count(optuna.trial.TrialState.RUNNING) == 16
    for candidate in reversed(under_way):
        strategy.tell(candidate, 1.0)
    states = [trial.state for trial in strategy._study.get_trials(deepcopy=False)]
    assert states.count(optuna.trial.TrialState.RUNNING) == 0


def test_a_trial_that_went_on_after_a_resume_counts_once_though_it_comes_back_without_questions():
    strategy, candidate = TPE(gated, 0), gated.sample(0)
    strategy.expect(candidate)
    strategy.tell(Candidate(candidate.cell, candidate.decisions), 0.5)
    (trial,) = strategy._study.trials
    assert (trial.value, trial.params) == (0.5, candidate.decisions)


def test_ranges_are_numbers_with_their_step():
    strategy = TPE(conditional, 0)
    told(strategy, lambda candidate: 1.0, trials=10)
    found = {}
    for trial in strategy._study.trials:
        found.update(trial.distributions)
    assert found["depth|plain"] == optuna.distributions.IntDistribution(1, 5, step=2)
    assert found["depth|deep"] == optuna.distributions.IntDistribution(0, 1)
    assert found["act|plain"] == optuna.distributions.CategoricalDistribution(("tanh", "relu"))


@pytest.mark.parametrize("space", [Drawn(), Mutable()], ids=lambda space: space.name)
def test_a_space_of_cells_is_refused_with_what_would_work(space):
    with pytest.raises(
        UserError, match=r"works on cells; the strategy 'random' works with every space, 'evolution'"
    ):
        TPE(space, 0)


class Forgetful(TPE):
    most, kept = 24, 12


def test_of_many_trials_it_knows_the_best_the_latest_and_those_under_way():
    strategy = Forgetful(gated, 0)
    first = strategy.ask()  # under way all the time
    found = told(strategy, not_relu, 60)
    known = [trial for trial in strategy._study.get_trials(deepcopy=False) if trial.value is not None]
    losses = sorted(not_relu(candidate) for candidate in found)
    assert len(strategy._study.trials) < Forgetful.most + Forgetful.attempts
    assert sorted(trial.value for trial in known)[:3] == pytest.approx(losses[:3])
    assert not_relu(found[-1]) in [pytest.approx(trial.value) for trial in known]
    strategy.tell(first, 0.0)
    assert strategy._study.best_value == 0.0 and not strategy._running
    (best,) = [trial for trial in strategy._study.trials if trial.value == 0.0]
    assert best.params == first.decisions


def test_it_still_proposes_what_did_well_after_it_forgot():
    class Half(TPE):
        most, kept = 80, 40

    assert share(told(Half(gated, 0), not_relu, 130)[-30:], "candidate", "relu") > 0.33
