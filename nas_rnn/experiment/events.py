"""What a search or a comparison tells while it runs: events, and the state they add up to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from nas_rnn.experiment.models import Models
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import Kind
from nas_rnn.run_folder.trials import Gap
from nas_rnn.tasks import Measures
from nas_rnn.training import EpochRecord, RunResult, RunSpec

Phase = Literal["search", "control", "selection", "length", "tuning", "promotion", "final"]
RunEnding = Literal["finished", "stopped", "diverged", "failed", "reused"]


@dataclass(frozen=True, kw_only=True)
class Started:
    """The search or comparison begins; ``finished_before`` trials are already there in one that is resumed.

    ``workers`` is None where as many runs are trained at once as have a place."""

    kind: Kind
    name: str
    folder: str
    task: str
    measures: Measures
    space: str | None
    constraints: tuple[str, ...] = ()
    trials: int | None
    workers: int | None
    parameters: int
    finished_before: int = 0


@dataclass(frozen=True, kw_only=True)
class PhaseStarted:
    """A phase begins; ``runs`` is how many it has at most, of which ``before`` are done already."""

    phase: Phase
    runs: int
    before: int = 0


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run begins, or resumes after ``epochs_before`` epochs."""

    id: str
    role: str
    name: str
    epochs: int


@dataclass(frozen=True, kw_only=True)
class EpochDone:
    """A run has done an epoch; ``metric`` is the monitor on validation data."""

    id: str
    role: str
    name: str
    epoch: int
    epochs: int
    metric: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunEnded:
    """A run has ended; ``gap`` is relative to the baseline, negative is better (None: unknown).

    It is that of both at their ends, or else, ``gap_so_far``, after equally many training targets.
    ``backend`` is what ran the cell; ``fallback`` says why not the fused one, where that was wanted.
    """

    id: str
    role: str
    name: str
    ending: RunEnding
    value: float | None
    gap: float | None
    reason: str | None = None
    backend: str | None = None
    fallback: str | None = None
    gap_so_far: bool = False


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something the user should read: a warning, or why the search ends early."""

    message: str


Event = Started | PhaseStarted | RunStarted | EpochDone | RunEnded | Notice


@dataclass
class Progress:
    """The state that the events so far add up to; times are of `time.monotonic`."""

    started: Started | None = None
    phase: Phase | None = None
    phase_runs: int = 0
    phase_done: int = 0
    phase_before: int = 0
    phase_began: float = 0.0
    running: dict[str, RunStarted | EpochDone] = field(default_factory=dict)
    endings: dict[RunEnding, int] = field(default_factory=dict)
    best_name: str | None = None
    best_value: float | None = None
    baseline_value: float | None = None
    baseline_done: bool = False

    def update(self, event: Event) -> None:
        """Take ``event`` in."""
        match event:
            case Started():
                self.started = event
            case PhaseStarted(phase=phase, runs=runs, before=before):
                self.phase, self.phase_runs, self.phase_done, self.phase_before = phase, runs, before, before
                self.phase_began = time.monotonic()
                self.running.clear()
            case RunStarted(id=id) | EpochDone(id=id):
                self.running[id] = event
                if isinstance(event, EpochDone) and event.role == "baseline":
                    self.baseline_value = self._better(event.metric, self.baseline_value)
            case RunEnded():
                self._end(event)

    def _end(self, event: RunEnded) -> None:
        self.running.pop(event.id, None)
        if event.role == "baseline":
            self.baseline_value, self.baseline_done = event.value, True
            return
        self.phase_done += 1
        if event.role != "candidate":
            return
        self.endings[event.ending] = self.endings.get(event.ending, 0) + 1
        if event.value is not None and self._better(event.value, self.best_value) != self.best_value:
            self.best_name, self.best_value = event.name, event.value

    def _better(self, value: float, other: float | None) -> float:
        if other is None:
            return value
        smaller = self.started is None or self.started.measures.monitor.direction == "minimize"
        return min(value, other) if smaller else max(value, other)

    def seconds_left(self) -> float | None:
        """Return how long this phase will take at the pace so far; None while nothing has ended in it."""
        done = self.phase_done - self.phase_before
        left = self.phase_runs - self.phase_done
        if done <= 0 or left <= 0:
            return None
        return (time.monotonic() - self.phase_began) / done * left


def started(
    kind: Kind,
    config: SearchConfig | CompareConfig,
    folder: RunFolder,
    models: Models,
    *,
    finished_before: int = 0,
) -> Started:
    """Return the event of a search, comparison or ablation that begins or is resumed."""

    return Started(
        kind=kind,
        name=folder.name,
        folder=str(folder.path),
        task=models.task.name,
        measures=models.measures,
        space=config.space if isinstance(config, SearchConfig) else None,
        constraints=config.constraints if isinstance(config, SearchConfig) else (),
        trials=config.trials if isinstance(config, SearchConfig) else None,
        workers=config.workers,
        parameters=config.params,
        finished_before=finished_before,
    )


def run_started(spec: RunSpec) -> RunStarted:
    """Return the event of a run that begins or resumes."""
    return RunStarted(id=spec.id, role=spec.role, name=spec.name, epochs=spec.training.cap)


def epoch_done(spec: RunSpec, record: EpochRecord) -> EpochDone:
    """Return the event of an epoch that was done."""
    return EpochDone(
        id=spec.id,
        role=spec.role,
        name=spec.name,
        epoch=record.epoch,
        epochs=spec.training.cap,
        metric=record.metric,
        seconds=record.seconds,
    )


def run_ended(spec: RunSpec, result: RunResult, gap: Gap | None = None) -> RunEnded:
    """Return the event of a run that ended."""
    return RunEnded(
        id=spec.id,
        role=spec.role,
        name=spec.name,
        ending=result.status,
        value=result.best_metric,
        gap=None if gap is None else gap.value,
        reason=result.reason,
        backend=result.backend,
        fallback=result.fallback,
        gap_so_far=gap is not None and not gap.at_end,
    )


Observer = Callable[[Event, Progress], None]


def silent(event: Event, progress: Progress) -> None:
    """Observe nothing."""


class Notifier:
    """Passes events on to an observer, with the progress that they add up to; keeps what the user should read."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._progress = Progress()
        self.notices: list[str] = []

    def __call__(self, event: Event) -> None:
        """Pass ``event`` on."""
        self._progress.update(event)
        if isinstance(event, Notice):
            self.notices.append(event.message)
        self._observer(event, self._progress)

    def warn(self, message: str) -> None:
        """Tell something that the user should read."""
        self(Notice(message=message))

    def warn_once(self, messages: Iterable[str]) -> None:
        """Tell those of ``messages`` that were not told before."""
        for message in dict.fromkeys(messages):
            if message not in self.notices:
                self.warn(message)
