"""What a run takes of its machine while it trains (processors, memory, GPUs), sampled by a thread beside it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

FIRST_SECONDS = 2.0
SHARE = 0.02
MEGABYTE = 1e6

Sample = dict[str, float]


class Sampler:
    """Takes samples of one run while a block of `running` works.

    One every 2 s at first, later one every fiftieth of the time since the run began: a day gives some 400. The
    first block ends with a sample even where it was shorter. ``read`` gives the values; what it raises costs a
    sample, never the run.
    """

    def __init__(self, read: Callable[[], Sample]) -> None:
        self._read = read
        self._samples: list[Sample] = []
        self._began = self._last = time.monotonic()
        self._tried = False
        with contextlib.suppress(Exception):
            read()  # percentages are over the time since the last call

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Take samples as long as the block works; no thread outlives it."""
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended,), name="nas-rnn-sampling", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if not self._tried:
                self._take()

    def collect(self) -> list[Sample]:
        """Return the samples taken since the last call, each with its time ``at_ms`` (milliseconds since 1970)."""
        taken, self._samples = self._samples, []
        return taken

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(max(0.0, self._due() - time.monotonic())):
            self._take()

    def _due(self) -> float:
        return self._last + max(FIRST_SECONDS, SHARE * (self._last - self._began))

    def _take(self) -> None:
        self._last, self._tried = time.monotonic(), True
        with contextlib.suppress(Exception):
            values = {name: round(value, 1) for name, value in self._read().items()}
            if values:
                self._samples.append({"at_ms": int(time.time() * 1000), **values})


def machine_reader() -> Callable[[], Sample]:
    """Return what reads this machine's values; none where the system shows them to nobody."""
    try:
        return Machine().read
    except Exception:
        return dict


class Machine:
    """This machine, this process and the GPUs it may use; values have the names that MLflow gives them.

    ``process_...`` is this process alone, where 100 % is one processor; what has no such prefix is the machine.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._gpus = _visible_gpus()
        self._times = psutil.cpu_times()
        self._process.cpu_percent()

    def read(self) -> Sample:
        """Return the values now; percentages of processors are over the time since the last call."""
        memory = psutil.virtual_memory()
        values = {
            "cpu_utilization_percentage": self._cpu_percent(),
            "system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system_memory_usage_percentage": 100.0 * memory.used / memory.total,
            "process_cpu_utilization_percentage": self._process.cpu_percent(),
            "process_memory_usage_megabytes": self._process.memory_info().rss / MEGABYTE,
        }
        for index, handle in self._gpus:
            values |= _gpu_values(index, handle)
        return values

    def _cpu_percent(self) -> float:
        """Return how busy the processors were; psutil's own figure starts anew in every thread."""
        before, self._times = self._times, psutil.cpu_times()
        spent = {name: now - getattr(before, name) for name, now in self._times._asdict().items()}
        # Linux counts the time of guests in "user" and "nice" as well.
        total = sum(seconds for name, seconds in spent.items() if not name.startswith("guest"))
        idle = spent["idle"] + spent.get("iowait", 0.0)
        return min(100.0, max(0.0, 100.0 * (total - idle) / total)) if total > 0.0 else 0.0


def _visible_gpus() -> list[tuple[int, Any]]:
    """Return index and handle of the GPUs that this process may use; none where NVIDIA's library is not there."""
    try:
        import pynvml

        pynvml.nvmlInit()
        names = os.environ.get("CUDA_VISIBLE_DEVICES")
        if names is None:
            names = ",".join(str(index) for index in range(pynvml.nvmlDeviceGetCount()))
        handles = [_gpu_handle(pynvml, name.strip()) for name in names.split(",") if name.strip()]
        return [(pynvml.nvmlDeviceGetIndex(handle), handle) for handle in handles]
    except (
        Exception
    ):  # whatever is amiss with the library or a driver, training continues without these figures
        return []


def _gpu_handle(pynvml: Any, name: str) -> Any:
    if name.isdecimal():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name)


def _gpu_values(index: int, handle: Any) -> Sample:
    import pynvml

    values: Sample = {}
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        values[f"gpu_{index}_memory_usage_megabytes"] = memory.used / MEGABYTE
        values[f"gpu_{index}_memory_usage_percentage"] = 100.0 * memory.used / memory.total
    with contextlib.suppress(pynvml.NVMLError):
        values[f"gpu_{index}_utilization_percentage"] = float(
            pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
        )
    with contextlib.suppress(pynvml.NVMLError):
        values[f"gpu_{index}_power_usage_watts"] = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000.0
    return values
