"""Samples of a run's machine: taken beside the training, ended with it, and never in its way."""

from __future__ import annotations

import sys
import threading
import time
import types
from typing import Any

import psutil
import pytest

from nas_rnn.engine import sampling
from nas_rnn.engine.sampling import Machine, Sampler, machine_reader


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FIRST_SECONDS", 0.02)
    monkeypatch.setattr(sampling, "SHARE", 0.0)


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nas-rnn-sampling"]


def test_samples_are_taken_while_the_block_works_and_by_no_thread_afterwards() -> None:
    counts = iter(range(1000))
    sampler = Sampler(lambda: {"count": float(next(counts))})
    with sampler.running():
        assert len(watchers()) == 1
        time.sleep(0.5)
    assert watchers() == []
    samples = sampler.collect()
    assert len(samples) >= 3
    assert [sample["count"] for sample in samples] == [float(n) for n in range(1, len(samples) + 1)]
    times = [sample["at_ms"] for sample in samples]
    assert times == sorted(times) and abs(times[-1] / 1000 - time.time()) < 60
    assert sampler.collect() == []


def test_a_short_first_block_has_a_sample_and_later_ones_wait_their_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "FIRST_SECONDS", 60.0)
    sampler = Sampler(lambda: {"value": 1.26})
    for _ in range(5):
        with sampler.running():
            pass
    assert [sample["value"] for sample in sampler.collect()] == [1.3]


def test_the_pauses_grow_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 100 s a fiftieth of the time is more than the first pause; a day then gives some 400 samples."""
    monkeypatch.setattr(sampling, "FIRST_SECONDS", 2.0)
    monkeypatch.setattr(sampling, "SHARE", 0.02)
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    sampler = Sampler(lambda: {"value": 1.0})
    pauses = []
    while now < 86400:
        pauses.append(sampler._due() - now)
        now = sampler._due()
        sampler._take()
    assert pauses[0] == 2.0 and max(pauses) == pauses[-1] > 1500
    assert 300 < len(sampler.collect()) < 500


def test_what_cannot_be_read_costs_no_run() -> None:
    def refuse() -> dict[str, float]:
        raise OSError("not here")

    sampler = Sampler(refuse)
    with sampler.running():
        time.sleep(0.1)
    assert sampler.collect() == []


def test_an_error_of_the_block_passes_and_the_thread_ends() -> None:
    sampler = Sampler(lambda: {"value": 1.0})
    with pytest.raises(ZeroDivisionError), sampler.running():
        raise ZeroDivisionError
    assert watchers() == [] and len(sampler.collect()) == 1


def test_the_machine_is_seen_from_every_thread() -> None:
    """Busy for a while: both figures of processors say so, also in a thread that asks for the first time."""
    machine = Machine()
    ends = time.monotonic() + 0.5
    while time.monotonic() < ends:
        sum(range(1000))
    found: list[dict[str, float]] = []
    thread = threading.Thread(target=lambda: found.append(machine.read()))
    thread.start()
    thread.join()
    (values,) = found
    assert values["process_cpu_utilization_percentage"] > 5
    assert 100 >= values["cpu_utilization_percentage"] > 5 / (psutil.cpu_count() or 1)
    assert 1 < values["process_memory_usage_megabytes"] < values["system_memory_usage_megabytes"] + 1e4
    assert 0 < values["system_memory_usage_percentage"] <= 100


def test_a_system_that_shows_nothing_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    assert machine_reader()() == {}


class NVMLError(Exception):
    """As NVML's; its first GPU cannot say how busy it is."""


def fake_nvml() -> types.ModuleType:
    """Stands for NVIDIA's library on a machine with four GPUs, whose handles are their indices."""
    module: Any = types.ModuleType("pynvml")
    uuids = {f"GPU-{index}": index for index in range(4)}

    def utilization(handle: int) -> Any:
        if handle == 0:
            raise NVMLError
        return types.SimpleNamespace(gpu=10 * handle)

    module.NVMLError = NVMLError
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetCount = lambda: 4
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetHandleByUUID = uuids.__getitem__
    module.nvmlDeviceGetIndex = lambda handle: handle
    module.nvmlDeviceGetMemoryInfo = lambda handle: types.SimpleNamespace(used=2e9, total=8e9)
    module.nvmlDeviceGetUtilizationRates = utilization
    module.nvmlDeviceGetPowerUsage = lambda handle: 70_000
    return module


@pytest.mark.parametrize(
    ("visible", "seen"),
    [(None, {"0", "1", "2", "3"}), ("2", {"2"}), ("0,3", {"0", "3"}), ("GPU-1", {"1"}), ("", set())],
)
def test_the_gpus_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, seen: set[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    values = {name: value for name, value in Machine().read().items() if name.startswith("gpu_")}
    assert {name.split("_")[1] for name in values} == seen
    for index in seen:
        assert values[f"gpu_{index}_memory_usage_percentage"] == 25.0
        assert values[f"gpu_{index}_memory_usage_megabytes"] == 2000.0
        assert values[f"gpu_{index}_power_usage_watts"] == 70.0
        assert values.get(f"gpu_{index}_utilization_percentage") == (10.0 * int(index) or None)


def test_a_broken_driver_costs_only_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = fake_nvml()

    def refuse() -> None:
        raise NVMLError("driver mismatch")

    module.nvmlInit = refuse
    monkeypatch.setitem(sys.modules, "pynvml", module)
    values = Machine().read()
    assert "cpu_utilization_percentage" in values
    assert not any(name.startswith("gpu_") for name in values)
