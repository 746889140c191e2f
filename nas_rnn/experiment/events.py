"""What a search or a comparison tells while it runs: events, and the state they add up to."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from nas_rnn.experiment.models import Models
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import Kind
from nas_rnn.run_folder.trials import Gap
from nas_rnn.tasks import Measures
from nas_rnn.training import EpochRecord, RunResult, RunSpec

Phase = Literal[
    "length",
    "baseline",
    "promotion",
    "supernet",
    "search",
    "halving",
    "control",
    "control-halving",
    "selection",
    "tuning",
    "lstm-all",
    "final",
    "timing",
]
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


def roughly(seconds: float) -> str:
    """Return a time to come as one would say it: ``40 s``, ``5 min``, ``3 h``."""
    for size, unit, step in ((3600, "h", 1), (60, "min", 1), (1, "s", 10)):
        if seconds >= 1.5 * size:
            return f"{max(step, step * math.ceil(seconds / size / step))} {unit}"
    return "10 s"


class Plan(Protocol):
    """What knows how much there is to train in all (`nas_rnn.experiment.workload`), and how many runs ``at_once``."""

    @property
    def at_once(self) -> int: ...

    def epochs_left(self, phase: str, runs: int, length: int) -> float:
        """Return the epochs left, with so many runs of a phase left, and ``length`` of them in a full run."""
        ...


_AT_THE_END = ("length", "promotion", "halving", "control-halving", "selection", "final")
"""Phases whose runs come to their own end."""


@dataclass
class Progress:
    """The state that the events so far add up to."""

    started: Started | None = None
    phase: Phase | None = None
    phase_runs: int = 0
    phase_done: int = 0
    running: dict[str, RunStarted | EpochDone] = field(default_factory=dict)
    ended: dict[str, RunEnding] = field(default_factory=dict)
    best_name: str | None = None
    best_value: float | None = None
    baseline_value: float | None = None
    baseline_done: bool = False
    plan: Plan | None = None
    epochs: int = 0
    epoch_seconds: float = 0.0
    most_running: int = 0
    lengths: list[int] = field(default_factory=list)
    main_phase: str = ""

    def update(self, event: Event) -> None:
        """Take ``event`` in."""
        match event:
            case Started():
                self.started = event
            case PhaseStarted(phase=phase, runs=runs, before=before):
                self.phase, self.phase_runs, self.phase_done = phase, runs, before
                self.main_phase = self.main_phase if phase == "promotion" else phase
                self.running.clear()
            case RunStarted(id=id) | EpochDone(id=id):
                self.running[id] = event
                self.most_running = max(self.most_running, len(self.running))
                if isinstance(event, EpochDone):
                    self.epochs += 1
                    self.epoch_seconds += event.seconds
                if isinstance(event, EpochDone) and event.role == "baseline":
                    self.baseline_value = self._better(event.metric, self.baseline_value)
            case RunEnded():
                self._end(event)

    def _end(self, event: RunEnded) -> None:
        last = self.running.pop(event.id, None)
        if isinstance(last, EpochDone) and (self.phase in _AT_THE_END or event.role == "baseline"):
            self.lengths.append(last.epoch)
        if event.role == "baseline":
            self.baseline_value, self.baseline_done = event.value, True
            return
        self.phase_done += 1
        if event.role != "candidate":
            return
        self.ended[event.id] = event.ending  # one that was stopped may be taken on
        if event.value is not None and self._better(event.value, self.best_value) != self.best_value:
            self.best_name, self.best_value = event.name, event.value

    def _better(self, value: float, other: float | None) -> float:
        if other is None:
            return value
        smaller = self.started is None or self.started.measures.monitor.direction == "minimize"
        return min(value, other) if smaller else max(value, other)

    @property
    def endings(self) -> Counter[RunEnding]:
        """How many candidates have ended in which way so far."""
        return Counter(self.ended.values())

    def seconds_left(self) -> float | None:
        """Return how long all that is to come will take at the pace so far; None before anybody knows.

        That takes a run that came to its end: so many epochs are expected of the others.
        """
        if self.plan is None or not self.lengths or not self.epochs:
            return None
        pace = self.epoch_seconds / self.epochs / max(1, self.most_running, self.plan.at_once)
        runs = max(0, self.phase_runs - self.phase_done)
        length = round(statistics.median(self.lengths))
        if self.phase == "promotion":  # its phase began with it
            left = runs * length / 2 + self.plan.epochs_left(self.main_phase, 0, length)
        else:
            left = self.plan.epochs_left(self.main_phase, runs, length)
        left -= sum(run.epoch for run in self.running.values() if isinstance(run, EpochDone))
        return pace * max(0.0, left)


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

    def expect(self, plan: Plan) -> None:
        """Know how much there is to train in all."""
        self._progress.plan = plan

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
