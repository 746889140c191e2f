"""Tree-structured Parzen estimator (Bergstra et al. 2011), Optuna's, over the decisions of a space."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.spaces import Candidate, Choice, DecisionSpace, Label, Rejected, Space
from nas_rnn.strategies.base import Strategy
from nas_rnn.strategies.seen_cells import SeenCells

if TYPE_CHECKING:  # takes a tenth of a second to import
    import optuna
    from optuna.distributions import BaseDistribution


class TPE(Strategy):
    """Proposes decisions that are frequent among the best tenth of the trials and rare among the others.

    Its Optuna study lives in memory and is made of what it asked and was told; candidates under way count as bad ones
    until they are told (Optuna's constant liar), so that parallel workers get different proposals.

    A candidate that diverged or failed counts as worse than all that did not.
    """

    name = "tpe"
    summary = "learns which decisions are frequent in good candidates (Optuna's TPE); for spaces of decisions"

    start: ClassVar[int] = 10
    """How many trials must have ended before anything is learned from them; until then candidates are random."""
    draws: ClassVar[int] = 4
    """From how many draws the sampler takes the best. Optuna's 24 give the same few combinations of options again and
    again; with 4, ``benchmarks/strategies_synthetic.py`` got nearer in 60 trials, and hardly ever met a known cell."""
    attempts: ClassVar[int] = 5
    """How many proposals of known cells in a row make the next candidate a neighbour of the last of them."""
    neighbours: ClassVar[int] = 20
    """How many neighbours of known cells in a row make the next candidate a random one."""

    most: ClassVar[int] = 200
    """At so many trials the sampler forgets all but `kept`: what a choice costs grows with what it knows."""
    kept: ClassVar[int] = 100
    """Half of these are the best trials, of which the sampler takes 25 at most as good ones, the others the latest."""

    def __init__(self, space: Space, seed: int) -> None:
        import optuna

        super().__init__(space, seed)
        if not isinstance(space, DecisionSpace):
            raise UserError(
                f"the strategy 'tpe' works on decisions, and the space {space.name!r} works on cells; the strategy "
                "'random' works with every space, 'evolution' with every one that can mutate a cell"
            )
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._decisions = space
        self._rng = np.random.default_rng(seed)
        self._unseen = SeenCells(space, seed)
        self._sampler = optuna.samplers.TPESampler(
            n_startup_trials=1, n_ei_candidates=self.draws, constant_liar=True, seed=seed % 2**32
        )
        self._study = self._new_study()
        self._running: dict[str, list[int]] = {}
        self._ended = 0

    def ask(self) -> Candidate:
        from optuna.trial import TrialState

        if self._ended < self.start:
            return self._begin(self._unseen.draw())
        self._forget()
        for _ in range(self.attempts):
            trial = self._study.ask()
            try:
                candidate = self._decisions.build(partial(_suggest, trial))
            except Rejected as rejected:  # a constraint's verdict is as bad as a result can be
                candidate = rejected.candidate
                self._study.tell(trial, math.inf)
                continue
            if self._unseen.add(candidate):
                self._running.setdefault(candidate.digest, []).append(trial.number)
                return candidate
            # A failed trial is left out of all estimates: the known cell counts once.
            self._study.tell(trial, state=TrialState.FAIL)
        for _ in range(self.neighbours):
            neighbour = self._decisions.mutate(candidate, self._rng)
            if self._unseen.add(neighbour):
                return self._begin(neighbour)
        return self._begin(self._unseen.draw())

    def expect(self, candidate: Candidate) -> None:
        self._unseen.add(candidate)
        self._begin(candidate)

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        self._unseen.add(candidate)
        self._ended += 1
        if candidate.digest not in self._running:
            self._begin(candidate)
        if candidate.digest in self._running:
            numbers = self._running[candidate.digest]
            self._study.tell(numbers.pop(0), loss if loss is not None and math.isfinite(loss) else math.inf)
            if not numbers:
                del self._running[candidate.digest]

    def _new_study(self) -> optuna.Study:
        import optuna

        return optuna.create_study(sampler=self._sampler, pruner=optuna.pruners.NopPruner())

    def _forget(self) -> None:
        """Begin a new study where the old one has grown long: with its best and its latest trials."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        if len(trials) < self.most:
            return
        ended = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        best = sorted(ended, key=lambda trial: trial.value or 0.0)[: self.kept // 2]
        good = {trial.number for trial in best}
        latest = [trial for trial in ended if trial.number not in good][-self.kept // 2 :]
        running = {number for numbers in self._running.values() for number in numbers}
        kept = good | running | {trial.number for trial in latest}
        self._study = self._new_study()
        moved: dict[int, int] = {}
        for trial in trials:
            if trial.number in kept:
                moved[trial.number] = len(moved)
                self._study.add_trial(trial)
        self._running = {
            digest: [moved[number] for number in numbers] for digest, numbers in self._running.items()
        }

    def _begin(self, candidate: Candidate) -> Candidate:
        """Record that ``candidate``, not of the sampler's making, is under way; without its choices it is nothing."""
        from optuna.trial import TrialState, create_trial

        if candidate.decisions is not None and len(candidate.choices) == len(candidate.decisions):
            distributions = {choice.key: _distribution(choice) for choice in candidate.choices}
            trial = create_trial(
                state=TrialState.RUNNING, params=dict(candidate.decisions), distributions=distributions
            )
            self._running.setdefault(candidate.digest, []).append(len(self._study.get_trials(deepcopy=False)))
            self._study.add_trial(trial)
        return candidate


def _distribution(choice: Choice) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if not choice.ordered:
        return CategoricalDistribution(choice.labels)
    numbers = sorted(int(label) for label in choice.labels)
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    return IntDistribution(numbers[0], numbers[-1], step=step)


def _suggest(trial: optuna.Trial, choice: Choice) -> Label:
    from optuna.distributions import IntDistribution

    distribution = _distribution(choice)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(choice.key, distribution.low, distribution.high, step=distribution.step)
    # Optuna types what it returns more widely than what it was given.
    return choice.labels[choice.labels.index(trial.suggest_categorical(choice.key, choice.labels))]
