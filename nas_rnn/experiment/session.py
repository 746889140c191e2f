"""The life of a search, a comparison or an ablation, written once: begun or resumed, run, interrupted, ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Literal, TypeVar

from nas_rnn import plugins
from nas_rnn.comparison import Comparison
from nas_rnn.engine import Engine, RunSource, Sequential
from nas_rnn.engine.preflight import check_local, check_request
from nas_rnn.experiment.events import Notifier, Observer
from nas_rnn.experiment.models import Models
from nas_rnn.publishing.mlflow_sync import MlflowSync, tracking_uri
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, absolute, read_config, smoked
from nas_rnn.run_folder.dataset import keep_facts
from nas_rnn.run_folder.fresh_test import FreshTest, next_cut, stored_cut
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.lifecycle import create, resume, without_none
from nas_rnn.run_folder.manifest import Kind
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.strategies import Trial
from nas_rnn.tasks.options import begun_before

C = TypeVar("C", SearchConfig, CompareConfig)
Status = Literal["complete", "interrupted"]


class Interrupted(Exception):
    """The user asked to stop; what is done is kept."""


@dataclass(frozen=True)
class Session(Generic[C]):
    """One search, comparison or ablation while a process holds its folder."""

    config: C
    folder: RunFolder
    models: Models
    notify: Notifier

    def conduct(
        self,
        sync: MlflowSync,
        stages: Callable[[], Iterable[RunSource]],
        answer: Callable[[], Comparison | None],
        *,
        trials: Callable[[], list[Trial]] = list,
    ) -> tuple[Status, Comparison | None]:
        """Run the stages to their end, or until the user interrupts them; MLflow shows both.

        ``answer`` is what the stages have found so far; an answer that an earlier process found is returned at once.
        """
        kept = RunReader(self.folder).comparison()
        if kept is not None:
            return "complete", kept
        self.notify.warn_once(self.models.notices())
        status: Status = "complete"
        with sync:
            for run in self.folder.ended():  # in any stage: MLflow may have missed it
                sync.stored_run_changed(run)
            try:
                self._run(stages())
            except Interrupted:
                status = "interrupted"
            finally:
                sync.end(status, answer(), trials())
        self.notify.warn_once(sync.problems)
        return status, answer()

    def _run(self, stages: Iterable[RunSource]) -> None:
        """Run ``stages`` one after the other; raise `Interrupted` where the user asked to stop."""
        config, stop = self.config, _Stop(self.notify)
        engine = Engine(
            workers=config.workers,
            threads=config.threads,
            gpus_per_run=config.gpus_per_trial,
            address=cluster_address(config),
            storage=self.folder.storage,
            folder=self.folder.trials,
            data=self.models.measured_data,
            sources=plugins.registry().sources,
            notify=self.notify.warn,
        )
        # The signals' handlers inside: Ray's start puts one of its own in the place of SIGTERM's.
        with engine, stop.on_signals():
            sign = sign_of(self.models.measures.monitor)
            outcome = engine.run(Sequential(stages), sign=sign, should_stop=lambda: stop.asked)
        if outcome == "interrupted":
            raise Interrupted


class _Stop:
    """Hears of Ctrl-C: the first means to end gracefully, the second to end at once."""

    def __init__(self, notify: Notifier) -> None:
        self._notify = notify
        self.asked = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen for the time of the block, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._notify.warn("stopping; everything is kept (Ctrl-C again stops at once)")


def prepare(
    kind: type[C], values: Mapping[str, Any], runs: Path, *, taken_over: bool = False
) -> tuple[C, Models]:
    """Return a checked configuration and its models; every `UserError` about it comes from here.

    ``taken_over`` says that task, data and the task's options are those of a run that was begun before.
    """
    values = smoked(kind, values)
    config = absolute(read_config(kind, values))
    check_machine(config, runs)
    with begun_before() if taken_over else nullcontext():
        return _prepared(config, values, runs, None)


def _prepared(config: C, values: Mapping[str, Any], runs: Path, cut: FreshTest | None) -> tuple[C, Models]:
    """Return configuration and models; a fresh test part is cut where it was before, or from what is left by now."""
    config, models = Models.prepare(config, without_none(values))
    if config.fresh_test is None:
        return config, models
    return config, models.with_fresh_test(cut or next_cut(models.data, config.fresh_test, runs))


@contextmanager
def new_session(
    kind: Kind,
    prepared: tuple[C, Models],
    runs: Path,
    stem: str,
    observer: Observer,
    keep: Callable[[RunFolder], None],
) -> Iterator[Session[C]]:
    """Begin one in a folder of its own; see `nas_rnn.run_folder.lifecycle.create`."""
    config, models = prepared
    with create(kind, config, runs, stem, keep) as (folder, named):
        yield _session(named, folder, models, observer)


@contextmanager
def resumed_session(
    kind: Kind,
    config_kind: type[C],
    folder: RunFolder,
    changed: Mapping[str, Any],
    observer: Observer,
    check: Callable[[C], None] = lambda config: None,
) -> Iterator[Session[C]]:
    """Resume one under its own configuration with ``changed`` options; ``check`` may refuse that."""
    values = {**RunReader(folder).settings(), **changed, "name": folder.name}
    config = absolute(read_config(config_kind, values))
    check_machine(config, folder.runs)
    with resume(kind, folder, config.storage):
        with begun_before():
            config, models = _prepared(config, values, folder.runs, stored_cut(folder))
        check(config)
        folder.write_config(config)
        yield _session(config, folder, models, observer)


def _session(config: C, folder: RunFolder, models: Models, observer: Observer) -> Session[C]:
    keep_facts(folder, models.task, models.data, config.data, models.fresh)
    return Session(config, folder, models, Notifier(observer))


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


def cluster_address(config: SearchConfig | CompareConfig) -> str | None:
    """Return the Ray cluster to use: as configured, or as RAY_ADDRESS says; None (``local``) for this machine alone."""
    address = config.address or os.environ.get("RAY_ADDRESS") or "local"
    return None if address == "local" else address
