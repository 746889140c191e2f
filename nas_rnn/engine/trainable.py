"""A worker as Ray Tune has it: an actor that is given one run after another."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from nas_rnn import plugins
from nas_rnn.engine.remote_files import RemoteFiles
from nas_rnn.engine.searcher import REST
from nas_rnn.engine.worker import WORST, Worker
from nas_rnn.tasks import TaskData
from nas_rnn.training import RunSpec
from nas_rnn.training.files import Files, LocalFiles
from nas_rnn.training.memory import release_memory
from nas_rnn.training.storage import StoredFiles

SHORTEST_REST, LONGEST_REST, SHARE_OF_REST = 0.1, 2.0, 0.05
"""Seconds after which a worker without a run asks for one: a share of the time that it has waited, within bounds."""


@dataclass(frozen=True)
class WorkerSetup:
    """What every worker gets once, as plain data: the task's data, plugins' sources, and where runs are kept.

    ``place`` is a folder's absolute path, or the handle of a `RunFileServer` where it is on another machine;
    ``storage`` is a URI for checkpoints. ``withheld`` refers to the part that only final runs read: it travels
    when such a run begins. ``report_every`` is `Worker`'s.
    """

    data: TaskData
    sources: Sequence[plugins.PluginSource]
    place: Any
    storage: str | None = None
    withheld: Any = None
    report_every: float = 0.0

    def data_for(self, spec: RunSpec) -> TaskData:
        """Return the data that a run may read."""
        return self.data.joined(ray.get(self.withheld)) if spec.read_test else self.data

    def files(self, run: str) -> Files:
        """Return the files of one run."""
        is_here = isinstance(self.place, str)
        files: Files = LocalFiles(Path(self.place) / run) if is_here else RemoteFiles(self.place, run)
        return files if self.storage is None else StoredFiles(files, self.storage, run)


class RunTrainable(tune.Trainable):
    """Has a `Worker` train what Tune hands out, with the plugins that the driver sent; rests where that is no run."""

    def setup(self, config: dict[str, Any], shared: WorkerSetup) -> None:  # type: ignore[override]
        self._plugins = tempfile.TemporaryDirectory(prefix="nas_rnn_plugins_")
        plugins.use_sources(shared.sources, Path(self._plugins.name))
        self._worker = Worker(shared.data_for, shared.files, _where(), shared.report_every)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config)
        release_memory()
        return True

    def step(self) -> dict[str, Any]:
        if self._rests_since is None:
            return self._worker.step()
        waited = time.monotonic() - self._rests_since
        time.sleep(min(LONGEST_REST, max(SHORTEST_REST, SHARE_OF_REST * waited)))
        return {"score": WORST, "done": False}

    def cleanup(self) -> None:
        self._plugins.cleanup()

    def _begin(self, config: dict[str, Any]) -> None:
        self._rests_since = time.monotonic() if REST in config else None
        if REST in config:
            self._worker.rest()
        else:
            self._worker.begin(config)


def _where() -> dict[str, Any]:
    """Return where this worker runs: what one asks first when one run was slower or failed."""
    return {
        "host": platform.node(),
        "node": ray.get_runtime_context().get_node_id(),
        "pid": os.getpid(),
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
