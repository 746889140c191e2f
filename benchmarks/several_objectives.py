"""Which strategy finds the better front of quality and cost, by objectives that need no training.

Run it with ``python benchmarks/several_objectives.py``; it takes some minutes.

Quality is the share of an LSTM's decisions that a candidate of the space ``gated`` does not have, plus noise, as in
``strategies_synthetic.py``; the cost is how many matrix products it has in a step, of at most `DEAREST`. A tenth of the
candidates diverge, and up to ``PARALLEL`` are under way at once. The table gives the median (and the quartiles) over
seeds of the hypervolume (Zitzler & Thiele 1999) of the front without the noise: the share of the unit square that it
dominates.
"""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas_rnn.cells.graph.costs import HIDDEN_SIZE, INPUT_SIZE, costs
from nas_rnn.spaces import Candidate, DecisionSpace
from nas_rnn.strategies import NSGA2, TPE, Evolution, ParetoStrategy, RandomSearch, Strategy

SYNTHETIC = runpy.run_path(str(Path(__file__).with_name("strategies_synthetic.py")))
distance = SYNTHETIC["distance"]
STRATEGIES: tuple[type[Strategy], ...] = (RandomSearch, Evolution, TPE, NSGA2)
TRIALS = (24, 60, 120)
SEEDS = SYNTHETIC["SEEDS"]
PARALLEL, NOISE, DIVERGE = SYNTHETIC["PARALLEL"], SYNTHETIC["NOISE"], SYNTHETIC["DIVERGE"]
DEAREST = 10


def cost(candidate: Candidate) -> float:
    """Return the matrix products of a step, of an input or of a state, as a share of `DEAREST`."""
    found = costs(candidate.cell, INPUT_SIZE, HIDDEN_SIZE)
    return min(1.0, (found.products + found.hoisted) / DEAREST)


def hypervolume(points: Sequence[tuple[float, float]]) -> float:
    """Return the share of the unit square that lies above and to the right of any of ``points``."""
    area, lowest = 0.0, 1.0
    for quality, price in sorted(points, key=lambda point: (point[1], point[0])):
        area += max(0.0, lowest - quality) * (1.0 - price)
        lowest = min(lowest, quality)
    return area


def run(kind: type[Strategy], space: DecisionSpace, trials: int, seed: int) -> list[float]:
    """Return the hypervolume after each of ``trials`` trials."""
    rng = np.random.default_rng(seed + 1000)
    strategy = kind(space, seed)
    under_way: list[Candidate] = []
    points, curve = list[tuple[float, float]](), []
    for asked in range(trials + PARALLEL):
        if asked < trials:
            under_way.append(strategy.ask())
        if len(under_way) < PARALLEL and asked < trials:
            continue
        if under_way:
            candidate = under_way.pop(int(rng.integers(len(under_way))))
            diverged = rng.random() < DIVERGE
            loss = distance(candidate) + NOISE * float(rng.standard_normal())
            if isinstance(strategy, ParetoStrategy):
                strategy.tell_all(candidate, None if diverged else (loss, cost(candidate)))
            else:
                strategy.tell(candidate, None if diverged else loss)
            if not diverged:
                points.append((distance(candidate), cost(candidate)))
            curve.append(hypervolume(points))
    return curve


if __name__ == "__main__":
    print(SYNTHETIC["table"](STRATEGIES, TRIALS, run, digits=3))
