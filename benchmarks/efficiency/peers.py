"""Other tools on the same problems, as somebody would use them who has no cells to take apart.

On a space of decisions they choose the decisions. On a list of cells they choose plain counts (operations of each kind,
states, depth), and the cell nearest to these that was not tried yet is tried.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from efficiency.problems import Problem
from efficiency.searching import Asking, Maker
from nas_rnn.cells import Cell
from nas_rnn.cells.traits import traits
from nas_rnn.spaces import Candidate, Choice, DecisionSpace, FiniteSpace, Label

REPEATS = 50
"""How many proposals of cells known already make the next one a random cell: so no peer stands still."""


class _Peer:
    """What peers share: which cells were tried, and a cell for what they chose."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.space = problem.space
        self.rng = np.random.default_rng(seed)
        self.tried: set[str] = set()
        self.counts = Counts(problem.space) if isinstance(problem.space, FiniteSpace) else None
        self.trial: Any = None
        """What the other tool asked for last; None where a cell is not of its choosing."""
        self.values: dict[str, float] = {}

    def ask(self) -> Candidate:
        for _ in range(REPEATS):
            candidate = self.propose()
            if candidate.digest not in self.tried:
                break
            self.repeated(candidate)
        else:
            candidate = self.unknown()
        self.tried.add(candidate.digest)
        return candidate

    def unknown(self) -> Candidate:
        self.trial = None
        while (candidate := self.space.sample(self.rng)).digest in self.tried:
            pass
        return candidate

    def repeated(self, candidate: Candidate) -> None:
        self.report(self.values[candidate.digest])

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self.values[candidate.digest] = self.worst() if loss is None else loss
        if self.trial is not None:
            self.report(self.values[candidate.digest])

    def worst(self) -> float:
        """Return what a diverged cell counts as."""
        return float("inf")

    def propose(self) -> Candidate:
        raise NotImplementedError

    def report(self, value: float) -> None:
        raise NotImplementedError


class Counts:
    """The cells of a list by plain counts, each a whole number between its least and its most."""

    def __init__(self, space: FiniteSpace) -> None:
        rows = [_counts(candidate.cell) for candidate in space.candidates]
        names = sorted({name for row in rows for name in row})
        table = np.array([[row.get(name, 0) for name in names] for row in rows])
        kept = table.std(axis=0) > 0
        self.table = table[:, kept]
        self.names = [name for name, varies in zip(names, kept, strict=True) if varies]
        self.least, self.most = self.table.min(axis=0), self.table.max(axis=0)
        self.scale = self.table.std(axis=0)
        self.candidates = space.candidates

    def nearest(self, chosen: dict[str, int], tried: set[str]) -> Candidate:
        wanted = np.array([chosen[name] for name in self.names])
        distances = (((self.table - wanted) / self.scale) ** 2).sum(axis=1)
        for place in np.argsort(distances, kind="stable"):
            if self.candidates[place].digest not in tried:
                return self.candidates[place]
        raise AssertionError("every cell was tried")


def _counts(cell: Cell) -> dict[str, int]:
    return {name: int(value) for name, value in traits(cell, "counts").items()}


class OptunaPeer(_Peer):
    """Optuna's TPE as it comes."""

    def __init__(self, problem: Problem, seed: int) -> None:
        import optuna

        super().__init__(problem, seed)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))

    def propose(self) -> Candidate:
        self.trial = self.study.ask()
        if self.counts is not None:
            ends = zip(self.counts.names, self.counts.least, self.counts.most, strict=True)
            chosen = {name: self.trial.suggest_int(name, int(low), int(high)) for name, low, high in ends}
            return self.counts.nearest(chosen, self.tried)
        assert isinstance(self.space, DecisionSpace)
        return self.space.build(partial(_suggested, self.trial))

    def report(self, value: float) -> None:
        self.study.tell(self.trial, value)


def _suggested(trial: Any, choice: Choice) -> Label:
    return choice.labels[choice.labels.index(trial.suggest_categorical(choice.key, choice.labels))]


class NepsPeer(_Peer):
    """NePS' Bayesian optimisation as it comes."""

    def __init__(self, problem: Problem, seed: int) -> None:
        import neps
        import torch

        super().__init__(problem, seed)
        logging.getLogger("neps").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore")
        np.random.seed(seed)
        torch.manual_seed(seed)
        if self.counts is not None:
            ends = zip(self.counts.names, self.counts.least, self.counts.most, strict=True)
            parts: dict[str, Any] = {name: neps.HPOInteger(int(low), int(high)) for name, low, high in ends}
        else:
            parts = {key: neps.HPOCategorical(list(labels)) for key, labels in _questions(self.space).items()}
        self.optimiser = neps.AskAndTell(neps.algorithms.bayesian_optimization(neps.SearchSpace(parts)))

    def propose(self) -> Candidate:
        self.trial = self.optimiser.ask()
        chosen = self.trial.config
        if self.counts is not None:
            return self.counts.nearest({name: int(chosen[name]) for name in self.counts.names}, self.tried)
        assert isinstance(self.space, DecisionSpace)
        return self.space.build(lambda choice: chosen[choice.key])

    def worst(self) -> float:
        """NePS models losses, so a diverged cell counts as the worst that was seen."""
        return max(self.values.values(), default=1e3)

    def report(self, value: float) -> None:
        self.optimiser.tell(self.trial, value)


def _questions(space: Any) -> dict[str, tuple[Label, ...]]:
    """Return all questions of a space of decisions that came up in many random candidates."""
    rng = np.random.default_rng(0)
    found: dict[str, tuple[Label, ...]] = {}
    for _ in range(500):
        for choice in space.sample(rng).choices:
            found.setdefault(choice.key, choice.labels)
    return found


PEERS: dict[str, tuple[str, Callable[[Problem, int], Asking]]] = {
    "Optuna": ("optuna", OptunaPeer),
    "NePS": ("neps", NepsPeer),
}
"""By name: the module that it needs, and what makes it."""


def installed_peers() -> dict[str, Maker]:
    """Return the peers whose package is there."""
    return {name: make for name, (module, make) in PEERS.items() if importlib.util.find_spec(module)}
