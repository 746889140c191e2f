"""NSGA-II (Deb et al. 2002), Optuna's, over the decisions of a space: for several objectives."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.spaces import Candidate, DecisionSpace, Rejected, Space
from nas_rnn.strategies.base import ParetoStrategy
from nas_rnn.strategies.distributions import suggested
from nas_rnn.strategies.seen_cells import SeenCells

if TYPE_CHECKING:  # takes a tenth of a second to import
    import optuna


class NSGA2(ParetoStrategy):
    """Crosses and mutates the candidates that are dominated by the fewest others, spread over the front.

    A generation is made of candidates that were told of with losses; those that diverged or failed have no children.
    Its Optuna study lives in memory, and comes back when earlier trials are told after a resume.
    """

    name = "nsga2"
    summary = (
        "crosses candidates that no other beats in all objectives (Optuna's NSGA-II); for spaces of decisions"
    )

    population: ClassVar[int] = 10
    """How many make a generation, the first of them random: few, as a search may have 24 trials in all."""
    attempts: ClassVar[int] = 5
    """How many children of known cells in a row make the next candidate a neighbour of the last of them."""
    neighbours: ClassVar[int] = 20
    """How many neighbours of known cells in a row make the next candidate a random one."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        if not isinstance(space, DecisionSpace):
            raise UserError(
                f"the strategy 'nsga2' crosses decisions, and the space {space.name!r} works on cells; the strategy "
                "'random' works with every space, 'evolution' with every one that can mutate a cell, both by quality "
                "alone"
            )
        self._decisions = space
        self._rng = np.random.default_rng(seed)
        self._unseen = SeenCells(space, seed)
        self._study: optuna.Study | None = None  # made when it is known how many objectives there are
        self._running: dict[str, optuna.Trial] = {}
        self._told: set[str] = set()

    def ask(self) -> Candidate:
        if self._study is None or len(self._told) < self.population:
            return self._unseen.draw()
        for _ in range(self.attempts):
            trial = self._study.ask()
            try:
                candidate = self._decisions.build(partial(suggested, trial))
            except Rejected as rejected:
                candidate = rejected.candidate
            else:
                if self._unseen.add(candidate):
                    self._running[candidate.digest] = trial
                    return candidate
            self._fail(self._study, trial)
        for _ in range(self.neighbours):
            neighbour = self._decisions.mutate(candidate, self._rng)
            if self._unseen.add(neighbour):
                return neighbour
        return self._unseen.draw()

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)

    def tell_all(self, candidate: Candidate, losses: tuple[float, ...] | None) -> None:
        self._unseen.add(candidate)
        trial = self._running.pop(candidate.digest, None)
        if losses is None or not all(map(math.isfinite, losses)):
            if trial is not None and self._study is not None:
                self._fail(self._study, trial)
            return
        if candidate.digest in self._told:  # twice the same cell would leave less room for others
            return
        self._study = self._study or self._new_study(len(losses))
        trial = trial or self._begun(self._study, candidate)
        if trial is not None:
            self._study.tell(trial, list(losses))
            self._told.add(candidate.digest)

    def _new_study(self, objectives: int) -> optuna.Study:
        import optuna

        from nas_rnn.strategies.crossing import CrossingSampler  # imports Optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return optuna.create_study(
            sampler=CrossingSampler(self.population, self.seed),
            pruner=optuna.pruners.NopPruner(),
            directions=["minimize"] * objectives,
        )

    def _begun(self, study: optuna.Study, candidate: Candidate) -> optuna.Trial | None:
        """Return a trial of ``candidate``, which is not of the sampler's making; without its choices there is none."""
        if candidate.decisions is None or len(candidate.choices) != len(candidate.decisions):
            return None
        study.enqueue_trial(dict(candidate.decisions))
        trial = study.ask()
        for choice in candidate.choices:
            suggested(trial, choice)
        return trial

    def _fail(self, study: optuna.Study, trial: optuna.Trial) -> None:
        """End a trial that is to have no children."""
        from optuna.trial import TrialState

        study.tell(trial, state=TrialState.FAIL)
