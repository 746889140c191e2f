"""The front that nsga2 finds is better than that of random search, on objectives without training."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from nas_rnn.plugins import load_space
from nas_rnn.strategies import NSGA2, RandomSearch

OBJECTIVES = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/several_objectives.py"))
TRIALS, SEEDS = 60, 10


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], 0.0),
        ([(0.0, 0.0)], 1.0),
        ([(0.5, 0.5)], 0.25),
        ([(0.5, 0.25), (0.25, 0.5)], 0.5),
        ([(0.25, 0.5), (0.5, 0.25), (0.6, 0.6)], 0.5),
    ],
)
def test_the_area_is_that_which_the_points_dominate(points: list[tuple[float, float]], area: float) -> None:
    assert OBJECTIVES["hypervolume"](points) == pytest.approx(area)


def test_its_front_dominates_more_than_that_of_random_search() -> None:
    space = load_space("gated")
    found = {
        kind: np.median([OBJECTIVES["run"](kind, space, TRIALS, seed)[-1] for seed in range(SEEDS)])
        for kind in (RandomSearch, NSGA2)
    }
    assert found[NSGA2] > found[RandomSearch] + 0.02
