"""What a worker does: trains the run it is given, epoch by epoch, and goes over to the next one."""

from __future__ import annotations

import gc
import json
import os
import platform
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ray
from ray import tune

from nas_rnn import plugins
from nas_rnn.engine.remote_files import RemoteFiles
from nas_rnn.engine.sampling import Sampler, machine_reader
from nas_rnn.errors import UserError
from nas_rnn.tasks import TaskData
from nas_rnn.training import CannotStore, Diverged, RunSpec, RunStore
from nas_rnn.training.files import Files, LocalFiles
from nas_rnn.training.spec import Status
from nas_rnn.training.storage import StoredFiles

if TYPE_CHECKING:
    from nas_rnn.training.trainer import Trainer


WORST = 1e30
"""The score of a run without an epoch: no infinity, of which Tune's schedulers cannot take quantiles."""


@dataclass(frozen=True)
class WorkerSetup:
    """What every worker gets once, as plain data: the task's data, plugins' sources, and where runs are kept.

    ``place`` is a folder's absolute path, or a keeper that has it on another machine; ``storage`` is a URI for
    checkpoints. ``withheld`` refers to the part that only final runs read: it travels when such a run begins.
    """

    data: TaskData
    sources: Sequence[plugins.PluginSource]
    place: Any
    storage: str | None = None
    withheld: Any = None

    def data_for(self, spec: RunSpec) -> TaskData:
        """Return the data that a run may read."""
        return self.data.joined(ray.get(self.withheld)) if spec.read_test else self.data

    def files(self, run: str) -> Files:
        """Return the files of one run."""
        is_here = isinstance(self.place, str)
        files: Files = LocalFiles(Path(self.place) / run) if is_here else RemoteFiles(self.place, run)
        return files if self.storage is None else StoredFiles(files, self.storage, run)


class RunTrainable(tune.Trainable):
    """Trains one RunSpec after another in one process; a step is an epoch.

    Results carry plain data: ``records`` (epochs since the last result), ``ending`` ("" while it goes on), ``reason``,
    ``parameters``, ``backend`` and ``fallback`` and, at the end, ``result`` (as JSON text: Tune flattens nested
    dictionaries). A run that diverges or raises ends itself and nothing else. ``halt`` says that nothing can be kept
    any more: that run has no ending.
    """

    def setup(self, config: dict[str, Any], shared: WorkerSetup) -> None:  # type: ignore[override]
        self._shared = shared
        self._plugins = tempfile.TemporaryDirectory(prefix="nas_rnn_plugins_")
        plugins.use_sources(shared.sources, Path(self._plugins.name))
        self._read_machine = machine_reader()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._spec = RunSpec.from_dict(config["spec"])
        self._sign = config["sign"]
        self._told = 0
        self._trainer: Trainer | None = None
        self._sampler = Sampler(self._read_machine)
        gc.collect()

    def step(self) -> dict[str, Any]:
        try:
            return self._step()
        except CannotStore as error:
            return {**self._news(), "halt": str(error), "done": True}

    def _step(self) -> dict[str, Any]:
        try:
            trainer = self._trainer or self._make_trainer()
            if not trainer.finished:
                with self._sampler.running():
                    trainer.run_epoch()
            return self._report("finished" if trainer.finished else "", None)
        except Diverged as error:
            return self._report("diverged", str(error))
        except CannotStore:
            raise
        except (Exception, SystemExit) as error:
            self._shared.files(self._spec.id).write("traceback.txt", traceback.format_exc().encode())
            return self._report("failed", self._explained(error))

    def _explained(self, error: BaseException) -> str:
        """Return what went wrong; in the code of the task, with its file and line."""
        try:
            told = plugins.blame(error, plugins.registry().find("task", self._spec.task))
        except UserError:  # the task itself is not there
            told = None
        return told or f"{type(error).__name__}: {error}"

    def cleanup(self) -> None:
        self._plugins.cleanup()

    def _make_trainer(self) -> Trainer:
        from nas_rnn.training.trainer import Trainer

        task = plugins.registry().find("task", self._spec.task).value(**self._spec.task_options)
        store = RunStore(self._shared.files(self._spec.id))
        try:
            self._trainer = Trainer(self._spec, task, self._shared.data_for(self._spec), store)
        finally:
            done = None if self._trainer is None else self._trainer.epoch
            store.append_worker({**_where(), "epochs_before": done})
        return self._trainer

    def _report(self, ending: Status | Literal[""], reason: str | None) -> dict[str, Any]:
        if samples := self._sampler.collect():
            RunStore(self._shared.files(self._spec.id)).append_samples(samples)
        result = (
            self._trainer.result(ending, reason).to_dict() if ending and self._trainer is not None else None
        )
        return {
            **self._news(),
            "ending": result["status"] if result else ending,
            "reason": result["reason"] if result else reason,
            "result": json.dumps(result),
            "done": bool(ending),
        }

    def _news(self) -> dict[str, Any]:
        records = [] if self._trainer is None else self._trainer.records
        new, self._told = records[self._told :], len(records)
        backend, fallback = (None, None) if self._trainer is None else self._trainer.backend
        return {
            "records": [record.to_dict() for record in new],
            "parameters": 0 if self._trainer is None else self._trainer.parameters,
            "backend": backend,
            "fallback": fallback,
            "epoch": max(1, len(records)),
            "score": self._sign * records[-1].metric if records else WORST,
        }


def _where() -> dict[str, Any]:
    """Return where this worker runs: what one asks first when one run was slower or failed."""
    return {
        "host": platform.node(),
        "node": ray.get_runtime_context().get_node_id(),
        "pid": os.getpid(),
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
