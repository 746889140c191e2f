"""An engine without Ray: runs what a source hands out in this process, an epoch of each run in turn.

It has the code of the real one that decides anything: `SourceSearcher` calls the source, `Worker` trains the runs.
Of Tune it only takes the loop's place, so nothing starts, no process dies, and the order of
events is always the same. `tests/engine/test_in_process.py` holds it against the real engine.
"""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.engine import Outcome, RunSource
from nas_rnn.engine.preflight import check_request, places
from nas_rnn.engine.searcher import SourceSearcher
from nas_rnn.engine.worker import Worker
from nas_rnn.plugins import PluginSource
from nas_rnn.tasks import TaskData
from nas_rnn.training import RunSpec
from nas_rnn.training.files import LocalFiles


@dataclass(frozen=True)
class Trial:
    """What the searcher knows of a run by."""

    trial_id: str
    config: dict[str, Any]
    worker: Worker


class InProcessEngine:
    """Takes what `nas_rnn.engine.Engine` takes, for this machine and without GPUs."""

    def __init__(
        self,
        *,
        workers: int | None,
        threads: int,
        folder: Path,
        data: TaskData,
        sources: Sequence[PluginSource],
        gpus_per_run: float = 0.0,
        address: str | None = None,
        storage: str | None = None,
        notify: Callable[[str], None] = lambda message: None,
    ) -> None:
        check_request(gpus_per_run)
        assert (gpus_per_run, address, storage) == (0.0, None, None), "that needs the real engine"
        self.workers = workers or places([{"CPU": float(len(os.sched_getaffinity(0)))}], threads, 0.0)
        self._folder = folder.resolve()
        self._data = data
        self._notify = notify
        self._numbers = itertools.count()

    def __enter__(self) -> InProcessEngine:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(
        self,
        source: RunSource,
        *,
        sign: int = 1,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        searcher = SourceSearcher(source, sign, self._notify)
        running: list[Trial] = []
        outcome: Outcome = "complete"
        while searcher.error is None and (self._hand_out(searcher, running) or running):
            for trial in list(running):
                if should_stop():
                    searcher.stopping = True
                    return "interrupted"
                if self._epoch(trial, searcher):
                    running.remove(trial)
        if searcher.error is not None:
            raise searcher.error
        return outcome

    def _hand_out(self, searcher: SourceSearcher, running: list[Trial]) -> bool:
        """Begin as many runs as there is room for; return whether any began."""
        began = False
        while len(running) < self.workers:
            name = str(next(self._numbers))
            config = searcher.suggest(name)
            if config is None or config == SourceSearcher.FINISHED:
                assert running or config is not None, "the source waits, and nothing runs"
                break
            trial = Trial(name, config, Worker(self._data_for, self._files, _where()))
            trial.worker.begin(config)
            running.append(trial)
            began = True
        return began

    def _data_for(self, spec: RunSpec) -> TaskData:
        return self._data if spec.read_test else self._data.without("test")

    def _files(self, run: str) -> LocalFiles:
        return LocalFiles(self._folder / run)

    def _epoch(self, trial: Trial, searcher: SourceSearcher) -> bool:
        """Train for an epoch and tell of it, as Tune does; return whether the run is over."""
        result = trial.worker.step()
        if not result["done"]:
            searcher.on_trial_result(trial.trial_id, result)
            return False
        searcher.on_trial_complete(trial.trial_id, result)
        return True


def _where() -> dict[str, Any]:
    return {"host": platform.node(), "node": "in process", "pid": os.getpid(), "cuda_visible_devices": None}


@contextmanager
def in_process(*, pictures: bool = False) -> Iterator[None]:
    """Have searches, comparisons and ablations run on the `InProcessEngine` for the time of the block.

    Nothing is measured beforehand. Without ``pictures`` all that they draw is left blank: to draw takes longer than a
    small search itself.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_rnn.experiment.session.Engine", InProcessEngine)
        patch.setattr("nas_rnn.experiment.workload.seconds_per_epoch", lambda models, baseline: None)
        if not pictures:
            patch.setattr("matplotlib.figure.Figure.draw", lambda figure, renderer: None)
        yield
