"""What a search and a comparison have in common: task, data, sizes, engine, tracking and news."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry, Match, mismatch_warning
from nas_rnn.engine import Engine, InTurn, RunList, RunSource
from nas_rnn.engine.preflight import check_local, check_request
from nas_rnn.errors import NasRnnError
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.run_folder.dataset import keep_facts
from nas_rnn.experiment.events import EpochDone, Event, Notice, Observer, Progress, RunEnded, RunStarted
from nas_rnn.experiment.models import Models
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.run_folder.layout import FINAL, Workspace
from nas_rnn.tasks import Measures, Task
from nas_rnn.training import EpochRecord, RunResult, RunSpec


class Watch(Protocol):
    """Hears how the runs of a stage go."""

    def on_start(self, spec: RunSpec) -> None: ...

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None: ...

    def on_done(self, spec: RunSpec, result: RunResult) -> None: ...


class Interrupted(Exception):
    """The user asked to stop; what is done is kept."""


@dataclass
class Bench:
    """Everything the parts of one search or comparison share."""

    config: SearchConfig | CompareConfig
    workspace: Workspace
    models: Models
    observer: Observer
    progress: Progress = field(default_factory=Progress)
    notices: list[str] = field(default_factory=list)
    stop_asked: bool = False

    def __post_init__(self) -> None:
        keep_facts(self.workspace, self.task, self.models.data, self.config.data)

    @property
    def task(self) -> Task:
        return self.models.task

    @property
    def measures(self) -> Measures:
        return self.models.measures

    def tell(self, event: Event) -> None:
        """Pass ``event`` on to whoever watches."""
        self.progress.update(event)
        if isinstance(event, Notice):
            self.notices.append(event.message)
        self.observer(event, self.progress)

    def warn(self, message: str) -> None:
        """Tell something that the user should read."""
        self.tell(Notice(message=message))

    def tell_all(self, messages: Iterable[str]) -> None:
        """Tell those of ``messages`` that were not told before."""
        for message in dict.fromkeys(messages):
            if message not in self.notices:
                self.warn(message)

    def warn_of_mismatch(self, entry: Entry) -> None:
        """Tell where ``entry`` could not be matched to the baseline's parameters within one per cent."""
        if self.config.match != "params":
            return
        warning = mismatch_warning(Match(entry.hidden_size, entry.parameters, entry.mismatch))
        if warning:
            self.warn(f"{entry.name}: {warning}")

    def run(self, stages: Iterable[RunSource], **options: Any) -> None:
        """Run ``stages`` one after the other; raise `Interrupted` where the user asked to stop."""
        with self._engine() as engine:
            outcome = engine.run(
                InTurn(stages),
                sign=sign_of(self.measures.monitor),
                should_stop=lambda: self.stop_asked,
                **options,
            )
        if outcome == "interrupted":
            raise Interrupted

    def unfinished(self, specs: Sequence[RunSpec], watch: Watch) -> RunList:
        """Return those of ``specs`` that have no result yet as a stage; its results hold the others' already."""
        found = {spec.id: self.earlier_result(spec) for spec in specs}
        results = {id: result for id, result in found.items() if result is not None}
        return RunList(
            specs, results=results, on_start=watch.on_start, on_epoch=watch.on_epoch, on_done=watch.on_done
        )

    def earlier_result(self, spec: RunSpec, *, retry: bool = True) -> RunResult | None:
        """Return the result that an earlier process left of this very run, or None.

        What another run of the same name left is removed. A failed run is to be tried again unless ``retry`` is False,
        or the final has begun: what was chosen before it stays chosen.
        """
        store = self.workspace.store(spec.id)
        if store.read_spec() not in (None, spec):
            if spec.read_test:
                raise NasRnnError(f"{store.place} holds another final run, and the test part is read once")
            store.clear()
            return None
        result = store.read_result()
        if result is not None and result.status == "failed" and retry:
            chosen = spec.role != "final" and (self.workspace.folder / FINAL).is_file()
            return result if chosen else None
        return result

    def store_result(self, result: RunResult) -> None:
        """Keep a result that the worker could not write itself."""
        store = self.workspace.store(result.id)
        if store.read_result() is None:
            store.write_result(result)

    def started(self, spec: RunSpec) -> RunStarted:
        return RunStarted(id=spec.id, role=spec.role, name=spec.name, epochs=spec.training.epochs)

    def epoch_done(self, spec: RunSpec, record: EpochRecord) -> EpochDone:
        return EpochDone(
            id=spec.id,
            role=spec.role,
            name=spec.name,
            epoch=record.epoch,
            epochs=spec.training.epochs,
            metric=record.metric,
            seconds=record.seconds,
        )

    def ended(self, spec: RunSpec, result: RunResult, gap: float | None) -> RunEnded:
        return RunEnded(
            id=spec.id,
            role=spec.role,
            name=spec.name,
            ending=result.status,
            value=result.best_metric,
            gap=gap,
            reason=result.reason,
            backend=result.backend,
            fallback=result.fallback,
        )

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        """Open the engine, with Ctrl-C meaning: end gracefully (the second time: at once)."""
        with (
            Engine(
                workers=self.config.workers,
                threads=self.config.threads,
                gpus_per_run=self.config.gpus_per_trial,
                address=cluster_address(self.config),
                storage=self.workspace.storage,
                folder=self.workspace.trials,
                data=self.models.data,
                sources=plugins.registry().sources,
                tell=lambda message: self.tell(Notice(message=message)),
            ) as engine,
            self._graceful(),  # inside: Ray's start puts a handler of its own in the place of SIGTERM's
        ):
            yield engine

    @contextmanager
    def _graceful(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self.stop_asked:
                raise KeyboardInterrupt
            self.stop_asked = True
            self.warn("ending, with everything kept; Ctrl-C again ends at once")

        previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def named_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Return ``cells`` with different names: a name that occurs again gets a number."""
    taken: set[str] = set()
    result = []
    for cell in cells:
        name, number = cell.name, 1
        while name in taken:
            number += 1
            name = f"{cell.name}_{number}"
        taken.add(name)
        result.append(replace(cell, name=name))
    return result


def tracking_uri(runs: Path) -> str:
    """Return where MLflow's store is: MLFLOW_TRACKING_URI, or a database under ``runs``."""
    from nas_rnn.tracking import default_uri

    return os.environ.get("MLFLOW_TRACKING_URI") or default_uri(runs.resolve())


def check_machine(config: SearchConfig | CompareConfig, runs: Path) -> None:
    """Raise UserError for what ``config`` or the environment asks of this machine and it cannot give.

    In a cluster the engine looks at the workers' machines instead.
    """
    from nas_rnn.tracking import check_uri

    check_uri(tracking_uri(runs))
    check_request(config.gpus_per_trial)
    if cluster_address(config) is None:
        from nas_rnn.training.device import resolve_device

        check_local(config.workers, config.threads, len(os.sched_getaffinity(0)))
        resolve_device(config.device)


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return int(time.time() * 1000)


def cluster_address(config: SearchConfig | CompareConfig) -> str | None:
    """Return the Ray cluster to use: as configured, or as RAY_ADDRESS says; None (``local``) for this machine alone."""
    address = config.address or os.environ.get("RAY_ADDRESS") or "local"
    return None if address == "local" else address
