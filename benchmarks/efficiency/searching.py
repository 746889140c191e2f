"""One search on a problem, its anytime curves, and what many of them come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from efficiency.problems import Problem
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Exhausted

TOP = 10
"""So many of the best cells found are averaged: the best alone is luck where a handful of cells is far ahead."""
BOOTSTRAPS = 2000


class Asking(Protocol):
    """What a strategy offers; peers are wrapped so that they offer it too."""

    def ask(self) -> Candidate: ...

    def tell(self, candidate: Candidate, loss: float | None) -> None: ...


Maker = Callable[[Problem, int], Asking]
"""Makes a strategy for a problem with a seed."""


@dataclass(frozen=True)
class Searches:
    """The results that one strategy met, in its order: (seeds, evaluations); and the seconds of its own a choice."""

    found: NDArray[np.float64]
    seconds: float

    def best(self) -> NDArray[np.float64]:
        """Return the best result so far: (seeds, evaluations)."""
        return np.minimum.accumulate(self.found, axis=1)

    def top(self) -> NDArray[np.float64]:
        """Return the mean of the ten best so far, of all where there are fewer: (seeds, evaluations)."""
        curves = np.empty_like(self.found)
        for end in range(1, self.found.shape[1] + 1):
            curves[:, end - 1] = np.sort(self.found[:, :end], axis=1)[:, :TOP].mean(axis=1)
        return curves


def search(make: Maker, problem: Problem, evaluations: int, seed: int, parallel: int = 1) -> Searches:
    """Run one search: up to ``parallel`` candidates are under way at once, and end in the order of their asking.

    Each candidate counts as an evaluation, also one that was met before. Where the space has no more, the last result
    of all stands for the rest: nothing can be found any more.
    """
    strategy = make(problem, seed)
    found: list[float] = []
    under_way: list[Candidate] = []
    seconds = 0.0
    while len(found) < evaluations:
        began = time.perf_counter()
        try:
            while len(under_way) < parallel:
                under_way.append(strategy.ask())
        except Exhausted:
            if not under_way:
                found += [max(found)] * (evaluations - len(found))
                break
        candidate = under_way.pop(0)
        _hear(strategy, problem, [candidate, *under_way])
        strategy.tell(candidate, problem.seen[candidate.digest])
        seconds += time.perf_counter() - began
        found.append(problem.truth[candidate.digest])
    return Searches(np.array([found]), seconds / evaluations)


def _hear(strategy: Asking, problem: Problem, under_way: Sequence[Candidate]) -> None:
    """Tell the curves of candidates under way, as far as they have come when the first of them ends."""
    hear = getattr(strategy, "hear", None)
    if hear is None:
        return
    for place, candidate in enumerate(under_way):
        curve = problem.curves.get(candidate.digest, ())
        come = len(curve) * (len(under_way) - place) // len(under_way)
        if come:
            hear(candidate, curve[:come])


def joined(searches: Sequence[Searches]) -> Searches:
    """Return several searches as one object, a row each."""
    return Searches(
        np.concatenate([one.found for one in searches]), float(np.mean([one.seconds for one in searches]))
    )


def summary(curves: NDArray[np.float64], places: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return after each number of evaluations the median over seeds, its 95 % interval, and the quartiles."""
    return {str(place): spread(curves[:, place - 1]) for place in places}


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the median, its 95 % bootstrap interval over seeds, quartiles and extremes."""
    rng = np.random.default_rng(0)
    draws = np.median(values[rng.integers(len(values), size=(BOOTSTRAPS, len(values)))], axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    first, third = np.percentile(values, (25, 75))
    told = {
        "median": np.median(values),
        "low": low,
        "high": high,
        "first_quartile": first,
        "third_quartile": third,
        "least": values.min(),
        "most": values.max(),
    }
    return {name: round(float(value), 4) for name, value in told.items()}


def evaluations_for(curve: NDArray[np.float64], level: float) -> int | None:
    """Return after how many evaluations ``curve``, a median, comes to ``level``; None where it does not."""
    reached = np.flatnonzero(curve <= level)
    return int(reached[0]) + 1 if len(reached) else None


def result(searches: Searches, places: Sequence[int]) -> dict[str, Any]:
    """Return what is written of one strategy."""
    return {
        "best_at": summary(searches.best(), places),
        "top10_at": summary(searches.top(), places),
        "seeds": len(searches.found),
        "seconds_per_choice": round(searches.seconds, 4),
    }
