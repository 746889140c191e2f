"""When trials are stopped early: ASHA, which leaves the baseline alone, or never."""

from __future__ import annotations

import math
import time
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

FIRST_RUNG_SHARE = 0.06
"""The least share of the full budget at which trials are compared: ranks before that mislead."""
REDUCTION = 3
FREE_ROLES = ("candidate", "control")
"""Runs that may be stopped early, each among its like."""
TIMED_ROLE = "candidate"
"""Runs that end with the time; a control gets as many trials as what it is compared with had."""


def first_rung(epochs: int) -> int:
    """Return the epoch at which trials are first compared, at least `FIRST_RUNG_SHARE` of ``epochs``."""
    return max(1, math.ceil(FIRST_RUNG_SHARE * epochs))


def make_scheduler(name: str, epochs: int, deadline: float | None) -> TrialScheduler:
    """Return the scheduler ``"asha"`` (Li et al. 2018) or ``"none"``.

    ``deadline`` (of `time.monotonic`) ends candidates at their next epoch once it has passed.
    """
    if name == "asha":
        return _Asha(epochs, deadline)
    return _Deadline(deadline)


def _role(trial: Any) -> str:
    return str(trial.config["spec"]["role"])


def _is_free(trial: Any) -> bool:
    """Whether the run in ``trial`` may be stopped early: candidates may, the baseline may not."""
    return _role(trial) in FREE_ROLES


class _Deadline(FIFOScheduler):
    """Stops candidates when the time is over."""

    def __init__(self, deadline: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._deadline = deadline

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self._deadline is not None and time.monotonic() > self._deadline and _role(trial) == TIMED_ROLE:
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)


class _Asha(_Deadline):
    """ASHA over candidates, and over those of a control among themselves; other runs go to their end."""

    def __init__(self, epochs: int, deadline: float | None) -> None:
        super().__init__(deadline)
        self._of_role = {role: _halving(epochs) for role in FREE_ROLES}

    def on_trial_add(self, controller: Any, trial: Any) -> None:
        if _is_free(trial):
            self._of_role[_role(trial)].on_trial_add(controller, trial)

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        decision = super().on_trial_result(controller, trial, result)
        if decision == TrialScheduler.CONTINUE and _is_free(trial):
            decision = str(self._of_role[_role(trial)].on_trial_result(controller, trial, result))
        return decision

    def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if _is_free(trial):
            self._of_role[_role(trial)].on_trial_complete(controller, trial, result)

    def on_trial_remove(self, controller: Any, trial: Any) -> None:
        if _is_free(trial):
            self._of_role[_role(trial)].on_trial_remove(controller, trial)


def _halving(epochs: int) -> AsyncHyperBandScheduler:
    return AsyncHyperBandScheduler(
        time_attr="epoch",
        metric="score",
        mode="min",
        max_t=max(epochs, 1),
        grace_period=first_rung(epochs),
        reduction_factor=REDUCTION,
        stop_last_trials=False,
    )
