"""The benchmark of strategies on cells whose results are known, on a small made-up pool."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import search_efficiency
from efficiency.peers import OptunaPeer
from efficiency.problems import DIVERGED, pool_problem, table_problem
from efficiency.searching import Searches, evaluations_for, joined, result, search, spread
from search_efficiency import CellTable

from nas_rnn.errors import UserError
from nas_rnn.plugins import load_space
from nas_rnn.spaces import recipe_from_cell
from nas_rnn.strategies import TPE, Evolution, LocalSearch, Predictor, RandomSearch


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty cells, some of which diverged; those with more states are better."""
    path = tmp_path_factory.mktemp("pool") / "pool.jsonl"
    space = load_space("nas_bench_nlp")
    lines = []
    drawn = {cell.digest: cell for cell in (space.sample(seed).cell for seed in range(80))}
    for seed, cell in enumerate(list(drawn.values())[:40]):
        losses: list[float | None] = [5.0 - 0.1 * len(cell.states) + 0.001 * seed, 5.0]
        if seed % 8 == 0:
            losses = [None, None]
        elif seed % 8 == 1:
            losses = [4.5, None]
        lines.append(json.dumps({"dag": str(seed), "recipe": recipe_from_cell(cell), "test_loss": losses}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    monkeypatch.setattr(sys, "argv", ["search_efficiency.py", *map(str, options)])
    return search_efficiency.main()


def test_a_cell_counts_with_its_mean_perplexity_and_a_diverged_run_with_1800(pool):
    problem = pool_problem(pool)
    values = sorted(problem.truth.values())
    assert len(values) == 40 and values[-5:] == [DIVERGED] * 5
    assert sum(math.isclose(value, (math.exp(4.5) + DIVERGED) / 2) for value in values) == 5
    assert sum(loss is None for loss in problem.seen.values()) == 5
    assert problem.best == pytest.approx(np.mean(values[:10]))


def test_the_halves_divide_the_pool(pool):
    one, other = (pool_problem(pool, half).truth for half in "AB")
    assert len(one) == len(other) == 20 and not set(one) & set(other)


def test_without_results_it_says_what_is_missing(tmp_path):
    path = tmp_path / "bare.jsonl"
    recipe = {"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}
    for losses in ({}, {"test_loss": []}, {"test_loss": ["a"]}, {"test_loss": 3.0}):
        path.write_text(json.dumps({"recipe": recipe, **losses}), encoding="utf-8")
        with pytest.raises(UserError, match="has no test_loss that is a list of numbers or null"):
            pool_problem(path)


@pytest.mark.parametrize("kind", [RandomSearch, Evolution, LocalSearch, Predictor])
def test_a_search_meets_each_cell_once_and_is_judged_by_the_truth(pool, kind):
    problem = pool_problem(pool)
    searches = search(lambda known, seed: kind(known.space, seed), problem, 45, 0)
    assert sorted(searches.found[0, :40]) == pytest.approx(sorted(problem.truth.values()))
    assert searches.found.shape == (1, 45)  # where nothing is left, nothing can be found
    assert searches.best()[0, -1] == min(problem.truth.values())


def test_anytime_curves():
    searches = joined(
        [Searches(np.array([[3.0, 1.0, 2.0]]), 0.1), Searches(np.array([[1.0, 5.0, 3.0]]), 0.3)]
    )
    assert searches.best().tolist() == [[3, 1, 1], [1, 1, 1]]
    assert searches.top().tolist() == [[3, 2, 2], [1, 3, 3]]
    told = result(searches, [2])
    assert told["best_at"]["2"]["median"] == 1 and told["top10_at"]["2"]["median"] == 2.5
    assert told["seconds_per_choice"] == 0.2 and told["seeds"] == 2
    assert evaluations_for(np.array([3.0, 2.0, 1.0]), 2.0) == 2
    assert evaluations_for(np.array([3.0, 2.0, 1.0]), 0.5) is None


def test_of_a_long_search_the_ten_best_count():
    found = np.arange(30.0)[None, ::-1]
    assert Searches(found, 0.0).top()[0, -1] == pytest.approx(4.5)


def test_the_interval_of_a_median_covers_it():
    told = spread(np.random.default_rng(0).normal(size=100))
    assert told["least"] <= told["first_quartile"] <= told["low"] <= told["median"] <= told["high"]


def test_it_writes_for_each_strategy_what_was_found_when(monkeypatch, pool, tmp_path, capsys):
    written, picture = tmp_path / "out.json", tmp_path / "out.svg"
    options = ("--evaluations", 20, "--seeds", 2, "--strategies", "predictor,evolution")
    assert run(monkeypatch, "--pool", pool, *options, "--json", written, "--picture", picture) == 0
    told = json.loads(written.read_text())
    assert set(told["strategies"]) == {"random", "predictor", "evolution"}
    for one in told["strategies"].values():
        assert one["best_at"]["20"]["median"] <= one["top10_at"]["20"]["median"]
    assert told["cells"] == 40 and told["unit"] == "test perplexity"
    assert picture.read_text().count("<path") > 5
    assert "predictor" in capsys.readouterr().out


def test_strategies_that_cannot_search_a_list_of_cells_are_left_out_or_refused(monkeypatch, pool, capsys):
    assert run(monkeypatch, "--pool", pool, "--evaluations", 5, "--seeds", 1, "--strategies", "tpe") == 2
    assert "works on decisions" in capsys.readouterr().err
    assert (
        run(monkeypatch, "--pool", pool, "--evaluations", 5, "--seeds", 1, "--strategies", "evolutoin") == 2
    )
    assert "no strategy 'evolutoin'; there are" in capsys.readouterr().err


def test_optuna_as_a_peer_never_meets_a_cell_twice(pool):
    problem = pool_problem(pool)
    searches = search(OptunaPeer, problem, 30, 0)
    assert len(set(searches.found[0])) > 15 and searches.found.shape == (1, 30)


def test_the_table_is_a_problem_for_every_strategy():
    problem = table_problem(CellTable.load())
    assert len(problem.truth) >= 400 and all(map(math.isfinite, problem.truth.values()))
    for kind in (TPE, Predictor):
        searches = search(lambda known, seed, kind=kind: kind(known.space, seed), problem, 14, 0, 4)
        assert searches.found.shape == (1, 14)
