"""A plugin that registers nothing: it has every worker write down where its time goes (benchmarks/worker_time.py).

Functions are replaced by ones that note their seconds, those of noted functions inside them taken off. The environment
variable ``NAS_RNN_TIMED`` names the file that gets a line of JSON for each run that a worker had.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from nas_rnn.engine.worker import Worker
from nas_rnn.training.store import RunStore

Sections = tuple[tuple[Any, str, str], ...]

WITHOUT_TORCH: Sections = (
    (RunStore, "write_checkpoint", "checkpoint"),
    (RunStore, "append_record", "curve"),
    (RunStore, "append_samples", "samples of the machine"),
    (RunStore, "append_worker", "trainer made"),
    (RunStore, "write_result", "result written"),
    (Worker, "_make_trainer", "trainer made"),
    (Worker, "_measure_times", "steps timed"),
    (Worker, "step", "step, all else"),
    (Worker, "begin", "begin"),
)
"""What is noted from the beginning: where it is looked up, its name there, and what it is called in the table."""


def with_torch() -> Sections:
    """Return what is noted once a run has begun: the driver, which loads this file as well, needs no torch for it."""
    from nas_rnn.execution.fused import kernels
    from nas_rnn.training import averaging, trainer

    return (
        (trainer, "train_pass", "training steps"),
        (trainer, "validation_pass", "validation"),
        (averaging.AveragedWeights, "_put", "averaged weights loaded"),
        (averaging.AveragedWeights, "update", "averaging"),
        (trainer, "_copied", "best weights kept"),
        (kernels, "printed", "cells printed"),
        (kernels, "_functions", "cells compiled and loaded"),
        (trainer.Trainer, "_test_statistics", "test part"),
        (trainer.Trainer, "_flow", "gradient flow"),
        (trainer.Trainer, "result", "result"),
        (trainer.Trainer, "run_epoch", "epoch, all else"),
    )


def _cpu() -> float:
    """Return the seconds of CPU of this process, and of compilers that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Clock:
    """Seconds of one run by section, each with those of the sections inside it taken off: of the clock, and of CPU."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
        self._inside: list[list[float]] = []

    def timed(self, name: str, call: Callable[..., Any]) -> Any:
        began = time.perf_counter(), _cpu()
        self._inside.append([0.0, 0.0])
        try:
            return call()
        finally:
            took = time.perf_counter() - began[0], _cpu() - began[1]
            inside = self._inside.pop()
            self.add(name, took[0] - inside[0], took[1] - inside[1])
            if self._inside:
                self._inside[-1][0] += took[0]
                self._inside[-1][1] += took[1]

    def add(self, name: str, wall: float, cpu: float) -> None:
        entry = self.spent[name]
        entry[0], entry[1], entry[2] = entry[0] + wall, entry[1] + cpu, entry[2] + 1


class Account:
    """What this worker has done, run by run."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._clock = Clock()
        self._last: tuple[float, float] | None = None
        self._began = 0.0
        self._spec: dict[str, Any] = {}
        self._has_torch = False
        self.wrap(WITHOUT_TORCH)

    def wrap(self, sections: Sections) -> None:
        """Put functions that note their time in the place of ``sections``."""
        for owner, attribute, name in sections:
            self._wrap(owner, attribute, name)

    def _wrap(self, owner: Any, attribute: str, name: str) -> None:
        own = getattr(owner, attribute)

        @functools.wraps(own)
        def timed(*arguments: Any, **named: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return own(*arguments, **named)
            if attribute == "begin":
                self._begins(arguments[1])
            elif attribute == "step" and not self._has_torch:
                self._has_torch = True
                self._clock.timed("torch imported", lambda: self.wrap(with_torch()))
            elif attribute == "step" and self._last is not None:
                self._clock.add("report to Tune", time.perf_counter() - self._last[0], _cpu() - self._last[1])
            found = self._clock.timed(name, lambda: own(*arguments, **named))
            if attribute in ("begin", "step"):
                self._last = time.perf_counter(), _cpu()
            if attribute == "step" and found.get("done"):
                self._ends(found)
            return found

        setattr(owner, attribute, timed)

    def _begins(self, config: dict[str, Any]) -> None:
        self._clock, self._last = Clock(), None
        self._began, self._spec = time.time(), config["spec"]

    def _ends(self, told: dict[str, Any]) -> None:
        line = {
            "worker": os.getpid(),
            "started": psutil.Process().create_time(),
            "began": self._began,
            "ended": time.time(),
            "run": self._spec["id"],
            "role": self._spec["role"],
            "epochs": told["epoch"],
            "spent": self._clock.spent,
        }
        with Path(self._path).open("a") as file:
            file.write(json.dumps(line) + "\n")


if path := os.environ.get("NAS_RNN_TIMED"):
    Account(path)
