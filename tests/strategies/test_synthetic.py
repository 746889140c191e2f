"""The strategies that learn do so: they get nearer to an LSTM than random search, on an objective without training."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from nas_rnn.plugins import load_space
from nas_rnn.strategies import TPE, Evolution, RandomSearch

SYNTHETIC = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/strategies_synthetic.py"))
TRIALS, SEEDS = 60, 10


def median(kind: type) -> float:
    space = load_space("gated")
    return float(np.median([SYNTHETIC["run"](kind, space, TRIALS, seed)[-1] for seed in range(SEEDS)]))


@pytest.fixture(scope="module")
def by_chance() -> float:
    return median(RandomSearch)


@pytest.mark.parametrize("kind", [Evolution, TPE], ids=lambda kind: kind.name)
def test_a_strategy_that_learns_gets_nearer_than_chance(kind, by_chance):
    # A step of the objective is 0.1: one decision of ten.
    assert median(kind) <= by_chance - 0.1


def test_the_table_has_a_line_for_each_strategy():
    SYNTHETIC["table"].__globals__["SEEDS"] = range(1)
    lines = SYNTHETIC["table"]([RandomSearch, Evolution], (2, 12)).splitlines()
    assert [line.split()[0] for line in lines] == ["strategy", "random", "evolution"]
    assert "2 trials" in lines[0] and "12 trials" in lines[0]
