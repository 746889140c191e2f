"""The engine: runs many RunSpecs side by side with Ray Tune. Ray is used nowhere else."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from nas_rnn.engine.cluster_events import ClusterEvents
from nas_rnn.engine.cluster_ray import cluster_ray
from nas_rnn.engine.local_ray import local_ray, prepare_environment
from nas_rnn.engine.preflight import (
    Resources,
    check_request,
    check_resources,
    check_storage,
    nodes_alive,
    places,
)
from nas_rnn.engine.source import RunSource
from nas_rnn.plugins import PluginSource
from nas_rnn.tasks import TaskData

Outcome = Literal["complete", "interrupted"]

REPORT_EVERY = 2.0
"""Seconds between two reports of a run whose epochs are shorter. A report takes some 30 ms of worker and driver."""


class Engine:
    """A pool of workers, open for the time of a ``with`` block: on this machine, or in the cluster at ``address``.

    ``workers`` runs (None: as many as have a place) are trained at once with ``threads`` CPU cores and
    ``gpus_per_run`` GPUs each. ``folder`` keeps each run's checkpoint and curve, also of those on other machines; at
    ``storage``, a URI, checkpoints lie there instead. ``data`` and ``sources`` (file plugins) are sent to the workers
    once. ``notify`` hears of nodes and workers that were lost. The source hears of epochs every ``report_every``
    seconds, and no more often than they end. Opening it raises UserError where the request cannot
    be met.
    """

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
        report_every: float = REPORT_EVERY,
    ) -> None:
        check_request(gpus_per_run)
        self._asked_workers = workers
        self._threads = threads
        self._folder = folder.resolve()
        self._data = data
        self._sources = tuple(sources)
        self._gpus_per_run = gpus_per_run
        self._address = address
        self._storage = storage
        self._notify = notify
        self._report_every = report_every
        self._events: ClusterEvents | None = None
        self._stack = ExitStack()
        self._fits = 0

    def __enter__(self) -> Engine:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _open(self) -> None:
        self._place: Any = str(self._folder)
        if self._address is None:
            cores = len(os.sched_getaffinity(0))
            cpus = max(cores, (self._asked_workers or 1) * self._threads)
            data_bytes = self._data.nbytes
            self._stack.enter_context(local_ray(cpus, None, data_bytes))
        else:
            self._stack.enter_context(cluster_ray(self._address))
            from nas_rnn.engine.remote_files import start_file_server

            self._folder.mkdir(parents=True, exist_ok=True)
            self._place = start_file_server(self._folder)
        nodes = [node["Resources"] for node in nodes_alive()]
        check_resources(nodes, self._threads, self._gpus_per_run)
        if self._storage is not None:
            check_storage(self._storage)
        self.workers = self._asked_workers or self._places(nodes)
        if self._address is not None:
            self._events = ClusterEvents(self._notify, self._places)
            self._stack.enter_context(self._events.listening())
        self._scratch = Path(tempfile.mkdtemp(prefix="nas_rnn_ray_"))
        self._stack.callback(shutil.rmtree, self._scratch, ignore_errors=True)

    def _places(self, nodes: Sequence[Resources]) -> int:
        return places(nodes, self._threads, self._gpus_per_run)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(
        self,
        source: RunSource,
        *,
        sign: int = 1,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Run all that ``source`` hands out; ``sign`` -1 says that a larger metric is better.

        ``should_stop`` is asked often; once it says so, running runs are left where their last checkpoint is, and
        the outcome is "interrupted". An exception raised by the source ends everything and is raised here; so does
        a `CannotStore` of a worker, whose run has no result then.
        """
        prepare_environment()
        import ray
        from ray import tune

        from nas_rnn.engine.searcher import MAX_WORKER_DEATHS, SourceSearcher
        from nas_rnn.engine.trainable import RunTrainable, WorkerSetup

        _quiet()
        searcher = SourceSearcher(source, sign, self._notify, keep_workers=True)
        stopper = _stopper(searcher, should_stop, self._events)
        # Workers fetch what is withheld only with a run that may read it.
        withheld = ray.put(self._data.only("test")) if "test" in self._data.parts else None
        shared = WorkerSetup(
            self._data.without("test"),
            self._sources,
            self._place,
            self._storage,
            withheld,
            self._report_every,
        )
        trainable = tune.with_resources(
            tune.with_parameters(RunTrainable, shared=shared),
            {"cpu": self._threads, **({"gpu": self._gpus_per_run} if self._gpus_per_run else {})},
        )
        self._fits += 1
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                max_concurrent_trials=self.workers,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
                trial_name_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name=f"fit{self._fits}",
                storage_path=str(self._scratch),
                stop=stopper,
                callbacks=[_news(searcher)],
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_WORKER_DEATHS),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        tuner.fit()
        if searcher.error is not None:
            raise searcher.error
        return "interrupted" if stopper.stopped else "complete"


def _news(searcher: Any) -> Any:
    from ray.exceptions import RayTaskError
    from ray.tune import Callback

    class News(Callback):
        """Passes on that a trial has a worker, and that this one died and Tune will try again."""

        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            searcher.on_placed(trial.trial_id)

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            error = trial.get_pickled_error()
            raised = isinstance(error, RayTaskError)
            searcher.on_worker_died(trial.trial_id, f"raised {error.cause!r}" if raised else "died")

        def __reduce__(self) -> Any:
            return (object, ())

    return News()


def _stopper(searcher: Any, should_stop: Callable[[], bool], news: ClusterEvents | None) -> Any:
    from ray.tune import Stopper

    class Stop(Stopper):
        """Ends the whole fit when asked to, or when the source failed; of single trials only those that rest.

        Tune asks often, so this is also when there is time for the cluster's news.
        """

        stopped = False

        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            return bool(searcher.ends_rest(trial_id))

        def stop_all(self) -> bool:
            if news is not None:
                news.look()
            if should_stop():
                self.stopped = True
                searcher.stopping = True
            return self.stopped or searcher.error is not None

        def __reduce__(self) -> Any:
            return (object, ())

    return Stop()


def _quiet() -> None:
    """Keep Tune from printing tracebacks of workers: what became of each run is in its result."""
    for name in ("ray", "ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
