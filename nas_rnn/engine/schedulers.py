"""When trials are stopped early: ASHA, which leaves the baseline alone, or never."""

from __future__ import annotations

import math
import time
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

FIRST_RUNG_SHARE = 0.06
"""The least share of the full budget at which trials are compared: ranks before that mislead."""
REDUCTION = 3


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


def _is_free(trial: Any) -> bool:
    """Whether the run in ``trial`` may be stopped early: candidates may, the baseline may not."""
    return bool(trial.config["spec"]["role"] == "candidate")


class _Deadline(FIFOScheduler):
    """Stops candidates when the time is over."""

    def __init__(self, deadline: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._deadline = deadline

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self._deadline is not None and time.monotonic() > self._deadline and _is_free(trial):
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)


class _Asha(AsyncHyperBandScheduler):
    """ASHA over candidates; the baseline always runs to its end."""

    def __init__(self, epochs: int, deadline: float | None) -> None:
        super().__init__(
            time_attr="epoch",
            metric="score",
            mode="min",
            max_t=max(epochs, 1),
            grace_period=first_rung(epochs),
            reduction_factor=REDUCTION,
            stop_last_trials=False,
        )
        self._deadline = deadline

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        return True

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not _is_free(trial):
            return str(TrialScheduler.CONTINUE)
        if self._deadline is not None and time.monotonic() > self._deadline:
            return str(TrialScheduler.STOP)
        return str(super().on_trial_result(controller, trial, result))

    def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if _is_free(trial):
            super().on_trial_complete(controller, trial, result)
