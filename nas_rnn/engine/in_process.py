"""One run in this process, without Ray: for those who wait for a single answer, and not for Ray's start."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas_rnn.engine.worker import Worker
from nas_rnn.tasks import TaskData
from nas_rnn.training import CannotStore, EpochRecord, RunResult, RunSpec
from nas_rnn.training.files import LocalFiles


def run_in_process(
    spec: RunSpec,
    data: TaskData,
    folder: Path,
    *,
    sign: int = 1,
    on_epoch: Callable[[RunSpec, EpochRecord], None] = lambda spec, record: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunResult | None:
    """Train ``spec`` to its end, as a worker of `nas_rnn.engine.Engine` does, and return how it ended.

    It goes on from its checkpoint under ``folder``, where it leaves everything. ``sign`` -1 says that a larger metric
    is better. ``should_stop`` is asked before each epoch; None is returned once it says so.

    Raises CannotStore where nothing can be written; ValueError for a run that reads the test part, which has to come
    with it and does not.
    """
    if spec.read_test:
        raise ValueError(f"run {spec.id!r} reads the test part, which is withheld here")
    withheld = data.without("test")
    worker = Worker(lambda spec: withheld, lambda run: LocalFiles(folder / run), _where())
    worker.begin({"spec": spec.to_dict(), "sign": sign})
    while not should_stop():
        told = worker.step()
        for record in told["records"]:
            on_epoch(spec, EpochRecord.from_dict(record))
        if "halt" in told:
            raise CannotStore(told["halt"])
        if told["done"]:
            return _result(spec, told)
    return None


def _result(spec: RunSpec, told: dict[str, Any]) -> RunResult:
    """Return how a run ended; one that failed before its first epoch has no result of its own."""
    own = json.loads(told["result"])
    if own is not None:
        return RunResult.from_dict(own)
    return RunResult(
        id=spec.id,
        status=told["ending"],
        reason=told["reason"],
        epochs=[],
        best_epoch=None,
        best_metric=None,
        parameters=0,
        test_statistics=None,
        seconds=0.0,
        ended_because=told["ending"],
    )


def _where() -> dict[str, Any]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {
        "host": platform.node(),
        "node": "in process",
        "pid": os.getpid(),
        "cuda_visible_devices": visible,
    }
