"""Which strategy gets nearest to an LSTM, by an objective that needs no training.

Run it with ``python benchmarks/strategies_synthetic.py``; it takes a few minutes.

The loss of a candidate of the space ``gated`` is the share of an LSTM's decisions that it does not have, plus noise. A
tenth of the candidates diverge. Up to ``PARALLEL`` candidates are under way at once and end in random order. The table
gives the median (and the quartiles) over seeds of the best candidate's loss without the noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate, Decisions, DecisionSpace
from nas_rnn.strategies import TPE, Evolution, RandomSearch, Strategy

STRATEGIES: tuple[type[Strategy], ...] = (RandomSearch, Evolution, TPE)
TRIALS = (24, 60, 200)
SEEDS = range(10)
PARALLEL = 4
NOISE = 0.05
DIVERGE = 0.1

LSTM: Decisions = {
    "memory": "cell",
    "peepholes": "no",
    "candidate": "tanh",
    "reset": "none",
    "update": "input and forget",
    "input_reads": "x and h",
    "forget_reads": "x and h",
    "exposed": "tanh",
    "output_gate": "yes",
    "output_reads": "x and h",
}


def distance(candidate: Candidate) -> float:
    """Return the share of an LSTM's decisions that ``candidate`` does not have: 0 to 1."""
    decisions = candidate.decisions or {}
    return sum(decisions.get(key) != label for key, label in LSTM.items()) / len(LSTM)


def run(kind: type[Strategy], space: DecisionSpace, trials: int, seed: int) -> list[float]:
    """Return the best distance after each of ``trials`` trials."""
    rng = np.random.default_rng(seed + 1000)
    strategy = kind(space, seed)
    under_way: list[Candidate] = []
    best, curve = 1.0, []
    for asked in range(trials + PARALLEL):
        if asked < trials:
            under_way.append(strategy.ask())
        if len(under_way) < PARALLEL and asked < trials:
            continue
        if under_way:
            candidate = under_way.pop(int(rng.integers(len(under_way))))
            diverged = rng.random() < DIVERGE
            loss = distance(candidate) + NOISE * float(rng.standard_normal())
            strategy.tell(candidate, None if diverged else loss)
            best = best if diverged else min(best, distance(candidate))
            curve.append(best)
    return curve


Run = Callable[[type[Strategy], DecisionSpace, int, int], list[float]]
"""Returns what a strategy has come to after each of so many trials, from a seed."""


def table(
    strategies: Sequence[type[Strategy]] = STRATEGIES,
    trials: Sequence[int] = TRIALS,
    run: Run = run,
    digits: int = 2,
) -> str:
    """Return the table of medians and quartiles over seeds, one line a strategy, with the processor's seconds."""
    space = load_space("gated")
    width = 16 + 3 * digits
    lines = [
        f"{'strategy':<12}"
        + "".join(f"{f'{count} trials':>{width}}" for count in trials)
        + f"{'seconds':>10}"
    ]
    for kind in strategies:
        began = time.process_time()
        curves = np.array([run(kind, space, max(trials), seed) for seed in SEEDS])
        cells = []
        for count in trials:
            low, middle, high = (
                f"{value:.{digits}f}" for value in np.percentile(curves[:, count - 1], (25, 50, 75))
            )
            cells.append(f"{f'{middle} ({low}-{high})':>{width}}")
        lines.append(f"{kind.name:<12}" + "".join(cells) + f"{time.process_time() - began:>10.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
