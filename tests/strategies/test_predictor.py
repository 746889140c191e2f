"""The predictor: that it learns which cells are good, what it makes of failures and candidates under way."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate, FiniteSpace
from nas_rnn.strategies import Exhausted, Predictor, RandomSearch, Strategy
from tests.strategies.small_spaces import Drawn

gated = load_space("gated")


def loss_of(candidate: Candidate) -> float:
    """Return a loss in which relu as the candidate's activation is worth much, and a cell state something."""
    decisions = candidate.decisions
    noise = int(candidate.digest.rpartition("-")[2][:6], 16) / 16**6
    return 0.2 * noise + (decisions["candidate"] != "relu") + 0.5 * (decisions["memory"] != "cell")


def told(strategy: Strategy, loss, trials: int = 40, parallel: int = 1) -> list[Candidate]:
    found: list[Candidate] = []
    under_way: list[Candidate] = []
    for _ in range(trials):
        under_way.append(strategy.ask())
        found.append(under_way[-1])
        if len(under_way) == parallel:
            candidate = under_way.pop(0)
            strategy.tell(candidate, loss(candidate))
    return found


@pytest.mark.parametrize("parallel", [1, 4])
def test_it_finds_better_cells_than_random_search(parallel):
    learned = [loss_of(one) for one in told(Predictor(gated, 0), loss_of, 40, parallel)[-15:]]
    drawn = [loss_of(one) for one in told(RandomSearch(gated, 0), loss_of, 40, parallel)[-15:]]
    assert statistics.median(learned) < 0.25 < statistics.median(drawn)


@pytest.mark.parametrize("failed", [None, float("nan"), float("inf")])
def test_it_stays_clear_of_what_fails(failed):
    found = told(
        Predictor(gated, 0), lambda one: failed if one.decisions["memory"] == "cell" else loss_of(one), 40
    )
    assert statistics.mean(one.decisions["memory"] == "cell" for one in found[-15:]) < 0.2


def test_where_every_candidate_fails_it_goes_on():
    assert len({one.digest for one in told(Predictor(gated, 0), lambda _: None, 25)}) == 25


def test_a_space_that_cannot_mutate_is_searched_by_random_proposals():
    found = told(Predictor(Drawn(), 0), lambda one: float(one.digest[-1] < "8"), 8)
    assert len({one.digest for one in found}) == 8


def test_it_is_exhausted_when_a_list_of_cells_is():
    cells = [gated.sample(seed).cell for seed in range(20)]
    space = FiniteSpace("twenty", cells)
    strategy = Predictor(space, 0)
    found = told(strategy, lambda one: float(len(one.cell.nodes)), len(space.candidates))
    assert {one.digest for one in found} == {cell.digest for cell in cells}
    with pytest.raises(Exhausted):
        strategy.ask()


def test_after_a_resume_it_knows_what_it_was_told():
    first = told(Predictor(gated, 0), loss_of, 30)
    again = Predictor(gated, 1)
    for candidate in first[:-1]:
        again.tell(Candidate(candidate.cell, candidate.decisions), loss_of(candidate))
    again.expect(first[-1])
    later = told(again, loss_of, 10)
    assert not {one.digest for one in first} & {one.digest for one in later}
    assert statistics.median(loss_of(one) for one in later) < 0.25


def test_of_many_trials_it_models_the_best_and_the_latest():
    class Small(Predictor):
        most = 20

    strategy = Small(gated, 0)
    found = told(strategy, loss_of, 60)
    modelled = strategy._modelled()
    losses = sorted(loss_of(one) for one in found)
    assert len(modelled) == 20 and found[-1].digest in modelled
    by_digest = {one.digest: loss_of(one) for one in found}
    assert sorted(by_digest[digest] for digest in modelled)[:10] == pytest.approx(losses[:10])


def test_proposals_that_are_kept_stay_few():
    strategy = Predictor(gated, 0)
    told(strategy, loss_of, 60)
    assert len(strategy._pool) <= strategy.kept
    assert set(strategy._rows) <= set(strategy._pool) | set(strategy._losses) | set(strategy._running)
    assert np.isfinite(strategy._encode(list(strategy._pool))).all()


def test_what_is_under_way_counts_by_its_curve():
    """Twelve cells with a cell state did well, and a new one does badly so far: then others are asked for."""
    strategy = Predictor(gated, 0)
    for candidate in told(Predictor(gated, 1), loss_of, 30):
        strategy.hear(candidate, (loss_of(candidate) + 2, loss_of(candidate) + 1))
        strategy.tell(candidate, loss_of(candidate))
    running = strategy.ask()
    places = strategy._encode([running.digest])
    before = strategy._fitted()[0].predict(places).mean[0]
    strategy.hear(running, (9.0,))
    after = strategy._fitted()[0].predict(places).mean[0]
    assert after > before + 0.3
    strategy.hear(running, (1.0,))
    assert strategy._fitted()[0].predict(places).mean[0] < before + 0.1
